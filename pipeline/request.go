package pipeline

import (
	"net"
	"slices"
	"strings"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// Verb is what a route asks for.
type Verb uint8

// The verbs of chat-side routes.
const (
	Generate Verb = iota
	Streaming
	Count
	Embed
	List
	Get
	Recall // a kept answer
	Forget // a kept answer
	verbs
)

// String names the verb as logs do.
func (v Verb) String() string {
	return [...]string{"generate", "stream", "count", "embed", "list", "get", "recall", "forget", "?"}[min(v, verbs)]
}

// Route is what the path says before anything else is known.
type Route struct {
	Format wire.Format
	Verb   Verb
	Array  bool // a Gemini stream as one JSON array instead of SSE
}

// Client gives lookups into the client's request. Strings and bytes stay valid until End.
type Client interface {
	Header(name string) string
	Query(name string) string
	// Body reads the whole body on first use, against the limit and the shared budget.
	Body() ([]byte, *apierror.Error)
}

// Request is what came in.
type Request struct {
	ID     string // exchange id, also in X-Request-Id
	Method string
	Path   string
	Route  Route
	Model  string // model named by the path, decoded; "" on OpenAI routes
	Kept   string // id of the kept answer that the path names
	Items  bool   // what led to that answer is asked for
	Peer   net.IP // address of the client
	Trial  bool   // only to find out who is let in: the body is not there, and nothing may be spent
	Client Client
}

// Header looks a request header up; "" when there is no client (tests) or no such header.
func (r *Request) Header(name string) string {
	if r.Client == nil {
		return ""
	}
	return r.Client.Header(name)
}

// Query looks a query parameter up, decoded.
func (r *Request) Query(name string) string {
	if r.Client == nil {
		return ""
	}
	return r.Client.Query(name)
}

// Body reads the body once; later calls give the same bytes.
func (r *Request) Body() ([]byte, *apierror.Error) {
	if r.Client == nil {
		return nil, apierror.New(apierror.BadRequest, "the request has no body")
	}
	return r.Client.Body()
}

// Fixed is a Client whose request is already in memory: for tests and for calls made by the gateway itself.
type Fixed struct {
	Headers map[string]string
	Queries map[string]string
	Data    []byte
}

// Header looks up a header by its exact name.
func (f Fixed) Header(name string) string { return f.Headers[name] }

// Query looks up a query parameter.
func (f Fixed) Query(name string) string { return f.Queries[name] }

// Body gives the data.
func (f Fixed) Body() ([]byte, *apierror.Error) { return f.Data, nil }

// Members are the top-level members of the body, checked and scanned once for all stages.
func (x *Exchange) Members() ([]wire.Member, *apierror.Error) {
	if x.scanned {
		return x.members, x.scanErr
	}
	x.scanned = true
	body, fail := x.In.Body()
	if fail == nil {
		x.members, fail = scan(body, x.members)
	}
	x.scanErr = fail
	return x.members, fail
}

// Scanned tells that somebody has asked for the members, so that nobody waits for the client who does it again.
func (x *Exchange) Scanned() bool { return x.scanned }

func scan(body []byte, room []wire.Member) ([]wire.Member, *apierror.Error) {
	if len(body) == 0 {
		return nil, apierror.New(apierror.BadRequest, "the request body is empty; a JSON object was expected")
	}
	m, err := wire.Scan(body, room)
	if err != nil && wire.KindOf(body) != wire.KindObject && wire.Check(body) == nil {
		return nil, apierror.New(apierror.BadRequest, "the request body must be a JSON object")
	}
	if err != nil {
		return nil, apierror.Newf(apierror.BadRequest, "the request body is not valid JSON: %v", err)
	}
	if at := wire.NotText(body); at >= 0 {
		return nil, apierror.Newf(apierror.BadRequest, "the request body is not UTF-8, or has half a surrogate pair, at byte %d", at)
	}
	return m, nil
}

// Member finds one top-level member of the body; nil when it is absent or the body is unreadable.
func (x *Exchange) Member(name string) []byte {
	members, fail := x.Members()
	if fail != nil {
		return nil
	}
	for i := range members {
		if string(members[i].Key) == name {
			return members[i].Value
		}
	}
	return nil
}

// maxModelName is more than any model has. Names are kept in tables and logs, where a client must
// not be able to store what it likes.
const maxModelName = 256

// AskedModel is the model name as the client gave it: by the path on a Gemini route and where one
// model is asked about, by the body else. A body that names it twice, or not at all, is refused, and
// so is a name that is too long to be one.
func (x *Exchange) AskedModel() (name string, fail *apierror.Error) {
	if x.In.Route.Format == wire.Gemini || x.In.Route.Verb == Get {
		name = x.In.Model
	} else if name, fail = x.modelInBody(); fail != nil {
		return "", fail
	}
	if len(name) > maxModelName {
		return "", apierror.Newf(apierror.BadRequest, "the model name is longer than %d bytes", maxModelName).Naming("model")
	}
	return name, nil
}

func (x *Exchange) modelInBody() (string, *apierror.Error) {
	members, fail := x.Members()
	if fail != nil {
		return "", fail
	}
	var found []byte
	for i := range members {
		if string(members[i].Key) != "model" {
			continue
		}
		if found != nil || members[i].Escaped {
			return "", apierror.New(apierror.BadRequest, `"model" is given twice, or with an escaped name`).Naming("model")
		}
		found = members[i].Value
	}
	if found == nil {
		return "", apierror.New(apierror.BadRequest, `"model" is missing: name the model as a string`).Naming("model")
	}
	name, ok := wire.Text(found)
	if !ok || name == "" {
		return "", apierror.New(apierror.BadRequest, `"model" must be a non-empty string`).Naming("model")
	}
	return name, nil
}

// AsksStream says whether the client wants events: by the path on a Gemini route, by the body's "stream"
// member on any other that generates.
func (x *Exchange) AsksStream() (bool, *apierror.Error) {
	if x.In.Route.Format == wire.Gemini || x.In.Route.Verb != Generate {
		return x.In.Route.Verb == Streaming, nil
	}
	v := x.Member("stream")
	on, ok := wire.Bool(v)
	if v != nil && !ok && wire.KindOf(v) != wire.KindNull {
		return false, apierror.New(apierror.BadRequest, `"stream" must be true or false`).Naming("stream")
	}
	return on, nil
}

// maxDropped is how many parameters are told by name.
const maxDropped = 16

// Dropped tells the client in X-Dropped-Params that a parameter was left out, once however many
// calls leave it out. A request to Google that is written again says the same again.
func (x *Exchange) Dropped(name string) { x.tell(wire.HeaderSafe(name)) }

// Changed is Dropped for a parameter that was not left out but got another value: "topK=64".
func (x *Exchange) Changed(name, value string) {
	x.tell(wire.HeaderSafe(name) + "=" + wire.HeaderSafe(value))
}

func (x *Exchange) tell(what string) {
	const header, more = "X-Dropped-Params", "more"
	told := x.Header.Get(header)
	if told == "" {
		x.Header.Set(header, what)
		return
	}
	names := strings.Split(told, ", ")
	if len(names) >= maxDropped {
		what = more
	}
	if !slices.Contains(names, what) && names[len(names)-1] != more {
		x.Header.Set(header, told+", "+what)
	}
}
