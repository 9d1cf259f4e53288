// Package upstream calls Google with the leased credential.
//
// The kind of the credential chooses a dialect: it writes the untouched call the way its backend
// takes it, member by member, at each attempt anew. Each outcome is reported to the lease at once,
// also from inside a stream.
package upstream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"

	"github.com/valyala/fasthttp"
)

// Dialect is how one kind of backend is spoken to.
type Dialect interface {
	// Prepare writes address, headers and body of the call for the exchange's lease. The body is
	// written into buf, which is lent until the call was sent.
	Prepare(req *outbound.Request, buf *wire.Buffer, x *pipeline.Exchange) *apierror.Error
	// Unwrap cuts the envelope off a reply or event; false when it carries nothing (keep reading).
	Unwrap(data []byte) ([]byte, bool)
}

// Clients are the dialects by the kind of credential, and the way out.
type Clients struct {
	Caller   func() outbound.Caller // asked at each call; a credential may have a proxy of its own
	Dialects map[string]Dialect     // by Lease.Kind
}

// Settings is the [stage.upstream] table.
type Settings struct{}

// Kind describes the stage to the registry.
func Kind(c Clients) pipeline.Kind {
	return pipeline.Kind{
		Name:  "upstream",
		Does:  "calls Google with the credential and reads the answer",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed},
		Needs: []pipeline.Fact{pipeline.HasModel, pipeline.HasCall, pipeline.HasLease},
		Gives: []pipeline.Fact{pipeline.HasReply},
		New: pipeline.New(Settings{}, func(Settings, *pipeline.Build) (pipeline.Stage, error) {
			return &stage{clients: c}, nil
		}),
	}
}

// maxReply bounds an answer that is read whole; maxError the body of an error.
const (
	maxReply = 256 << 20
	maxError = 1 << 20
)

type stage struct {
	clients Clients
	calls   sync.Pool // *call
}

// call is what a call is made of: used again for later ones. The buffer holds the request until it
// is sent, and then an answer that comes in one piece.
type call struct {
	req outbound.Request
	buf wire.Buffer
}

type callKey struct{}

func (s *stage) newCall() *call {
	if c, ok := s.calls.Get().(*call); ok {
		return c
	}
	return new(call)
}

func (s *stage) giveBack(c *call) {
	c.req.Reset()
	wire.Buffers.Put(&c.buf)
	s.calls.Put(c)
}

// Process makes one call.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	d := s.clients.Dialects[x.Lease.Kind()]
	if d == nil {
		return x.Fail(apierror.Newf(apierror.Internal, "no upstream client serves credentials of kind %q", x.Lease.Kind()))
	}
	s.End(x) // of an earlier attempt
	c := s.newCall()
	wire.Buffers.Lend(&c.buf, x.Call.Size()+512)
	if fail := prepare(d, c, x); fail != nil {
		s.giveBack(c)
		return x.Fail(fail)
	}
	c.req.Via(x.Lease.Proxy())
	x.Try()
	resp, err := s.clients.Caller().Do(x.Context(), &c.req)
	events := x.Events()
	if err == nil && resp.Status == fasthttp.StatusOK && !events {
		return s.whole(x, d, c, resp)
	}
	s.giveBack(c)
	switch {
	case err != nil:
		return failed(x, explain(x.Context(), err))
	case resp.Status != fasthttp.StatusOK:
		fail := refusal(resp)
		if mended(x, fail) {
			x.Report(fail)
			return s.Process(x)
		}
		return failed(x, named(x, fail))
	}
	x.Reply.Stream = newEvents(x, d, resp)
	return pipeline.Next
}

// failed reports the outcome to the lease and makes it the reply.
func failed(x *pipeline.Exchange, f *apierror.Error) pipeline.Verdict {
	x.Report(f)
	return x.Fail(f)
}

// named says which model Google does not know, where Google does not: the client may have mistyped a feature.
func named(x *pipeline.Exchange, f *apierror.Error) *apierror.Error {
	if f.Code == apierror.ModelNotFound && !strings.Contains(f.Message, x.Model.Base) {
		f.Message += fmt.Sprintf(" (model %q)", x.Model.Base)
	}
	return f
}

// explain keeps a client that left apart from a Google that failed.
func explain(ctx context.Context, err error) *apierror.Error {
	if ctx.Err() != nil {
		return apierror.Wrap(apierror.ClientGone, "the request was cancelled", err)
	}
	return outbound.Explain(err) // it knows what came from Google and what is of our own making
}

// refusal reads the body of an error answer.
func refusal(resp *outbound.Response) *apierror.Error {
	defer resp.Body.Close()
	after := resp.Header("Retry-After")
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	return gemini.ParseError(resp.Status, after, body, time.Now())
}

// whole reads an answer that comes in one piece; it stays in the call's buffer until End.
func (s *stage) whole(x *pipeline.Exchange, d Dialect, c *call, resp *outbound.Response) pipeline.Verdict {
	defer resp.Body.Close()
	x.Keep(callKey{}, c)
	if size := int(min(resp.Length, 1<<20)); size > cap(c.buf.B) {
		wire.Buffers.Put(&c.buf)
		wire.Buffers.Lend(&c.buf, size)
	}
	c.buf.B = c.buf.B[:0]
	if err := slurp(&c.buf, resp.Body); err != nil {
		return failed(x, explain(x.Context(), err))
	}
	body, g, f := look(d, bytes.TrimSpace(c.buf.B))
	if v := x.In.Route.Verb; f == nil && v != pipeline.Count && v != pipeline.Embed {
		f = pipeline.Empty(&g)
	}
	if f != nil {
		return failed(x, f)
	}
	x.Report(nil)
	x.Reply.Body, x.Reply.Usage = body, g.Usage
	return pipeline.Next
}

// look is open for an answer in one piece, with what it says. One that has no envelope and is an
// answer at first sight is read only once.
func look(d Dialect, data []byte) ([]byte, gemini.Glance, *apierror.Error) {
	hub, ok := d.Unwrap(data)
	if ok && len(hub) == len(data) && wire.KindOf(data) == wire.KindObject && data[len(data)-1] == '}' {
		if g := gemini.Look(data); g.Candidates > 0 && g.Error == nil {
			return data, g, nil
		}
	}
	hub, f := open(d, data)
	switch {
	case f != nil:
		return nil, gemini.Glance{}, f
	case hub == nil:
		return nil, gemini.Glance{}, unreadable()
	}
	return hub, gemini.Look(hub), nil
}

// open cuts the envelope off a reply or event, or finds the error that Google put into a 200
// (protocol 4.5, 5.6). Both are nil for an envelope with nothing in it.
func open(d Dialect, data []byte) ([]byte, *apierror.Error) {
	data = bytes.TrimSpace(data)
	if isError(data) {
		return nil, gemini.ParseError(0, "", data, time.Now())
	}
	hub, ok := d.Unwrap(data)
	switch {
	case ok && wire.KindOf(hub) == wire.KindObject && hub[len(hub)-1] == '}':
		return hub, nil
	case ok || wire.KindOf(data) != wire.KindObject || wire.Check(data) != nil:
		return nil, unreadable()
	}
	return nil, nil
}

// isError tells Google's own error from an answer: an object with that member, or a list, which
// nothing else comes as. The first look is for the quick way past: answers do not have the word.
func isError(data []byte) bool {
	if wire.KindOf(data) == wire.KindArray {
		return wire.Get(firstOf(data), "error") != nil
	}
	if !bytes.Contains(data, []byte(`"error"`)) {
		return false
	}
	k := wire.KindOf(wire.Get(data, "error"))
	return k != wire.KindNone && k != wire.KindNull
}

func firstOf(list []byte) []byte {
	a := wire.ArrayOf(list)
	a.Next()
	return a.Value
}

func unreadable() *apierror.Error {
	f := apierror.New(apierror.UpstreamUnavailable, "Google sent something that cannot be read")
	f.Upstream, f.Said = true, &apierror.Said{HTTP: 200, HTML: true}
	return f
}

// slurp reads r to its end into buf.
func slurp(buf *wire.Buffer, r io.Reader) error {
	for {
		if len(buf.B) == cap(buf.B) {
			buf.B = append(buf.B, 0)[:len(buf.B)]
		}
		n, err := r.Read(buf.B[len(buf.B):cap(buf.B)])
		buf.B = buf.B[:len(buf.B)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(buf.B) > maxReply {
			return outbound.ErrMalformed
		}
	}
}

// End returns the buffer of the answer; the engine has closed the stream by then.
func (s *stage) End(x *pipeline.Exchange) {
	if c, ok := x.Note(callKey{}).(*call); ok {
		x.Keep(callKey{}, nil)
		s.giveBack(c)
	}
}
