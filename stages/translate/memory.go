package translate

import (
	"context"
	"errors"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
)

// patience is how long the store may take: a request is not worth more.
const patience = 2 * time.Second

// mostBefore bounds what a request grows by, all calls together, for the steps of Google's own tools in front
// of them: what a client sends must not cost many times its size. The calls beyond it get the sentinel.
const mostBefore = 1 << 20

var errSlow = errors.New("the look-ups of this request took too long")

// recall finds what the gateway remembers of the calls in a dialogue. A store that fails, or has taken
// all of the patience for this request, is asked no more: Google takes the sentinel as well. An id is
// found once in a dialogue: repeated in a short call, it would blow a request up by a long signature
// each time.
func (s *stage) recall(x *pipeline.Exchange) func(id []byte) (gemini.Remembered, bool) {
	at := pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Signatures}
	asked, broken, found, left, room := false, false, map[string]bool{}, patience, mostBefore
	return func(id []byte) (m gemini.Remembered, ok bool) {
		if broken || len(id) == 0 || found[string(id)] {
			return m, false
		}
		ctx, cancel := context.WithTimeout(x.Context(), left)
		defer cancel()
		began := time.Now()
		var err error
		if !asked {
			var missing []string
			missing, err = s.lookAhead(ctx, x, at)
			for _, id := range missing {
				found[id] = true // that there is nothing
			}
			asked = true
		}
		var doc []byte
		if err == nil && !found[string(id)] {
			doc, ok, err = s.memory.Recall(ctx, at, string(id))
		}
		if left -= time.Since(began); left <= 0 && err == nil {
			err = errSlow
		}
		if err != nil {
			broken = true
			s.log.Warn("thought signatures cannot be read, the dialogue goes on without", "id", x.In.ID, "error", err)
		}
		if !ok || err != nil {
			return m, false
		}
		found[string(id)] = true
		if m = gemini.Recollect(doc); models.FamilyOf(m.Model).Major != models.FamilyOf(x.Model.Base).Major {
			m.Signature, m.Before = "", "" // good for its own family only (protocol 6.4)
		}
		if n := len(m.Before); n > room {
			m.Signature, m.Before = "", ""
		} else {
			room -= n
		}
		return m, true
	}
}
