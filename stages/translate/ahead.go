package translate

import (
	"bytes"
	"context"
	"slices"

	"gcli2api/pipeline"
)

// warmer is a memory that can bring many values near at once. Where each look-up is a round trip to a
// database, a dialogue of many calls would else wait for one after the other.
type warmer interface {
	Warm(ctx context.Context, at pipeline.Place, ids []string) (missing []string, err error)
}

// mostAhead is how many ids are looked up ahead, the latest ones; what comes before is looked up one by one.
const mostAhead = 256

// lookAhead has the memory fetch what it knows of the calls in a body. missing are ids of which it knows
// nothing.
func (s *stage) lookAhead(ctx context.Context, x *pipeline.Exchange, at pipeline.Place) (missing []string, err error) {
	w, can := s.memory.(warmer)
	if !can {
		return nil, nil
	}
	body, fail := x.In.Body()
	if fail != nil {
		return nil, nil // it is told where the body is read
	}
	ids := callIDs(body)
	if len(ids) < 2 {
		return nil, nil
	}
	return w.Warm(ctx, at, ids[max(0, len(ids)-mostAhead):])
}

// digits is how many the ids have that the gateway gives to calls.
const digits = 24

// callIDs finds what looks like an id that the gateway has given to a call, each once.
func callIDs(body []byte) (ids []string) {
	for _, prefix := range []string{`"call_`, `"toolu_`} {
		for rest := body; ; {
			at := bytes.Index(rest, []byte(prefix))
			if at < 0 {
				break
			}
			rest = rest[at+1:]
			n := len(prefix) - 1 + digits
			if len(rest) > n && rest[n] == '"' && !bytes.ContainsFunc(rest[len(prefix)-1:n], notHex) {
				ids = append(ids, string(rest[:n]))
			}
		}
	}
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(ids, func(id string) bool {
		was := seen[id]
		seen[id] = true
		return was
	})
}

func notHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }
