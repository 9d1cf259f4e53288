package open

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gcli2api/store"
)

// Moves is the table with the mark that a move leaves at its target.
const Moves store.Table = "move"

// Mark is the document of a move.
type Mark struct {
	From  string    `json:"from"` // which source; no secret
	Name  string    `json:"name"` // how people call it
	Begun time.Time `json:"begun"`
	Done  time.Time `json:"done,omitzero"` // zero while it has not ended
}

// mark is the id of the document.
const mark = "move"

// MarkOf reads the mark of the last move to a store; nil when there was none.
func MarkOf(ctx context.Context, s store.Store) (*Mark, error) {
	doc, err := s.Get(ctx, Moves, mark)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the mark of a move: %w", err)
	}
	m := &Mark{}
	if err := json.Unmarshal(doc.Body, m); err != nil {
		return nil, fmt.Errorf("the mark of a move is damaged: %w", err)
	}
	return m, nil
}

// Save writes the mark.
func (m *Mark) Save(ctx context.Context, s store.Store) error {
	_, err := store.Docs[*Mark]{Store: s, Table: Moves}.Put(ctx, mark, m, store.Any)
	return err
}

// Unmark takes the mark of a move away that has not begun after all.
func Unmark(ctx context.Context, s store.Store) error {
	if err := s.Delete(ctx, Moves, mark, store.Any); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// Whole tells a gateway that has just said in the list of nodes that it is there whether a move has begun since
// it opened the store: of the two, one sees the other.
func Whole(ctx context.Context, s store.Store) error {
	m, err := MarkOf(ctx, s)
	if err == nil && m.half() {
		err = m.refusal()
	}
	return err
}

func (m *Mark) half() bool { return m != nil && m.Done.IsZero() }

func (m *Mark) refusal() error {
	return fmt.Errorf("the data are half of what a move from %s was to bring: give the same command (migrate or restore) again, it goes on from there", m.Name)
}

// whole refuses data that a move has only half written: served, they would look like all there is.
func whole(ctx context.Context, s store.Store, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	if err := Whole(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
