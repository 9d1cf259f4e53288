package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"gcli2api/store"
)

// bucket is a part of the file.
type bucket string

const (
	inInfo     bucket = "gcli2api" // what the file is; its name tells our files from those of others
	inDocs     bucket = "doc"      // table, 0, id -> revision, expiry, body
	inDue      bucket = "due"      // expiry, key of the document -> nothing; for the sweep
	inCounters bucket = "counter"  // name -> number
)

// format is the version of what follows. Raise it when an older gateway could not read the file.
const format = 1

const (
	keyFormat   = "format"
	keyRevision = "revision"
)

// guard is in every bucket, in front of everything that can be a key: a bucket that looks empty has
// lost something.
const guard = "\x00"

// sumSize is the checksum in front of every value. bbolt has none on its pages, and the key is part
// of it, so that a value under a name that is not its own is noticed as well.
const sumSize = 4

func sum(b bucket, key, rest []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	s := crc32.Update(0, table, []byte(b))
	s = crc32.Update(s, table, key)
	return crc32.Update(s, table, rest)
}

// room is a value yet to be filled, with place for its checksum.
func room(n int) []byte { return make([]byte, sumSize, sumSize+n) }

// seal writes the checksum into a value that began with room.
func seal(b bucket, key, value []byte) []byte {
	binary.BigEndian.PutUint32(value, sum(b, key, value[sumSize:]))
	return value
}

// unseal gives what seal sealed.
func unseal(b bucket, key, value []byte) ([]byte, error) {
	if len(value) < sumSize || binary.BigEndian.Uint32(value) != sum(b, key, value[sumSize:]) {
		return nil, fmt.Errorf("%w (a value does not match its checksum)", errDamaged)
	}
	return value[sumSize:], nil
}

func number(b bucket, key, value []byte) (int64, error) {
	if value == nil {
		return 0, nil
	}
	rest, err := unseal(b, key, value)
	if err == nil && len(rest) != 8 {
		err = fmt.Errorf("%w (a number of %d bytes)", errDamaged, len(rest))
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(rest)), nil
}

func sealNumber(b bucket, key []byte, n int64) []byte {
	return seal(b, key, binary.BigEndian.AppendUint64(room(8), uint64(n)))
}

// docHead is revision and expiry, in front of the body.
const docHead = 16

// docKey has a 0 behind the table, which no name contains: tables lie one behind the other, and ids
// keep the order of their bytes.
func docKey(t store.Table, id string) []byte {
	key := make([]byte, 0, len(t)+1+len(id))
	key = append(append(key, t...), 0)
	return append(key, id...)
}

// head is a document as the file has it.
type head struct {
	rev     store.Rev
	expires int64 // milliseconds, 0 for never
	body    []byte
}

func readDoc(key, value []byte) (h head, err error) {
	rest, err := unseal(inDocs, key, value)
	if err == nil && len(rest) < docHead {
		err = fmt.Errorf("%w (a document of %d bytes)", errDamaged, len(rest))
	}
	if err != nil {
		return h, err
	}
	h.rev = store.Rev(binary.BigEndian.Uint64(rest))
	h.expires = int64(binary.BigEndian.Uint64(rest[8:]))
	h.body = rest[docHead:]
	return h, nil
}

func (h head) expired(now int64) bool { return h.expires != 0 && h.expires <= now }

func (h head) doc(id string) store.Doc {
	d := store.Doc{ID: strings.Clone(id), Rev: h.rev, Body: append([]byte(nil), h.body...)}
	if h.expires != 0 {
		d.Expires = time.UnixMilli(h.expires)
	}
	return d
}

// docValue is a value with room for its head, which only the committer knows.
func docValue(body []byte) []byte {
	value := make([]byte, sumSize+docHead+len(body))
	copy(value[sumSize+docHead:], body)
	return value
}

func sealDoc(key, value []byte, rev store.Rev, expires int64) []byte {
	binary.BigEndian.PutUint64(value[sumSize:], uint64(rev))
	binary.BigEndian.PutUint64(value[sumSize+8:], uint64(expires))
	return seal(inDocs, key, value)
}

// millis is when a document expires; 0 stands for never, so that a time that long ago is moved on.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli(), 1)
}

func dueKey(expires int64, key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(key)), uint64(expires)), key...)
}
