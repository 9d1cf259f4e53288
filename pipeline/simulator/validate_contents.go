package simulator

import (
	"bytes"
	"fmt"
	"strings"
)

func checkContents(r *request) *failure {
	if len(r.contents) == 0 {
		return r.refuse("contents", "contents is not specified")
	}
	for i, c := range r.contents {
		where := fmt.Sprintf("contents[%d]", i)
		switch {
		case c.role == "" && r.dialect != studio, c.role != "" && c.role != "user" && c.role != "model" && c.role != "function":
			return r.plain("Please use a valid role: user, model.")
		case len(c.parts) == 0:
			return r.refuse(where+".parts", "contents.parts must not be empty.")
		}
		if f := r.checkParts(where, c); f != nil {
			return f
		}
	}
	return r.checkSystem()
}

func (r *request) checkParts(where string, c content) *failure {
	empty := true
	for i, p := range c.parts {
		place := fmt.Sprintf("%s.parts[%d]", where, i)
		if p.kind == "" {
			return r.refuse(place+".data", "required oneof field 'data' must have one initialized field")
		}
		if p.kind != "text" || p.text != "" || p.signature != "" {
			empty = false
		}
		if f := r.checkPart(place, c.role, p); f != nil {
			return f
		}
	}
	if empty {
		return r.plain("Unable to submit request because it must have a text parameter. Add a text parameter and try again.")
	}
	return nil
}

func (r *request) checkPart(place, role string, p part) *failure {
	switch p.kind {
	case "inlineData":
		return r.checkBlob(place, p)
	case "fileData":
		return r.checkFile(place, p)
	case "functionCall":
		if role != "model" {
			return r.plain("Please ensure that function call turns have the role model.")
		}
		if p.name == "" {
			return r.refuse(place+".function_call.name", "Name cannot be empty.")
		}
	case "functionResponse":
		if role == "model" {
			return r.plain("Please ensure that function response turns have the role user.")
		}
		if p.name == "" {
			return r.refuse(place+".function_response.name", "Name cannot be empty.")
		}
		if p.value == nil {
			return r.refuse(place+".function_response.response", "Response cannot be empty.")
		}
	}
	return nil
}

// checkBlob looks at the kind of an inline blob and at the first bytes of a picture: Google opens it.
func (r *request) checkBlob(place string, p part) *failure {
	if p.mime == "" {
		return r.refuse(place+".inline_data.mime_type", "mime_type must be specified.")
	}
	if len(p.data) == 0 {
		return r.refuse(place+".inline_data.data", "Unable to process input image: no data.")
	}
	heads := map[string]string{"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff", "image/webp": "RIFF"}
	if head, ok := heads[p.mime]; ok {
		if !bytes.HasPrefix(p.data, []byte(head)) {
			return r.plain("Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting")
		}
		return nil
	}
	kind, _, _ := strings.Cut(p.mime, "/")
	switch {
	case p.mime == "image/heic", p.mime == "image/heif", p.mime == "application/pdf", p.mime == "application/json":
	case kind == "audio", kind == "video", kind == "text":
	default:
		return r.plain("Unsupported MIME type: %s", p.mime)
	}
	return nil
}

// checkFile: each back end takes files from another place, Code Assist from none.
func (r *request) checkFile(place string, p part) *failure {
	youtube := strings.Contains(p.uri, "youtube.com/") || strings.Contains(p.uri, "youtu.be/")
	ok := false
	switch r.dialect {
	case studio:
		ok = youtube || strings.Contains(p.uri, "/files/")
	case vertex:
		ok = youtube || strings.HasPrefix(p.uri, "gs://") || strings.HasPrefix(p.uri, "https://")
	}
	if !ok {
		return r.refuse(place+".file_data.file_uri", "Invalid or unsupported file uri: %s", p.uri)
	}
	return nil
}

func (r *request) checkSystem() *failure {
	if r.systemIn == nil {
		return nil
	}
	if len(r.system) == 0 {
		return r.refuse("system_instruction.parts", "system_instruction.parts must not be empty.")
	}
	for i, p := range r.system {
		if p.kind != "text" {
			return r.refuse(fmt.Sprintf("system_instruction.parts[%d]", i), "System instruction only supports text parts.")
		}
	}
	return nil
}

// checkTurns holds the order of a conversation: it begins with the user, and every turn with N function calls is followed
// directly by one turn with exactly their N responses.
func checkTurns(r *request) *failure {
	if r.contents[0].role == "model" {
		return r.plain("Please ensure that multiturn requests alternate between user and model, and begin with a user turn.")
	}
	for i, c := range r.contents {
		calls := c.count("functionCall")
		if calls > 0 && r.contents[i-1].role == "model" {
			return r.plain("Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
		}
		if responses := c.count("functionResponse"); responses > 0 && (i == 0 || !r.contents[i-1].has("functionCall")) {
			return r.plain("Please ensure that function response turn comes immediately after a function call turn.")
		}
		if calls > 0 {
			if f := r.checkResponses(i, calls); f != nil {
				return f
			}
		}
	}
	if last := r.contents[len(r.contents)-1]; last.role == "model" && r.model.gemini3() {
		return r.plain("Please ensure that the last turn has the role user.")
	}
	return nil
}

func (r *request) checkResponses(i, calls int) *failure {
	count := "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."
	if i+1 >= len(r.contents) {
		return r.plain("%s", count)
	}
	var asked, answered []part
	for _, p := range r.contents[i].parts {
		if p.kind == "functionCall" {
			asked = append(asked, p)
		}
	}
	for _, p := range r.contents[i+1].parts {
		if p.kind == "functionResponse" {
			answered = append(answered, p)
		}
	}
	if len(answered) != calls {
		return r.plain("%s", count)
	}
	for n := range asked {
		// An id may be left out of the response: Google's own Python client does so.
		if asked[n].name != answered[n].name || answered[n].id != "" && asked[n].id != answered[n].id {
			return r.plain("Please ensure that function responses are in the order of the function calls and have their names and ids: %q (id %q) stands where %q (id %q) is due.",
				answered[n].name, answered[n].id, asked[n].name, asked[n].id)
		}
	}
	return nil
}
