package simulator

import (
	"maps"
	"slices"
	"strings"
)

// assistCount is countTokens of Code Assist: no model or project at the top, and the answer is not wrapped.
func (s *Server) assistCount(x *exchange) {
	a, f := s.bearer(x, "cloudcode-pa.googleapis.com")
	if f != nil {
		x.fail(f)
		return
	}
	tree, raw, f := x.decode(assist, "AssistCount")
	if f != nil {
		x.fail(f)
		return
	}
	in := child(tree, "request")
	name, prefixed := strings.CutPrefix(str(in, "model"), "models/")
	x.note(func(c *Call) { c.Model = name })
	m, ok := s.model(assist, name)
	switch {
	case in == nil || !prefixed:
		x.fail(badRequest("Request contains an invalid argument."))
	case x.r.Header.Get("X-Goog-User-Project") != "":
		x.fail(serviceDisabled("cloudcode-pa.googleapis.com", "Cloud Code Private API", x.r.Header.Get("X-Goog-User-Project")))
	case !ok || m.Preview && a.NoPreview:
		x.fail(unknownModel(assist, name, "countTokens"))
	default:
		s.count(x, newRequest(assist, m, in, child(raw, "request")), a.Fault)
	}
}

// publicCount is countTokens of AI Studio and Vertex.
func (s *Server) publicCount(x *exchange, d dialect, name string, at site) {
	m, standing, f := s.publicModel(x, d, name, at)
	if f != nil {
		x.fail(f)
		return
	}
	message := "StudioCount"
	if d == vertex {
		message = "VertexCount"
	}
	tree, raw, f := x.decode(d, message)
	if f != nil {
		x.fail(f)
		return
	}
	if inner := child(tree, "generateContentRequest"); inner != nil {
		if len(items(tree, "contents")) > 0 {
			x.fail(badRequest("Only one of contents and generate_content_request can be set."))
			return
		}
		tree, raw = inner, received(raw, "generateContentRequest")
	}
	s.count(x, newRequest(d, m, tree, raw), standing)
}

// count answers with the number of tokens. The contents are checked; the order of turns and signatures are not.
func (s *Server) count(x *exchange, r *request, standing string) {
	f := checkContents(r)
	var p play
	if f == nil {
		p, f = s.due(x, r, standing)
	}
	if f == nil && x.pause(p.before) {
		f = p.failure
	}
	if f != nil {
		x.fail(f)
		return
	}
	text, blobs := r.promptTokens()
	answer := object{"totalTokens": text + blobs}
	if r.dialect != assist {
		details := []byKind{{"TEXT", text}}
		if blobs > 0 {
			details = append(details, byKind{"IMAGE", blobs})
		}
		answer["promptTokensDetails"] = details
	}
	x.json(answer)
}

func (s *Server) embedFault(x *exchange, standing string) *failure {
	words, ok := s.take(x.call.Credential, x.call.Model, x.call.Verb)
	if !ok {
		words = standing
	}
	if words == "" {
		return nil
	}
	p, _ := s.parse(words, studio, x.call.Model)
	x.note(func(c *Call) { c.Fault = words })
	return x.suffer(p)
}

func (s *Server) listModels(x *exchange) {
	k, f := s.apiKey(x, studio)
	if f == nil {
		f = x.checkQuery()
	}
	if f == nil {
		f = s.embedFault(x, k.Fault)
	}
	if f != nil {
		x.fail(f)
		return
	}
	var all []object
	for _, name := range s.names {
		if m := s.models[name]; m.servedBy(AIStudio) {
			all = append(all, m.listing())
		}
	}
	size := x.r.URL.Query().Get("pageSize")
	if size == "" {
		size = "50"
	}
	page, next, f := paginate(all, size, x.r.URL.Query().Get("pageToken"))
	if f != nil {
		x.fail(f)
		return
	}
	answer := object{"models": page}
	if next != "" {
		answer["nextPageToken"] = next
	}
	x.json(answer)
}

func (s *Server) getModel(x *exchange, name string) {
	_, f := s.apiKey(x, studio)
	m, ok := s.models[name]
	if f == nil && !(ok && m.servedBy(AIStudio)) {
		f = unknownModel(studio, name, "GetModel")
		f.message = "Model is not found: models/" + name + " for api version v1beta"
	}
	if f != nil {
		x.fail(f)
		return
	}
	x.json(m.listing())
}

// listing is the entry of a model in AI Studio's list.
func (m Model) listing() object {
	methods := []string{"generateContent", "countTokens", "createCachedContent", "batchGenerateContent"}
	entry := object{"name": "models/" + m.Name, "version": "001", "displayName": strings.ReplaceAll(m.Name, "-", " "),
		"description": "Simulated " + m.Name, "inputTokenLimit": 1048576, "outputTokenLimit": 65536,
		"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
	if m.thinks() {
		entry["thinking"] = true
	}
	if m.Embeds {
		methods = []string{"embedContent", "batchEmbedContents"}
		entry["inputTokenLimit"], entry["outputTokenLimit"] = 2048, 1
		maps.DeleteFunc(entry, func(k string, _ any) bool {
			return slices.Contains([]string{"temperature", "topP", "topK", "maxTemperature"}, k)
		})
	}
	if m.Methods != nil {
		methods = m.Methods
	}
	entry["supportedGenerationMethods"] = methods
	return entry
}
