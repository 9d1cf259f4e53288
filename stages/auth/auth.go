// Package auth lets in who knows the password or has a key.
//
// It decides on headers and query alone, before the body is read.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/store/apikey"
)

// Access is what the stage asks about who may come in. It is asked at each request, so that a
// changed password counts at once.
type Access interface {
	Password() string   // of the chat side, never empty
	PublicModels() bool // the model list needs no password
}

// Settings is the [stage.auth] table.
type Settings struct{}

// Kind describes the stage to the registry. A nil book has no keys.
func Kind(a Access, b *apikey.Book) pipeline.Kind {
	return pipeline.Kind{
		Name:  "auth",
		Does:  "lets in who knows the password or has an API key, before the body is read",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed, pipeline.List, pipeline.Get, pipeline.Recall, pipeline.Forget},
		Gives: []pipeline.Fact{pipeline.HasCaller},
		New: pipeline.New(Settings{}, func(_ Settings, built *pipeline.Build) (pipeline.Stage, error) {
			warn(b, built)
			return &stage{access: a, book: b}, nil
		}),
		Off:      anonymous,
		MayBeOff: mayBeOff,
	}
}

// anonymous stands in for the stage when it is switched off.
func anonymous(x *pipeline.Exchange) pipeline.Verdict {
	x.Caller = pipeline.Caller{Kind: "anonymous"}
	return pipeline.Next
}

type offError struct{}

// Error says what must be true before auth may be off.
func (offError) Error() string {
	return "can be switched off only on a loopback listener or with pipeline.open = true, because then everybody may ask"
}

func mayBeOff(b *pipeline.Build) error {
	if b.Open() {
		return nil
	}
	return offError{}
}

// warn tells an operator who has handed out keys that nobody charges them.
func warn(book *apikey.Book, b *pipeline.Build) {
	if book == nil || b.Has("quota") {
		return
	}
	if n := len(book.Keys.List()); n > 0 {
		b.Log.Warn("API keys are let in, but they are not charged and their limits do not count: the stage quota is switched off, or not in pipeline.order", "keys", n)
	}
}

type stage struct {
	access Access
	book   *apikey.Book
	known  atomic.Pointer[digest]
}

// digest is the password in force.
type digest struct {
	of  string
	sum [sha256.Size]byte
}

// want is the digest of the password, made again when it has changed.
func (s *stage) want() *digest {
	password := s.access.Password()
	if d := s.known.Load(); d != nil && d.of == password {
		return d
	}
	d := &digest{password, sha256.Sum256([]byte(password))}
	s.known.Store(d)
	return d
}

// Process tries every place a client may put the password or a key in; the first valid one wins.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	want := s.want()
	given, refusal := false, (*apierror.Error)(nil)
	for secret, ofKey := range pipeline.Secrets(&x.In) {
		given = given || !ofKey || s.book != nil
		// Digests have one length, so the comparison tells nothing about the password's.
		var room [64]byte // for a key or a usual password, so that no memory is asked for
		got := sha256.Sum256(append(room[:0], secret...))
		if subtle.ConstantTimeCompare(got[:], want.sum[:]) == 1 && !ofKey {
			x.Caller = pipeline.Caller{Kind: "password"}
			return pipeline.Next
		}
		if s.book == nil {
			continue
		}
		one, ok := s.book.Keys.FindBy(got, secret)
		var fail *apierror.Error
		if !ok {
			fail = s.book.Keys.Unknown(secret)
		} else if fail = one.Admit(x.Started(), x.In.Peer); fail == nil {
			return admit(x, one)
		}
		if refusal == nil {
			refusal = fail
		}
	}
	if v := x.In.Route.Verb; (v == pipeline.List || v == pipeline.Get) && s.access.PublicModels() {
		return anonymous(x)
	}
	switch {
	case refusal != nil: // only who has the key is told what is wrong with it, unless nobody can tell
		return x.Fail(refusal)
	case given:
		return x.Fail(apierror.New(apierror.Unauthorized, "the password or API key is wrong"))
	}
	return x.Fail(apierror.New(apierror.Unauthorized,
		"a password or API key is missing: send it as Authorization: Bearer, x-api-key, x-goog-api-key or ?key="))
}

// admit lets the holder of a key in.
func admit(x *pipeline.Exchange, one *apikey.Key) pipeline.Verdict {
	if !x.In.Trial {
		one.Touch(x.Started())
	}
	x.Caller = pipeline.Caller{Kind: "key", ID: one.ID, Group: one.Group, Models: one.Models}
	return pipeline.Next
}
