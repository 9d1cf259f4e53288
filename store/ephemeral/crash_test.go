package ephemeral

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store/embedded"
)

// envChild names the file of the child that gets killed.
const envChild = "GCLI_TEST_EPHEMERAL_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(envChild); file != "" {
		fmt.Println(keepForEver(file))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// keepForEver says the number of what it has kept, small and large, until it is killed.
func keepForEver(file string) error {
	db, err := embedded.Open(embedded.Options{Path: file})
	if err != nil {
		return err
	}
	ctx := context.Background()
	m, err := Open(ctx, db, slog.New(slog.DiscardHandler))
	for i := 0; err == nil; i++ {
		if err = m.Keep(ctx, at("a"), time.Hour, crashed(i)...); err == nil {
			fmt.Println(i)
		}
	}
	return err
}

func crashed(i int) []pipeline.Item {
	items := []pipeline.Item{{ID: fmt.Sprint("s", i), Value: big(100+i, byte(i))}, {ID: fmt.Sprint("t", i), Value: []byte(`{"i":1}`)}}
	if i%8 == 7 {
		items = append(items, pipeline.Item{ID: fmt.Sprint("l", i), Value: big(partSize+i, byte(i))})
	}
	return items
}

// TestCrash: what Keep said is kept is found after the process was killed; of what it had not yet
// said, all of a value or nothing.
func TestCrash(t *testing.T) {
	k := newKit(t)
	k.db.Close()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), envChild+"="+k.file)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Error(lines.Text())
		}
		if last = n; n == 24 {
			_ = child.Process.Kill() // it goes on a little, and so does what we read
		}
	}
	if err := child.Wait(); err == nil || last < 24 {
		t.Fatalf("it ended by itself after %d: %v", last, err)
	}
	k.clock.pass(time.Since(k.clock.Now()))
	k.start()
	for i := range last + 3 {
		for _, item := range crashed(i) {
			got, ok, err := k.here.Recall(t.Context(), at("a"), item.ID)
			if err != nil || !ok && i <= last || ok && string(got) != string(item.Value) {
				t.Errorf("%s of %d: %d bytes, %v, %v", item.ID, last, len(got), ok, err)
			}
		}
	}
}
