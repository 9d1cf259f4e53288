package ephemeral

import (
	"container/list"
	"encoding/binary"
	"sync"
	"time"
)

// The bounds of the copies in memory.
const (
	largestCopy = 256 << 10 // bytes of one value
	copiesBytes = 32 << 20  // bytes of all, with what it costs to find them
	copiesCount = 16 << 10
	copyCost    = 256 // bytes, about, that a copy takes beside its value
)

// copied is a value as the store had it, until when it is believed, and until when it is better than nothing.
type copied struct {
	value   []byte // never written to
	until   time.Time
	expires time.Time
}

// cache has the copies that were used last. A copy gets in only if nothing was written under its key
// from the moment when it was read: each write moves the turn of its key, before it asks the store
// and after, and a reader says which turn it saw.
type cache struct {
	mu     sync.Mutex
	found  map[key]*list.Element
	recent list.List // of *shelved, the one used last in front
	bytes  int
	turns  [1 << 12]uint32 // shared by keys that begin alike: at worst a copy is not taken
}

type shelved struct {
	key key
	copied
}

func (c *cache) turn(k key) *uint32 {
	return &c.turns[binary.BigEndian.Uint16(k[:])%uint16(len(c.turns))]
}

func (c *cache) get(k key, now time.Time) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.found[k]
	if e == nil {
		return nil, false
	}
	s := e.Value.(*shelved)
	if !now.Before(s.until) {
		if !now.Before(s.expires) {
			c.drop(e)
		}
		return nil, false
	}
	c.recent.MoveToFront(e)
	return s.value, true
}

// old is a copy that is not believed any more, for when the store cannot be asked.
func (c *cache) old(k key, now time.Time) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.found[k]
	if e == nil || !now.Before(e.Value.(*shelved).expires) {
		return nil, false
	}
	return e.Value.(*shelved).value, true
}

// look is the turn for a reader.
func (c *cache) look(k key) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.turn(k)
}

// begin is called in front of a write.
func (c *cache) begin(k key) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.move(k)
}

// end is called behind a write with the turn it had. It gives the turn at which the writer may learn
// what it wrote: the new one, or after another write in between one that has passed.
func (c *cache) end(k key, seen uint32) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	alone := *c.turn(k) == seen
	if next := c.move(k); alone {
		return next
	}
	return seen
}

// move goes on to the next turn, and no copy of this one stays.
func (c *cache) move(k key) uint32 {
	if e := c.found[k]; e != nil {
		c.drop(e)
	}
	t := c.turn(k)
	*t++
	return *t
}

func (c *cache) drop(e *list.Element) {
	s := c.recent.Remove(e).(*shelved)
	delete(c.found, s.key)
	c.bytes -= len(s.value) + copyCost
}

// learn takes a copy in, unless it may be out of date.
func (c *cache) learn(k key, seen uint32, v copied) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.turn(k) != seen {
		return
	}
	if e := c.found[k]; e != nil {
		c.drop(e)
	}
	if c.found == nil {
		c.found = map[key]*list.Element{}
	}
	c.found[k] = c.recent.PushFront(&shelved{k, v})
	c.bytes += len(v.value) + copyCost
	for c.bytes > copiesBytes || len(c.found) > copiesCount {
		c.drop(c.recent.Back())
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found, c.bytes = nil, 0
	c.recent.Init()
}
