package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/embedded"
)

const childOf = "GCLI_AUDIT_CHILD" // the file to write to

// TestChild is the process that gets killed: it takes down requests and changes as fast as it can, and says
// which changes are durable.
func TestChild(t *testing.T) {
	path := os.Getenv(childOf)
	if path == "" {
		return // it runs as a child of TestKilledInTheMiddle
	}
	db, err := embedded.Open(embedded.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	l := begin(Options{Store: db})
	go func() {
		for {
			l.flush(context.Background())
		}
	}()
	go func() {
		for i := 0; ; i++ {
			l.Note(Request{ID: strconv.Itoa(i), Status: 200})
			if i%10 == 0 {
				time.Sleep(time.Millisecond) // no timing: it only keeps the numbers small
			}
		}
	}()
	for i := 0; ; i++ {
		if err := l.Changed(context.Background(), Change{Target: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("durable", i)
	}
}

func TestKilledInTheMiddle(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	path := filepath.Join(t.TempDir(), "db")
	changes := 0
	for range 5 {
		changes += killed(t, path, 20+rand.IntN(60))
		db, err := embedded.Open(embedded.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		l := begin(Options{Store: db})
		if got := len(changesOf(t, l, Search{Limit: 1000})); got < changes {
			t.Errorf("%d changes, %d were durable", got, changes)
		} else {
			changes = got // one may have been written and not yet said
		}
		docs, err := db.List(context.Background(), store.Requests, "", 10_000)
		if err != nil || len(docs) == 0 {
			t.Fatalf("%d documents, %v", len(docs), err)
		}
		for _, d := range docs {
			var s sheet
			if err := json.Unmarshal(d.Body, &s); err != nil || s.Count != len(s.Rows) || s.Count == 0 {
				t.Fatalf("%s: %v, %d of %d rows", d.ID, err, len(s.Rows), s.Count)
			}
			first, _ := strconv.Atoi(s.Rows[0].ID)
			for i, r := range s.Rows {
				if r.ID != strconv.Itoa(first+i) {
					t.Fatalf("%s: row %d is %s", d.ID, i, r.ID)
				}
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killed runs the child until so many changes are durable, and kills it without a warning.
func killed(t *testing.T, path string, after int) (durable int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childOf+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "durable ") {
			if durable++; durable == after {
				_ = cmd.Process.Kill()
			}
		}
	}
	_ = cmd.Wait()
	if durable < after {
		t.Fatalf("the child ended by itself after %d changes", durable)
	}
	return durable
}
