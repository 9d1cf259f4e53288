package embedded

import (
	"encoding/binary"

	"go.etcd.io/bbolt"

	"gcli2api/store"
)

// group is one transaction with the writes of many callers. The clock stands still in it.
type group struct {
	docs, due, counters, info *bbolt.Bucket
	now                       int64

	written  bool  // something is different, and has to be committed
	revision int64 // documents written by this group
	changes  []store.Change
}

func newGroup(tx *bbolt.Tx, now int64) *group {
	return &group{
		docs: tx.Bucket([]byte(inDocs)), due: tx.Bucket([]byte(inDue)),
		counters: tx.Bucket([]byte(inCounters)), info: tx.Bucket([]byte(inInfo)), now: now,
	}
}

// find reads a document; revision 0 means that there is none. Of an expired one only the expiry is
// left, because its entry in due has to go when it is written anew.
func (g *group) find(key []byte) (h head, err error) {
	value := g.docs.Get(key)
	if value == nil {
		return h, nil
	}
	if h, err = readDoc(key, value); err != nil {
		return head{}, err
	}
	if h.expired(g.now) {
		h.rev = 0
	}
	return h, nil
}

// expect finds a document and compares it with what a Put wants of it.
func (g *group) expect(key []byte, when store.Rev) (h head, err error) {
	if h, err = g.find(key); err != nil {
		return h, err
	}
	if when != store.Any && when != h.rev {
		return h, store.ErrConflict
	}
	return h, nil
}

// note writes a document of the engine's own, which is no change that anybody wants to hear of.
func (g *group) note(key, value []byte, was, expires int64) error {
	err := g.putDoc(key, sealDoc(key, value, 1, expires), was, expires)
	g.revision--
	return err
}

func (g *group) putDoc(key, value []byte, was, expires int64) error {
	if was != expires {
		if err := g.undue(key, was); err != nil {
			return err
		}
		if expires != 0 {
			due := dueKey(expires, key)
			if err := g.due.Put(due, seal(inDue, due, room(0))); err != nil {
				return err
			}
		}
	}
	g.written = true
	g.revision++
	return g.docs.Put(key, value)
}

func (g *group) deleteDoc(key []byte, was int64) error {
	if err := g.undue(key, was); err != nil {
		return err
	}
	g.written = true
	g.revision++
	return g.docs.Delete(key)
}

func (g *group) undue(key []byte, was int64) error {
	if was == 0 {
		return nil
	}
	return g.due.Delete(dueKey(was, key))
}

// finish writes what belongs to the whole group.
func (g *group) finish() error {
	if g.revision == 0 {
		return nil
	}
	key := []byte(keyRevision)
	n, err := number(inInfo, key, g.info.Get(key))
	if err != nil {
		return err
	}
	return g.info.Put(key, sealNumber(inInfo, key, n+g.revision))
}

// sweep removes up to limit documents that have expired, fewer when they are large, and says whether
// there may be more. Nobody can see the difference, so it is no change of a document.
func (g *group) sweep(limit int) (more bool, err error) {
	var due [][]byte
	c := g.due.Cursor()
	for key := firstDue(c); key != nil && len(due) < limit && dueTime(key) <= g.now; key, _ = c.Next() {
		due = append(due, append([]byte(nil), key...)) // not while the cursor walks: it would skip some
	}
	size := 0
	for _, key := range due {
		if size >= maxBytes {
			return true, nil
		}
		g.written = true
		if err := g.due.Delete(key); err != nil {
			return false, err
		}
		h, err := g.find(key[8:])
		if err != nil {
			return false, err
		}
		size += len(h.body)
		if h.expires == dueTime(key) {
			if err := g.docs.Delete(key[8:]); err != nil {
				return false, err
			}
		}
	}
	return len(due) == limit, nil
}

// firstDue skips the guard: expiries begin at 1, and take eight bytes.
func firstDue(c *bbolt.Cursor) []byte {
	key, _ := c.Seek([]byte{0, 0})
	return key
}

func dueTime(key []byte) int64 { return int64(binary.BigEndian.Uint64(key)) }
