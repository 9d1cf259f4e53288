package server

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// target is what a path means on the chat side.
type target struct {
	route  pipeline.Route
	model  string
	kept   string // id of a kept answer
	items  bool   // what led to it is asked for
	method string // the one method this path takes, besides DELETE on a kept answer
}

// geminiVerb is the method behind the colon. Google has more of them than the gateway serves; those
// get a clear 501 instead of a 404.
func geminiVerb(name string) (pipeline.Verb, bool) {
	switch {
	case sameFold(name, "generateContent"):
		return pipeline.Generate, true
	case sameFold(name, "streamGenerateContent"):
		return pipeline.Streaming, true
	case sameFold(name, "countTokens"):
		return pipeline.Count, true
	case sameFold(name, "embedContent"), sameFold(name, "batchEmbedContents"):
		return pipeline.Embed, true
	}
	return 0, false
}

// cleanPath decodes a raw path once and folds doubled slashes, so that every later decision sees one
// spelling: what is encoded twice stays encoded once, "+" is a plus, ";" has no meaning. Fixed parts
// are compared without case (clients disagree), model names with it. Dot segments are never resolved,
// because a proxy in front may see them otherwise: no path has them.
func cleanPath(raw []byte) (string, *apierror.Error) {
	if plainPath(raw) {
		return string(raw), nil
	}
	out, fail := decodePath(raw)
	if fail != nil {
		return "", fail
	}
	if len(out) > 1 && out[len(out)-1] == '/' {
		out = out[:len(out)-1]
	}
	path := string(out)
	switch {
	case !utf8.ValidString(path):
		return "", apierror.New(apierror.BadRequest, "the path is not UTF-8")
	case strings.IndexFunc(path, unicode.IsControl) >= 0:
		return "", apierror.New(apierror.BadRequest, "the path holds a control character")
	case dotted(path):
		return "", apierror.New(apierror.NotFound, "there is no such path: dot segments are not resolved")
	}
	return path, nil
}

// decodePath takes the percent escapes out, and every slash behind a slash.
func decodePath(raw []byte) ([]byte, *apierror.Error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) || unhex(raw[i+1]) > 15 || unhex(raw[i+2]) > 15 {
				return nil, apierror.New(apierror.BadRequest, "the path holds a broken percent escape")
			}
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		if c != '/' || len(out) == 0 || out[len(out)-1] != '/' {
			out = append(out, c)
		}
	}
	return out, nil
}

// plainPath tells a path that is clean as it stands.
func plainPath(raw []byte) bool {
	last := byte(0)
	for _, c := range raw {
		if c < 0x20 || c >= 0x7f || c == '%' || last == '/' && (c == '/' || c == '.') {
			return false
		}
		last = c
	}
	return len(raw) > 0 && raw[0] == '/' && (last != '/' || len(raw) == 1)
}

// dotted tells whether a segment is "." or "..".
func dotted(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// sameFold compares fixed parts whatever the case of their letters. strings.EqualFold would take a
// long s for an s, of another length.
func sameFold(s, fixed string) bool {
	if len(s) != len(fixed) {
		return false
	}
	for i := range len(s) {
		a, b := s[i], fixed[i]
		if a != b && (a|0x20 != b|0x20 || b|0x20 < 'a' || b|0x20 > 'z') {
			return false
		}
	}
	return true
}

// cutFold removes a prefix whatever its case.
func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && sameFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// geminiPrefix cuts one of the four version prefixes of behaviour 2.3.
func geminiPrefix(path string) (string, bool) {
	for _, p := range []string{"/v1/v1beta", "/v1/v1", "/v1beta", "/v1"} {
		if rest, ok := cutFold(path, p); ok {
			if sameFold(rest, "/models") || len(rest) > 8 && sameFold(rest[:8], "/models/") {
				return rest[7:], true
			}
		}
	}
	return "", false
}

// listingPrefix cuts the prefixes of the OpenAI model listing.
func listingPrefix(path string) (rest string, ok bool) {
	if strings.IndexByte(path, ':') >= 0 { // a verb
		return "", false
	}
	for _, p := range []string{"/v1beta/openai/models", "/v1/openai/models", "/openai/v1/models", "/models", "/v1/models"} {
		if rest, ok = cutFold(path, p); ok && (rest == "" || rest[0] == '/') {
			return rest, true
		}
	}
	return "", false
}

// caller is what the head of a request tells about the family that its client belongs to. On paths
// that several families own, it decides.
type caller struct {
	gemini    bool // authenticates the way Google's SDKs do
	anthropic bool // names a version of Anthropic's API
	deletes   bool // the method is DELETE
}

// resolve says what a cleaned path means.
func resolve(path string, c caller) (target, *apierror.Error) {
	if t, ok, fail := openAITarget(path, c); ok {
		return t, fail
	}
	if t, ok := anthropicTarget(path); ok {
		return t, nil
	}
	rest, gemini := geminiPrefix(path)
	if listing, ok := listingPrefix(path); ok && !(gemini && c.gemini) {
		if c.anthropic {
			return listTarget(wire.Anthropic, listing), nil
		}
		return listTarget(wire.OpenAI, listing), nil
	}
	if !gemini {
		return unserved(path, c)
	}
	return geminiTarget(rest)
}

func listTarget(f wire.Format, rest string) target {
	t := target{route: pipeline.Route{Format: f, Verb: pipeline.List}, method: "GET"}
	if name := strings.TrimPrefix(rest, "/"); name != "" {
		t.route.Verb, t.model = pipeline.Get, name
	}
	return t
}

// geminiTarget reads what follows ".../models": nothing, "/name" or "/name:verb".
func geminiTarget(rest string) (target, *apierror.Error) {
	colon := strings.LastIndexByte(rest, ':')
	if colon < 0 {
		return listTarget(wire.Gemini, rest), nil
	}
	verb, ok := geminiVerb(rest[colon+1:])
	if !ok {
		return target{route: pipeline.Route{Format: wire.Gemini}}, apierror.Newf(apierror.Unsupported,
			"the method %q is not served; generateContent, streamGenerateContent, countTokens, embedContent and batchEmbedContents are", clip(rest[colon+1:]))
	}
	name := strings.TrimPrefix(rest[:colon], "/")
	if name == "" {
		return target{route: pipeline.Route{Format: wire.Gemini}}, apierror.New(apierror.BadRequest, "the path names no model")
	}
	return target{route: pipeline.Route{Format: wire.Gemini, Verb: verb}, model: name, method: "POST"}, nil
}

// clip keeps what a client sent short enough for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// familyOf guesses the family of a path that led nowhere, for the shape of its error. It may be one
// that could not be decoded.
func familyOf(path string) wire.Format {
	path = strings.ToLower(path)
	switch {
	case strings.Contains(path, "/openai"):
		return wire.OpenAI
	case strings.Contains(path, "/messages"), strings.Contains(path, "/anthropic"):
		return wire.Anthropic
	case strings.Contains(path, "/v1beta"), strings.Contains(path, "/models") && (strings.Contains(path, ":") || strings.Contains(path, "%3a")):
		return wire.Gemini
	}
	return wire.OpenAI
}

// shapeOf is a path for the log: enough to see a wrong base address, nothing that a client may have
// put into it. Words of the APIs stay, whatever else stands between slashes is a star.
func shapeOf(path string) string {
	var b strings.Builder
	for i, part := range strings.Split(path, "/") {
		if i > 12 {
			return b.String() + "/..."
		}
		if i > 0 {
			b.WriteByte('/')
		}
		name, verb, has := strings.Cut(part, ":")
		b.WriteString(wordOf(name))
		if has {
			b.WriteString(":" + wordOf(verb))
		}
	}
	return b.String()
}

func wordOf(part string) string {
	switch part {
	case "", "count_tokens", "input_items", "anthropic", "v1", "v1alpha", "v1beta", "v1internal", "api", "openai", "chat", "completions", "models", "messages", "responses", "embeddings",
		"images", "generations", "edits", "audio", "speech", "transcriptions", "files", "upload", "batches", "moderations", "assistants",
		"threads", "cachedContents", "tunedModels", "corpora", "operations", "generateContent", "streamGenerateContent", "countTokens",
		"embedContent", "batchEmbedContents", "predict", "generateAnswer", "health", "keepalive", "creds", "usage", "pipeline", "favicon.ico":
		return part
	}
	return "*"
}
