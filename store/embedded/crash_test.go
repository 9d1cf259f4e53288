package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

// The test binary is also the child that gets killed: these variables tell it so.
const (
	envChild = "GCLI_TEST_EMBEDDED_CHILD" // what it shall be
	envPath  = "GCLI_TEST_EMBEDDED_PATH"  // its file
)

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "":
		os.Exit(m.Run())
	case "writer":
		write(os.Getenv(envPath))
	default:
		os.Exit(child(os.Getenv(envChild), os.Getenv(envPath)))
	}
}

const (
	writers  = 16
	docsEach = 4   // documents that only one writer writes
	limit    = 300 // of a counter that runs full within a few rounds
)

// The child says a line before each write ("I") and another when the store has said that it is done
// ("A"). A line is one write to a pipe, so it arrives whole or not at all, and what the parent could
// read counts. Per writer there is never more than one write whose outcome is open.
//
//	I <writer> <what> <number>
//	A <writer> <what> <number>

// record is a document of one writer. Its text is long enough for several pages, and wrong if it
// comes from two writes.
type record struct {
	Writer, Doc, N int
	Text           string
	Sum            uint32
}

func newRecord(writer, doc, n int) record {
	text := strings.Repeat(fmt.Sprintf("%d.%d.%d ", writer, doc, n), 1+n%600)
	return record{writer, doc, n, text, crc32.ChecksumIEEE([]byte(text))}
}

func (r record) id() string { return fmt.Sprintf("own/%d/%d", r.Writer, r.Doc) }

// write is the child. It works until it is killed.
func write(path string) {
	pipe := os.NewFile(3, "pipe")
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(pipe, format+"\n", args...); err != nil {
			os.Exit(0) // the parent is gone
		}
	}
	say("O")
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		say("E %s", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				if err := turn(db, say, w, n); err != nil {
					say("E %s", err)
					return
				}
			}
		})
	}
	wg.Wait()
	os.Exit(1)
}

// turn is one write of each kind.
func turn(db store.Store, say func(string, ...any), w, n int) error {
	ctx := context.Background()
	own, shared := store.Docs[record]{Store: db, Table: "crash"}, store.Docs[int]{Store: db, Table: "crash"}
	doc := n % docsEach
	_, rev, err := own.Get(ctx, newRecord(w, doc, 0).id())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	next := newRecord(w, doc, int(time.Now().UnixNano())) // never the same again, also in the next life
	if rev > 0 && next.N%7 == 0 {
		say("I %d del%d %d", w, doc, next.N)
		if err := db.Delete(ctx, own.Table, next.id(), rev); err != nil {
			return err
		}
		say("A %d del%d %d", w, doc, next.N)
		return nil
	}
	say("I %d put%d %d", w, doc, next.N)
	if _, err := own.Put(ctx, next.id(), next, rev); err != nil {
		return err
	}
	say("A %d put%d %d", w, doc, next.N)

	say("I %d cas 1", w)
	if _, err := shared.Update(ctx, "cas", func(n *int) error { *n++; return nil }); err != nil {
		return err
	}
	say("A %d cas 1", w)

	take := int64(n%3 + 1)
	say("I %d take %d", w, take)
	switch _, err := db.Take(ctx, "take", take, limit); {
	case err == nil:
		say("A %d take %d", w, take)
	case errors.Is(err, store.ErrExhausted):
		say("A %d take 0", w)
	default:
		return err
	}
	say("I %d add %d", w, take)
	if err := db.Add(ctx, []store.Delta{{Counter: "left", N: take}, {Counter: "right", N: take}}); err != nil {
		return err
	}
	say("A %d add %d", w, take)
	return nil
}

// span is what a sum may be: the acknowledged, and what was asked for but not answered.
type span struct{ least, most int64 }

// ledger is what the parent knows about a file.
type ledger struct {
	path     string
	acked    int                    // writes that were acknowledged and looked for afterwards
	docs     map[string]map[int]int // what a document may be: number -> 1, 0 for not there
	sums     map[string]*span
	complete bool // the child had opened the file
}

func newLedger(path string) *ledger {
	l := &ledger{path: path, docs: map[string]map[int]int{}, sums: map[string]*span{}}
	for _, name := range []string{"cas", "take", "add"} {
		l.sums[name] = &span{}
	}
	return l
}

// heard takes in one line of the child.
func (l *ledger) heard(line string) error {
	var kind, writer, what string
	var n int
	if _, err := fmt.Sscan(line, &kind, &writer, &what, &n); err != nil {
		return fmt.Errorf("the child said %q", line)
	}
	l.complete = true
	if sum := l.sums[what]; sum != nil {
		if kind == "I" {
			sum.most += int64(n)
		} else {
			sum.least += int64(n)
			l.acked++
		}
		return nil
	}
	id := "own/" + writer + "/" + what[len(what)-1:]
	state := n
	if strings.HasPrefix(what, "del") {
		state = 0
	}
	if l.docs[id] == nil {
		l.docs[id] = map[int]int{0: 1}
	}
	if kind == "A" {
		clear(l.docs[id])
		l.acked++
	}
	l.docs[id][state] = 1
	return nil
}

// verify opens the file as the next gateway would, and looks for everything.
func (l *ledger) verify() (err error) {
	db, err := embedded.Open(embedded.Options{Path: l.path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := context.Background()
	docs := store.Docs[record]{Store: db, Table: "crash"}
	for id, may := range l.docs {
		r, _, err := docs.Get(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.N = 0
		case err != nil:
			return err
		case r.id() != id || r != newRecord(r.Writer, r.Doc, r.N):
			return fmt.Errorf("%s is torn: %.100v", id, r)
		}
		if may[r.N] == 0 {
			return fmt.Errorf("%s is at %d, but may be only %v", id, r.N, may)
		}
		l.docs[id] = map[int]int{r.N: 1}
	}
	cas, _, err := store.Docs[int]{Store: db, Table: "crash"}.Get(ctx, "cas")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	sums, err := db.Counters(ctx, "")
	if err != nil {
		return err
	}
	if sums["left"] != sums["right"] {
		return fmt.Errorf("half of a batch: %v", sums)
	}
	if sums["take"] > limit {
		return fmt.Errorf("the limit %d was exceeded: %d", limit, sums["take"])
	}
	for name, n := range map[string]int64{"cas": int64(cas), "take": sums["take"], "add": sums["left"]} {
		if s := l.sums[name]; n < s.least || n > s.most {
			return fmt.Errorf("%s is %d, acknowledged %d, asked for %d", name, n, s.least, s.most)
		}
		l.sums[name] = &span{n, n}
	}
	return nil
}

// check lets bbolt look at its own file, which finds more than examine does: pages that nobody uses.
func check(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) (found error) {
		for err := range tx.Check() {
			found = errors.Join(found, err)
		}
		return found
	})
}

// life runs a child on the file and kills it: some time after its first word, which is just before
// it opens the file, so that some die while they make it.
func (l *ledger) life(ctx context.Context, delay time.Duration) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"=writer", envPath+"="+l.path)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = os.Stderr
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewReader(r)
	if first, err := lines.ReadString('\n'); err != nil || first != "O\n" {
		return fmt.Errorf("the child said %q, %v", first, err)
	}
	time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil // half a line does not count
		}
		if err != nil {
			return err
		}
		if why, is := strings.CutPrefix(line, "E "); is {
			return fmt.Errorf("the child: %s", why)
		}
		if err := l.heard(line); err != nil {
			return err
		}
	}
}

// TestKilled: whatever the moment, what was acknowledged is there, and nothing is half there.
func TestKilled(t *testing.T) {
	kills, lives := 200, 10
	if testing.Short() {
		kills = 10
	}
	const side = 2 // files at a time
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, early, files := 0, 0, 0
	for s := range side {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(s)))
			var l *ledger
			for i := range kills / side {
				if i%lives == 0 {
					l = newLedger(filepath.Join(t.TempDir(), "creds", ".gcli2api.db"))
				}
				delay := time.Duration(rng.Int64N(int64(250 * time.Millisecond)))
				if i%lives == 0 || i%lives == 5 {
					delay /= 60
				}
				before := l.acked
				l.complete = false
				err := l.life(t.Context(), delay)
				if err == nil {
					err = l.verify()
				}
				if err == nil {
					err = check(l.path)
				}
				if err != nil {
					t.Errorf("kill %d of this file, after %v: %v", i%lives, delay, err)
					return
				}
				mu.Lock()
				acked += l.acked - before
				if i%lives == 0 {
					files++
				}
				if !l.complete {
					early++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d kills on %d files, %d of them before the first write: %d acknowledged writes were there", kills, files, early, acked)
	if !t.Failed() && acked < kills*10 {
		t.Errorf("only %d writes were acknowledged: this shows nothing", acked)
	}
}
