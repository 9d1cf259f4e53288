package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"gcli2api/store"
)

func decodeDoor(body []byte) (d door, err error) {
	if err = json.Unmarshal(body, &d); err != nil {
		return d, errors.New("it is not written as this program writes it")
	}
	return d, nil
}

// errNoSession is of a token that is none of a session, any more or ever.
var errNoSession = errors.New("there is no such session")

// End ends one session, on all nodes.
func (s *Sessions) End(ctx context.Context, token, password string) error {
	c, ok := s.session(token, password)
	if !ok {
		return errNoSession
	}
	return s.change(ctx, func(d *door, now time.Time) {
		maps.DeleteFunc(d.Ended, func(_ string, until int64) bool { return until < now.Unix() })
		if len(d.Ended) >= mostEnded { // to forget one of them would bring it back
			d.Epoch, d.Ended = d.Epoch+1, nil
			return
		}
		if d.Ended == nil {
			d.Ended = map[string]int64{}
		}
		d.Ended[c.ID] = c.ExpiresAt.Add(2 * sessionSlack).Unix()
	})
}

// EndAll ends every session, on all nodes.
func (s *Sessions) EndAll(ctx context.Context) error {
	return s.change(ctx, func(d *door, _ time.Time) { d.Epoch, d.Ended = d.Epoch+1, nil })
}

// change writes the document, and has it in force here. What cannot be read is not written over.
func (s *Sessions) change(ctx context.Context, change func(*door, time.Time)) error {
	_, err := s.docs.Update(ctx, sessionID, func(d *door) error {
		if d.Secret == "" {
			return fmt.Errorf("end sessions: %w", store.ErrNotFound)
		}
		change(d, s.opt.Now())
		return nil
	})
	s.look(ctx) // also after an error: it may have been written
	return err
}
