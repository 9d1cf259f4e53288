package ephemeral

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/store"
)

const (
	// partSize is how many bytes of a value go into one document: as base64 they fit, and most texts
	// fit with their escapes.
	partSize  = 5 << 20
	mostParts = MaxValue/(partSize-utf8.UTFMax) + 1

	// partsStay is how long parts outlive their head, for those who have just read it.
	partsStay = time.Minute

	// largeAtOnce is how many writers of parts there are at a time: each holds a part three times.
	largeAtOnce = 2
)

// part names a document beside the head. Every Keep has a set of its own, so that two of them never
// mix. The set of a value that was replaced lies there until it expires: somebody may be reading it.
func (n name) part(set string, i int64) string {
	return n.doc + "/" + set + "/" + strconv.FormatInt(i, 10)
}

// putParts writes a value in parts, one by one, and returns the head that is yet to be written.
func (m *Memory) putParts(ctx context.Context, n name, value []byte, expires time.Time) ([]byte, error) {
	select {
	case m.large <- struct{}{}:
		defer func() { <-m.large }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	set, count := rand.Text(), int64(0)
	for rest := value; len(rest) > 0; count++ {
		at := cut(rest)
		body := finish(wire.AppendQuoted([]byte(`{"of":`), n.doc), rest[:at])
		doc := store.Doc{ID: n.part(set, count), Expires: expires.Add(partsStay), Body: body}
		if _, err := m.store.Put(ctx, store.Short, doc, store.Any); err != nil {
			return nil, err
		}
		rest = rest[at:]
	}
	return fmt.Appendf(n.open(), `,"set":%q,"parts":%d,"bytes":%d,"sha256":"%x"}`, set, count, len(value), sha256.Sum256(value)), nil
}

// cut is where the first part ends: in front of a rune, where there are any, so that text stays text.
func cut(value []byte) int {
	if len(value) <= partSize {
		return len(value)
	}
	at := partSize
	for at > partSize-utf8.UTFMax && !utf8.RuneStart(value[at]) {
		at--
	}
	return at
}

// join puts a value together. One whose parts are gone was forgotten, or replaced and forgotten,
// while we read it; or the store lost them, which comes to the same.
func (m *Memory) join(ctx context.Context, n name, h held) ([]byte, bool, error) {
	value := make([]byte, 0, h.bytes)
	for i := range h.parts {
		doc, err := m.store.Get(ctx, store.Short, n.part(h.set, i))
		if errors.Is(err, store.ErrNotFound) {
			m.log.Warn("a part of what was kept is gone", "document", n.doc, "part", i)
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("recall part %d of %s: %w", i, n.doc, err)
		}
		p, err := read(doc)
		if err != nil {
			return nil, false, err
		}
		value = append(value, p.value...)
	}
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != h.sum {
		return nil, false, fmt.Errorf("recall %s: its parts do not fit together", n.doc)
	}
	return value, true, nil
}
