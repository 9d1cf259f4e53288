package pool

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gcli2api/store"
)

// Sealer makes the text of a credential file one whose secrets only its key opens, and back: any layout
// that oauth.Parse reads, by the name of its file. What Open gives is plain whatever it was; what it
// cannot open is an error that names the key and quotes nothing. Both are called by many at a time.
type Sealer interface {
	Seal(name string, text []byte) ([]byte, error)
	Open(name string, text []byte) ([]byte, error)
}

// shelf is where credential files lie, by name, and the quarantine: a folder, or documents that several
// nodes share. All texts that go in and come out are plain. The caller of its methods holds Pool.disk.
type shelf interface {
	// current makes sure that scan sees what others have written until now.
	current() error
	// scan takes over into the pool what has changed.
	scan(p *Pool, settled, reread bool) (changed bool, err error)
	read(name string) (text, error)
	// write makes drafts durable, each for itself: err says what became of it. A draft of what somebody
	// else has changed since it was read is store.ErrConflict, and nothing happens.
	write(all []*draft)
	// commit tells others of drafts that were written. crossed says that they have written something
	// as well since the last scan.
	commit(all []*draft) (crossed bool)
	// names are taken, whatever is in the files.
	names() []string
	// graves goes through the files of the quarantine; the error is ErrAway, and not all were there then.
	graves(each func(name string, t text, err error)) error
}

// text is what a file holds, and the state that it was read in.
type text struct {
	data []byte
	version
}

// version is a state of a file.
type version struct {
	rev     store.Rev // of a document
	size    int64
	changed int64             // when, of a file in a folder
	sum     [sha256.Size]byte // of what lies there, be it sealed or not
}

// ErrAway is when the database that has the credentials cannot be reached: a document may be there all the same.
var ErrAway = errors.New("the store of the credentials cannot be reached")

// shared tells that the credentials lie where other nodes have them as well.
func (p *Pool) shared() bool {
	_, is := p.shelf.(*documents)
	return is
}

// sealer seals what has secrets in it, if there is a key.
type sealer struct{ Sealer }

func (s sealer) close(name string, text []byte) ([]byte, error) {
	if s.Sealer == nil || text == nil {
		return text, nil
	}
	return inside(name, text, s.Seal)
}

func (s sealer) open(name string, text []byte) ([]byte, error) {
	if s.Sealer == nil {
		return text, nil
	}
	return inside(name, text, s.Open)
}

// inside does it to the credential in a file, which of one in the quarantine is a part.
func inside(name string, text []byte, do func(string, []byte) ([]byte, error)) ([]byte, error) {
	if !strings.HasPrefix(name, quarantineDir) {
		if !holdsCredentials(name) {
			return text, nil
		}
		return do(name, text)
	}
	var g grave
	err := json.Unmarshal(text, &g)
	if err != nil {
		return nil, fmt.Errorf("read a file of the quarantine: %w", err)
	}
	if g.Credential, err = do(g.File, g.Credential); err != nil {
		return nil, err
	}
	return json.MarshalIndent(g, "", "  ")
}

// graveFile names a file of the quarantine.
func graveFile(id string) string { return filepath.ToSlash(filepath.Join(quarantineDir, id+".json")) }

// unwritten is what a caller hears of a draft that could not be written.
func unwritten(err error) error {
	var away *store.Away
	if errors.As(err, &away) || errors.Is(err, ErrAway) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("nothing was written: %w: try again later", ErrAway)
	}
	return errors.New("the file could not be written: see the log")
}
