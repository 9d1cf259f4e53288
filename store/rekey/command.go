package rekey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/nodes"
	"gcli2api/store/open"
	"gcli2api/store/seal"
)

// Exit codes, as of the other commands.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Main is the command rotate-secret. load reads the configuration.
func Main(in config.Invocation, load func() (*config.Snapshot, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := load()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	wish := Wish{Dry: in.DryRun, Plain: in.Plain, Live: in.Live}
	ring := seal.FromConfig(c)
	if err := wish.Fits(ring); err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		return exitUsage
	}
	total, err := anywhere(ctx, c, Options{Ring: ring, Config: c, Dry: wish.Dry, Tell: (&teller{to: os.Stderr}).tell}, wish)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "give the same command again to go on")
		}
		return exitFailed
	}
	fmt.Println(wish.Said(total))
	if total.Stuck > 0 {
		return exitFailed
	}
	return 0
}

// anywhere asks the gateway that holds the folder, or does it itself.
func anywhere(ctx context.Context, c *config.Snapshot, o Options, wish Wish) (Count, error) {
	p, err := open.PlaceOf(c)
	if err != nil {
		return Count{}, err
	}
	if held(ctx, p) {
		return ask(ctx, c, wish)
	}
	s, err := open.Store(ctx, c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return Count{}, err
	}
	o.Store = s
	if store.Alone(s) {
		o.Folder = p.Folder
	}
	var total Count
	if err = wish.open(ctx, s, o.Ring); err == nil {
		total, err = Run(ctx, o)
	}
	return total, errors.Join(err, s.Close())
}

// held tells that another process has the file of a folder.
func held(ctx context.Context, p open.Place) bool {
	if p.Engine != open.File {
		return false
	}
	s, err := p.Open(ctx)
	if err != nil {
		return errors.Is(err, embedded.ErrHeld)
	}
	return s.Close() != nil
}

// Wish is what somebody asks for.
type Wish struct{ Dry, Plain, Live bool }

// ErrBlind is when a gateway at work could not open what would be written.
var ErrBlind = errors.New("cannot open what would be sealed with the SECRET_KEY in force")

// open refuses to take their credentials from gateways at work that share the store.
func (w Wish) open(ctx context.Context, s store.Store, ring *seal.Ring) error {
	if w.Plain || w.Live || store.Alone(s) || !ring.Seals() {
		return nil
	}
	key := ring.IDs()[0]
	blind, err := nodes.Blind(ctx, s, key)
	if err != nil {
		return fmt.Errorf("ask which keys the gateways have: %w", err)
	}
	if len(blind) == 0 {
		return nil
	}
	return fmt.Errorf("these gateways at work %w (key %s): %s: nothing was written; start them with the new SECRET_KEY and the one before in OLD_SECRET_KEYS first, "+
		"then give this command again; -live goes on anyway, and they lose their credentials until then", ErrBlind, key, strings.Join(blind, ", "))
}

// Fits says why a wish cannot be granted with a ring.
func (w Wish) Fits(ring *seal.Ring) error {
	switch {
	case w.Plain && ring.Seals():
		return errors.New("-plain: SECRET_KEY is set, so what the gateway writes would be sealed again: move it to OLD_SECRET_KEYS first")
	case w.Plain && len(ring.Secrets()) == 0:
		return errors.New("-plain: set OLD_SECRET_KEYS to the key that opens what is sealed")
	case !w.Plain && !ring.Seals():
		return errors.New("set SECRET_KEY to the key to seal with (openssl rand -hex 32); to open what is sealed, say -plain")
	}
	return nil
}

// Said is what came of it, in a line.
func (w Wish) Said(total Count) string {
	switch {
	case w.Dry:
		return "nothing was written; it would be: " + total.String()
	case w.Plain:
		return "opened: " + total.String()
	}
	return "sealed with the key in force: " + total.String()
}

// teller writes how far it is, a line each second at the most and one for each kind.
type teller struct {
	to   io.Writer
	kind string
	so   Count
	last time.Time
}

func (t *teller) tell(kind string, so Count) {
	if kind == t.kind && time.Since(t.last) < time.Second && so.Seen%page == 0 || so.Seen == 0 {
		return
	}
	t.kind, t.so, t.last = kind, so, time.Now()
	fmt.Fprintf(t.to, "%s: %s\n", kind, so)
}
