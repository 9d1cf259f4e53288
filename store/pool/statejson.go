package pool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// decode reads a state and keeps what it does not know.
func (m *Memory) decode(body []byte) (s State, err error) {
	if err = json.Unmarshal(body, &s); err != nil {
		return State{}, fmt.Errorf("it is no state: %w", err)
	}
	var all map[string]json.RawMessage
	if err = json.Unmarshal(body, &all); err != nil {
		return State{}, fmt.Errorf("it is no state: %w", err)
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return m.names[name] })
	if len(all) > 0 {
		s.more = all
	}
	return s, nil
}

// stateNames are the members that State has in JSON.
func stateNames() map[string]bool {
	names := map[string]bool{}
	for f := range reflect.TypeFor[State]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// MarshalJSON writes a state with what a newer version has in it.
func (s State) MarshalJSON() ([]byte, error) {
	type plain State
	body, err := json.Marshal(plain(s))
	if err != nil || len(s.more) == 0 {
		return body, err
	}
	more, err := json.Marshal(s.more)
	if err != nil {
		return nil, err
	}
	return append(append(bytes.TrimSuffix(body, []byte("}")), ','), more[1:]...), nil
}
