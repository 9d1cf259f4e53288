package move

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// stateMembers are what the old product and its later versions kept beside the members of a credential.
func stateMembers() []string {
	return []string{"disabled", "error_codes", "error_messages", "last_success", "user_email", "cooldown_until", "call_timestamps", "model_cooldowns", "preview", "tier",
		"gemini_2_5_pro_calls", "total_calls", "next_reset_time", "daily_limit_gemini_2_5_pro", "daily_limit_total", "rotation_order", "call_count", "created_at", "updated_at"}
}

// oldEntry takes an entry apart: into the text of the credential and the members of its state. In a database
// they lie in objects of their own, in a file side by side.
func oldEntry(entry []byte) (text []byte, state map[string]json.RawMessage, err error) {
	var all map[string]json.RawMessage
	if json.Unmarshal(entry, &all) != nil || all == nil {
		return nil, nil, errors.New("it is no object")
	}
	inner, nested := all["credential"]
	if !nested {
		cred := map[string]json.RawMessage{}
		for name, value := range all {
			if !slices.Contains(stateMembers(), name) {
				cred[name] = value
			}
		}
		if len(cred) == 0 {
			return nil, nil, errors.New("there is a state in it and no credential")
		}
		text, err = json.Marshal(cred)
		return text, all, err
	}
	state = map[string]json.RawMessage{}
	for _, from := range []string{"stats", "state"} { // anything but an object is none
		var part map[string]json.RawMessage
		_ = json.Unmarshal(all[from], &part)
		maps.Copy(state, part)
	}
	var plain string
	if json.Unmarshal(inner, &plain) == nil && plain != "" {
		return []byte(plain), state, nil // a file that is no JSON object
	}
	if b := bytes.TrimSpace(inner); len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return nil, nil, errors.New("there is no credential in it")
	}
	return inner, state, nil
}

// oldName is the name of the file that a credential becomes.
func oldName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if !strings.HasSuffix(strings.ToLower(name), ".json") {
		name += ".json"
	}
	return name
}
