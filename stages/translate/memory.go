package translate

import (
	"context"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
)

// patience is how long the store may take: a request is not worth more.
const patience = 2 * time.Second

// recall finds what the gateway remembers of the calls in a dialogue. A store that fails is asked no
// more for this request: Google takes the sentinel as well. An id is found once in a dialogue: repeated
// in a short call, it would blow a request up by a long signature each time.
func (s *stage) recall(x *pipeline.Exchange) func(id []byte) (gemini.Remembered, bool) {
	at := pipeline.Place{Owner: x.Caller.Owner(), Shelf: pipeline.Signatures}
	broken, found := false, map[string]bool{}
	return func(id []byte) (m gemini.Remembered, ok bool) {
		if broken || len(id) == 0 || found[string(id)] {
			return m, false
		}
		ctx, cancel := context.WithTimeout(x.Context(), patience)
		defer cancel()
		doc, ok, err := s.memory.Recall(ctx, at, string(id))
		if err != nil {
			broken = true
			s.log.Warn("thought signatures cannot be read, the dialogue goes on without", "id", x.In.ID, "error", err)
		}
		if !ok || err != nil {
			return m, false
		}
		found[string(id)] = true
		if m = gemini.Recollect(doc); models.FamilyOf(m.Model).Major != models.FamilyOf(x.Model.Base).Major {
			m.Signature = "" // good for its own family only (protocol 6.4)
		}
		return m, true
	}
}
