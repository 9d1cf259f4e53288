package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"gcli2api/store"
)

// envPlace tells a test binary that it is one of Processes, and where its data are.
const envPlace = "GCLI_TEST_STORE_PLACE"

// OpenAt opens the data at a place, which is whatever the engine's tests take for one.
type OpenAt func(ctx context.Context, place string) (store.Store, error)

// Child makes this process one of Processes if it was started as one, and then does not return. TestMain calls
// it first.
func Child(open OpenAt) {
	place := os.Getenv(envPlace)
	if place == "" {
		return
	}
	if err := child(place, open); err != nil {
		fmt.Println("E", err)
		os.Exit(1)
	}
	os.Exit(0)
}

const (
	processes   = 3
	shared      = 2000 // the limit that they share
	sharedOnce  = 40   // batches that each of them adds
	killedAfter = 50   // units that a process has said it got
)

// child says "O" when it has opened the data, begins when it hears something, and says "A" for each unit that
// it got. It ends as well when nobody listens any more.
func child(place string, open OpenAt) error {
	ctx := context.Background()
	s, err := open(ctx, place)
	if err != nil {
		return err
	}
	fmt.Println("O")
	if _, err := bufio.NewReader(os.Stdin).ReadByte(); err != nil {
		return err
	}
	failed := make(chan error, crowd)
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			if err := takeAll(ctx, s); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	for i := range sharedOnce {
		if err := s.AddOnce(ctx, fmt.Sprint("batch/", i), []store.Delta{{Counter: "batches", N: 1}}); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return s.Close()
	}
}

func takeAll(ctx context.Context, s store.Store) error {
	for {
		switch _, err := s.Take(ctx, "shared", 1, shared); {
		case errors.Is(err, store.ErrExhausted):
			return nil
		case err != nil:
			return err
		}
		if _, err := os.Stdout.WriteString("A\n"); err != nil { // one write: it arrives whole or not at all
			return err
		}
	}
}

// Processes has three processes of this test binary use up one limit, 64 callers each: together they get
// exactly the limit. Then one of three is killed in the middle: it takes nothing with it but the units of its
// calls that were under way. fresh gives the place of empty data, twice.
func Processes(t *testing.T, fresh func() string, open OpenAt) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint("Killed=", kill), func(t *testing.T) {
			place := fresh()
			got := make([]int, processes)
			kids := make([]*kid, processes)
			for i := range kids {
				kids[i] = newKid(t, place)
			}
			for _, k := range kids {
				k.begin(t)
			}
			var wg sync.WaitGroup
			for i, k := range kids {
				wg.Go(func() {
					enough := shared + 1
					if kill && i == 0 {
						enough = killedAfter
					}
					got[i] = k.count(t, enough)
				})
			}
			wg.Wait()
			settle(t, place, open, got, kill)
		})
	}
}

// settle compares what the processes got with what the store says.
func settle(t *testing.T, place string, open OpenAt, got []int, kill bool) {
	s, err := open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum := 0
	for _, n := range got {
		sum += n
	}
	least := shared
	if kill {
		least -= crowd
	}
	if sum > shared || sum < least {
		t.Errorf("%v were given, %d together, of %d", got, sum, shared)
	}
	all, err := s.Counters(t.Context(), "")
	if err != nil || all["shared"] != shared || all["batches"] != sharedOnce {
		t.Errorf("the counters are %v %v, want %d and %d", all, err, shared, sharedOnce)
	}
	t.Logf("%v of %d", got, shared)
}

// kid is one of the processes.
type kid struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newKid(t *testing.T, place string) *kid {
	k := &kid{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	k.Env = append(os.Environ(), envPlace+"="+place)
	k.Stderr = os.Stderr
	in, err1 := k.StdinPipe()
	out, err2 := k.StdoutPipe()
	if err := errors.Join(err1, err2, k.Start()); err != nil {
		t.Fatal(err)
	}
	k.in, k.out = in, bufio.NewReader(out)
	if line, err := k.out.ReadString('\n'); line != "O\n" {
		_ = k.Process.Kill()
		t.Fatalf("a process said %q, %v, %v", line, err, k.Wait())
	}
	return k
}

func (k *kid) begin(t *testing.T) {
	if _, err := k.in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
}

// count hears what the process got, until its end or until that is enough: then it is killed.
func (k *kid) count(t *testing.T, enough int) (got int) {
	for {
		line, err := k.out.ReadString('\n')
		switch {
		case line == "A\n":
			if got++; got == enough {
				_ = k.Process.Kill()
			}
		case err == nil:
			t.Errorf("a process said %q", line)
		default:
			if err := k.Wait(); err != nil && got < enough {
				t.Errorf("a process ended: %v", err)
			}
			return got
		}
	}
}
