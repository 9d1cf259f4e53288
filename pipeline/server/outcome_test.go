package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/server"
	"gcli2api/pipeline/wire"
)

// The stages learn at the end what the status line said and when the answer began.
func TestOutcomeHasStatusAndFirstByte(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		call   step
		status int
		first  bool
	}{
		{"whole", `{"model":"m","messages":[]}`, func(x *pipeline.Exchange) pipeline.Verdict {
			x.Reply = pipeline.Reply{Body: []byte(finish)}
			return pipeline.Next
		}, 200, true},
		{"stream", chat, func(x *pipeline.Exchange) pipeline.Verdict {
			f := newFeed(x)
			go func() { f.events <- text("one"); f.events <- finish; close(f.events) }()
			x.Reply = pipeline.Reply{Stream: f}
			return pipeline.Next
		}, 200, true},
		{"refused", chat, func(x *pipeline.Exchange) pipeline.Verdict {
			return x.Fail(apierror.New(apierror.RateLimited, "slow down"))
		}, 429, false},
		{"whole and refused", `{"model":"m","messages":[]}`, func(x *pipeline.Exchange) pipeline.Verdict {
			return x.Fail(apierror.New(apierror.NoCredential, "none"))
		}, 503, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, server.Options{}, c.call)
			req, _ := http.NewRequest("POST", d.url("/v1/chat/completions"), strings.NewReader(c.body))
			req.Header.Set("Authorization", "Bearer pwd")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = content(t, resp.Body)
			resp.Body.Close()
			if o := <-d.ended; o.Status != c.status || o.Status != resp.StatusCode || (o.First > 0) != c.first || o.Began != c.first {
				t.Errorf("status %d (client got %d), first byte after %v, began %v", o.Status, resp.StatusCode, o.First, o.Began)
			}
		})
	}
}

// An answer that comes when its client has left never began: nobody pays for it.
func TestNothingBeginsForWhoHasLeft(t *testing.T) {
	for name, c := range map[string]struct {
		body  string
		reply func() pipeline.Reply
	}{
		"whole":              {`{"model":"m","messages":[]}`, func() pipeline.Reply { return pipeline.Reply{Body: []byte(finish)} }},
		"stream":             {chat, func() pipeline.Reply { return pipeline.Reply{Stream: &ready{finish}} }},
		"whole for a stream": {chat, func() pipeline.Reply { return pipeline.Reply{Body: []byte(finish)} }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			d := open(t, server.Options{}, func(x *pipeline.Exchange) pipeline.Verdict {
				leave()
				<-x.Context().Done() // and the answer is there all the same
				x.Reply = c.reply()
				return pipeline.Next
			})
			req, _ := http.NewRequestWithContext(ctx, "POST", d.url("/v1/chat/completions"), strings.NewReader(c.body))
			req.Header.Set("Authorization", "Bearer pwd")
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				t.Fatalf("status %d", resp.StatusCode)
			}
			if o := <-d.ended; o.Began || !o.Gone || o.Err == nil || o.Err.Code != apierror.ClientGone || o.First != 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// ready is a stream whose only event is there, whoever waits for it.
type ready struct{ event string }

func (r *ready) Next() (wire.Event, error) {
	if r.event == "" {
		return wire.Event{}, io.EOF
	}
	ev := wire.Event{Data: []byte(r.event)}
	r.event = ""
	return ev, nil
}

func (r *ready) Close() error { return nil }

// tally tells the test how every exchange ended.
func (d *desk) tally() pipeline.Kind {
	return pipeline.Kind{Name: "tally", New: pipeline.New("", func(string, *pipeline.Build) (pipeline.Stage, error) { return outcomes{d.ended}, nil })}
}

type outcomes struct{ to chan<- pipeline.Outcome }

func (outcomes) Process(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }

func (o outcomes) Record(x *pipeline.Exchange) {
	select {
	case o.to <- x.Outcome:
	default:
	}
}
