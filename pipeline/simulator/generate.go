package simulator

import "strings"

// assistGenerate is generateContent and streamGenerateContent of Code Assist: envelope, account, project, then as everywhere.
func (s *Server) assistGenerate(x *exchange, method string) {
	x.open()
	stream := method == "streamGenerateContent"
	a, f := s.bearer(x, "cloudcode-pa.googleapis.com")
	if f != nil {
		x.failAs(f, stream)
		return
	}
	if c, ok := s.cannedFor(assist, benchModel(x.body)); ok {
		x.can(c, benchModel(x.body), stream)
		return
	}
	tree, raw, f := x.decode(assist, "AssistGenerate")
	if f != nil {
		x.failAs(f, stream)
		return
	}
	name := str(tree, "model")
	x.note(func(c *Call) { c.Model = name })
	if f := s.mayUse(x, a, str(tree, "project"), "cloudcode-pa.googleapis.com"); f != nil {
		x.failAs(f, stream)
		return
	}
	m, ok := s.model(assist, name)
	switch {
	case name == "":
		x.failAs(badRequest("Request contains an invalid argument."), stream)
	case !ok || m.Preview && a.NoPreview:
		x.failAs(unknownModel(assist, name, method), stream)
	case child(tree, "request") == nil:
		x.failAs(badRequest("Request contains an invalid argument."), stream)
	default:
		received := child(raw, "request")
		r := newRequest(assist, m, child(tree, "request"), received)
		r.stream = stream
		s.generate(x, r, a.Fault)
	}
}

// publicGenerate is the same for AI Studio and Vertex, whose body is the request itself and whose path names the model.
func (s *Server) publicGenerate(x *exchange, d dialect, name string, at site) {
	x.open()
	stream := x.call.Verb == "streamGenerateContent"
	array := stream && x.r.URL.Query().Get("alt") != "sse"
	if c, ok := s.cannedFor(d, name); ok {
		x.can(c, name, stream)
		return
	}
	m, standing, f := s.publicModel(x, d, name, at)
	if f != nil {
		x.failAs(f, array)
		return
	}
	tree, raw, f := x.decode(d, "Request")
	if f != nil {
		x.failAs(f, array)
		return
	}
	r := newRequest(d, m, tree, raw)
	r.stream = stream
	s.generate(x, r, standing)
}

// publicModel recognises caller and model of a path with the model in it; standing is the fault that the caller always meets.
func (s *Server) publicModel(x *exchange, d dialect, name string, at site) (m Model, standing string, f *failure) {
	x.note(func(c *Call) { c.Model = name })
	if at.project != "" {
		a, f := s.bearer(x, aiplatform)
		if f == nil {
			f = s.mayUse(x, a, at.project, aiplatform)
		}
		if f != nil {
			return m, "", f
		}
		standing = a.Fault
	} else {
		k, f := s.apiKey(x, d)
		if f != nil {
			return m, "", f
		}
		standing = k.Fault
		x.note(func(c *Call) { c.Project = k.Project })
	}
	m, ok := s.model(d, name)
	if !ok || m.Embeds != (x.call.Verb == "embedContent" || x.call.Verb == "batchEmbedContents") {
		return m, "", unknownModel(d, name, x.call.Verb)
	}
	if at.project != "" && at.location != "global" && m.gemini3() && strings.Contains(m.Name, "preview") { // previews of the third generation are nowhere else
		return m, "", unknownModel(d, name, x.call.Verb)
	}
	return m, standing, nil
}

// generate checks the request, plays the fault that is due, and answers.
func (s *Server) generate(x *exchange, r *request, standing string) {
	if f := s.check(r); f != nil {
		x.failRequest(r, f)
		return
	}
	play, f := s.due(x, r, standing)
	var told *attempt
	if f == nil {
		told, f = s.tell(x, r, &play)
	}
	if f != nil {
		x.failRequest(r, f)
		return
	}
	if !x.pause(s.opts.Latency + play.before) {
		return
	}
	if play.failure != nil {
		x.failRequest(r, play.failure)
		return
	}
	var a *answer
	if told != nil {
		a = s.retell(r, &play, told)
	} else {
		a = s.answer(r, play)
	}
	out := &writer{x: x, request: r, answer: a, play: play, trace: random(8), id: random(12)}
	if r.stream {
		out.stream()
		return
	}
	out.unary()
}

// failRequest answers a generating call with an error; Code Assist puts it into an array on the stream endpoint, and so
// does AI Studio when no SSE was asked for.
func (x *exchange) failRequest(r *request, f *failure) {
	x.failAs(f, r.stream && (r.dialect == assist || x.r.URL.Query().Get("alt") != "sse"))
}
