// Package codeassist speaks to Gemini Code Assist: the v1internal methods with their envelope.
//
// An unknown member anywhere is a 400 there, so the call is written member by member against an
// allow-list (protocol 3.2, 3.3); the call itself stays as it is for an attempt with another kind.
package codeassist

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Settings are asked at each call, so that a changed address counts at once.
type Settings interface {
	CodeAssist() string            // base address without a trailing slash
	UserAgent(model string) string // whole header (protocol 3.1)
}

// New makes the dialect.
func New(s Settings) *Dialect { return &Dialect{s} }

// Dialect is the dialect of Code Assist.
type Dialect struct{ settings Settings }

// Prepare writes the envelope around the call.
func (d *Dialect) Prepare(req *outbound.Request, buf *wire.Buffer, x *pipeline.Exchange) *apierror.Error {
	if x.In.Route.Verb == pipeline.Embed {
		return apierror.New(apierror.Unsupported, "Code Assist makes no embeddings: they need an API key of Google AI Studio")
	}
	req.To(d.settings.CodeAssist(), method(x))
	req.Set("Authorization", "Bearer ", x.Lease.Token())
	req.Set("Content-Type", "application/json")
	req.Set("User-Agent", strings.Map(printable, d.settings.UserAgent(x.Model.Base)))
	if x.In.Route.Verb == pipeline.Count {
		buf.B = appendCount(buf.B, x)
	} else {
		buf.B = appendEnvelope(buf.B, x)
	}
	req.Body = buf.B
	return nil
}

// printable keeps a header to what every server takes; a model may be called anything.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '_'
	}
	return r
}

func appendEnvelope(dst []byte, x *pipeline.Exchange) []byte {
	name := wireName(x.Model.Base)
	dst = wire.AppendQuoted(append(dst, `{"model":`...), name)
	dst = wire.AppendQuoted(append(dst, `,"project":`...), x.Lease.Project())
	dst = appendRequest(append(dst, `,"request":`...), x, name)
	return append(dst, '}')
}

func method(x *pipeline.Exchange) string {
	switch {
	case x.In.Route.Verb == pipeline.Count:
		return "/v1internal:countTokens"
	case x.Events():
		return "/v1internal:streamGenerateContent?alt=sse"
	}
	return "/v1internal:generateContent"
}

// wireName is the name a model has on this backend: bare, and the official client maps one
// (protocol 3.7).
func wireName(base string) string {
	base = strings.TrimPrefix(base, "models/")
	if base == "gemini-3.5-flash" {
		return "gemini-3-flash"
	}
	return base
}

// Unwrap cuts the envelope off.
func (d *Dialect) Unwrap(data []byte) ([]byte, bool) {
	if hub, ok := gemini.Unwrap(data); ok {
		return hub, true
	}
	// countTokens answers without an envelope, and without a member for none at all (protocol 3.6).
	if wire.Get(data, "totalTokens") != nil || string(data) == "{}" {
		return data, true
	}
	return nil, false
}
