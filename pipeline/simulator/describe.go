package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Description is the answer to a prompt that begins with !describe: one line of JSON about what arrived.
type Description struct {
	Model            string         `json:"model"`
	Backend          string         `json:"backend"`
	Stream           bool           `json:"stream"`
	System           string         `json:"system"`
	Roles            []string       `json:"roles"`
	Texts            []string       `json:"texts"` // text of each content, its text parts joined by line ends
	Parts            [][]string     `json:"parts"` // data field of each part of each content; "thought" for text marked so
	Images           []Image        `json:"images"`
	GenerationConfig map[string]any `json:"generationConfig"` // as received
	Tools            []string       `json:"tools"`            // names of functions, then of built-in tools
	Schemas          map[string]any `json:"schemas"`          // parameters by function, as read
	Calling          string         `json:"calling"`          // mode of functionCallingConfig
	Mixed            bool           `json:"mixed"`            // toolConfig.includeServerSideToolInvocations
	Allowed          []string       `json:"allowed"`
	Calls            []string       `json:"calls"`     // function calls in the history: name and arguments
	Responses        []string       `json:"responses"` // function results in the history: name and response
	Signed           int            `json:"signed"`    // parts with a thought signature
	Safety           []any          `json:"safety"`
	ThinkingConfig   map[string]any `json:"thinkingConfig"`
	Members          []string       `json:"members"` // names at the top level of the request, as received
}

// Image is an inline blob as it arrived.
type Image struct {
	MIME   string `json:"mime"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func describe(r *request) Description {
	d := Description{
		Model: r.model.Name, Backend: string(r.dialect.backend()), Stream: r.stream, Roles: []string{}, Texts: []string{},
		Parts: [][]string{}, Images: []Image{}, Tools: []string{}, Calling: r.calling.mode, Mixed: r.calling.mixed, Allowed: r.calling.allowed,
		Safety: r.safety, ThinkingConfig: r.thinking, GenerationConfig: received(r.received, "generationConfig"),
		System: content{parts: r.system}.text(),
	}
	for _, c := range r.contents {
		d.Roles = append(d.Roles, c.role)
		d.Texts = append(d.Texts, c.text())
		kinds := []string{}
		for _, p := range c.parts {
			kinds = append(kinds, d.part(p))
		}
		d.Parts = append(d.Parts, kinds)
	}
	for _, f := range r.tools.declared {
		d.Tools = append(d.Tools, f.name)
		if f.schema != nil {
			if d.Schemas == nil {
				d.Schemas = map[string]any{}
			}
			d.Schemas[f.name] = f.schema
		}
	}
	d.Tools = append(d.Tools, r.tools.builtIn...)
	for name := range r.received {
		d.Members = append(d.Members, name)
	}
	slices.Sort(d.Members)
	return d
}

// part notes what is worth knowing of one part and gives its kind.
func (d *Description) part(p part) string {
	if p.signature != "" {
		d.Signed++
	}
	switch p.kind {
	case "inlineData":
		sum := sha256.Sum256(p.data)
		d.Images = append(d.Images, Image{MIME: p.mime, Bytes: len(p.data), SHA256: hex.EncodeToString(sum[:])})
	case "functionCall":
		d.Calls = append(d.Calls, p.name+" "+string(encode(p.value)))
	case "functionResponse":
		d.Responses = append(d.Responses, p.name+" "+string(encode(p.value)))
	}
	if p.thought {
		return "thought"
	}
	return p.kind
}

// received finds a member of an object as it arrived, in either spelling.
func received(o object, name string) object {
	if c := child(o, name); c != nil {
		return c
	}
	return child(o, snake(name))
}
