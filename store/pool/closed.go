package pool

import (
	"maps"
	"slices"
	"strings"
)

// shut are the credentials of files that stay sealed, because the key that they were sealed with is not
// set: the ids of those keys, one for each credential. Guarded by Pool.mu.
type shut struct {
	in map[string][]string // by file
	n  int
}

func (c *shut) note(file string, keys []string) {
	c.n += len(keys) - len(c.in[file])
	if delete(c.in, file); len(keys) > 0 {
		c.in[file] = keys
	}
}

// keys are the ids, each once; "unknown" stands for a form that this version does not know.
func (c *shut) keys() string {
	ids := map[string]bool{}
	for _, keys := range c.in {
		for _, id := range keys {
			if id == "" {
				id = "unknown"
			}
			ids[id] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(ids)), " ")
}

// Closed is how many credentials cannot be used because they stay sealed.
func (p *Pool) Closed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shut.n
}

// tellClosed says, once for each set of keys, that there would be credentials if they opened. The caller
// holds disk.
func (p *Pool) tellClosed() {
	p.mu.Lock()
	n, keys, there := p.shut.n, "", len(p.queue)+len(p.idle)
	if n > 0 && there == 0 {
		keys = p.shut.keys()
	}
	p.mu.Unlock()
	if keys != "" {
		p.once("closed "+keys, "no credential can be used: all are sealed with a key that is not set; set SECRET_KEY to it, or put it into OLD_SECRET_KEYS, and start the gateway again", "sealed", n, "key", keys)
	}
}
