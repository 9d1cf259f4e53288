package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store/apikey"
	"gcli2api/store/embedded"
	"gcli2api/store/oauth"
	"gcli2api/store/open"
	"gcli2api/store/pool"
	"gcli2api/store/seal"
	panel "gcli2api/store/settings"
)

// errLeft says that something of the old product could not be read. What it was has been printed.
var errLeft = errors.New("not everything could be taken over: see above")

// importOld takes over what the old product left in a place.
func (d *command) importOld(ctx context.Context) error {
	if d.in.From == "" {
		return usage{errors.New("say -from PLACE: where the old product kept its data")}
	}
	old, err := d.readOld(ctx)
	if err != nil {
		return err
	}
	if old.empty() {
		return fmt.Errorf("%s: nothing of the old product was found there", old.name)
	}
	p, err := d.place(d.in.To)
	if err != nil {
		return err
	}
	begun := time.Now()
	to, err := openTarget(ctx, p, d.in.DryRun)
	var r OldReport
	if errors.Is(err, embedded.ErrHeld) {
		r, err = d.askImport(ctx, p, old)
	} else if err == nil {
		r, err = d.importInto(ctx, to, old)
		err = errors.Join(err, to.Close())
	}
	d.shown.end()
	r.join(old.wrong)
	r.print(d.out, d.in.DryRun)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "%s: %s to %s, %.1f s\n", map[bool]string{true: "nothing was written", false: "done"}[d.in.DryRun], old.name, p, time.Since(begun).Seconds())
	if len(r.Credentials.Left)+len(r.Keys.Left)+len(r.Costs.Left) > 0 {
		return errLeft
	}
	return nil
}

// importInto does it in a place that no gateway holds for itself.
func (d *command) importInto(ctx context.Context, to *Side, old *found) (r OldReport, err error) {
	t := &Taker{Store: to.Store, Place: old.id, Dry: d.in.DryRun, Tell: d.shown.count, Live: func() *config.Snapshot { return d.c }}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	google := oauth.New(oauth.Options{Log: log, Settings: func() oauth.Settings { return oauth.SettingsOf(d.c, "") }})
	t.Rules = google.Rules()
	ring := seal.FromConfig(d.c)
	keys := apikey.Options{Store: to.Store, Log: log, Now: time.Now, Ring: ring, Settings: func() apikey.Settings { return apikey.SettingsOf(d.c) }}
	t.Keys = func(ctx context.Context, old apikey.OldKeys) (apikey.OldTaken, apikey.OldTaken, error) {
		return apikey.TakeOver(ctx, keys, old)
	}
	if to.Store == nil {
		return t.Take(ctx, old.Old)
	}
	m, err := open.MarkOf(ctx, to.Store)
	if err == nil && m != nil && m.Done.IsZero() {
		err = refusal("%s has half of what a move from %s was to bring: finish that first", to.Name, m.Name)
	}
	if err != nil {
		return r, err
	}
	live := &config.Live{}
	live.Set(d.c)
	t.Panel, err = panel.Open(ctx, panel.Options{Store: to.Store, Log: log, Ring: ring, Load: d.load,
		Apply: func(*config.Snapshot) error { return nil }, Live: live})
	if err != nil {
		return r, err
	}
	t.Live = live.Snapshot
	if d.in.DryRun {
		return t.Take(ctx, old.Old)
	}
	states, err := pool.Remember(ctx, to.Store, log, ring)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, states.Close()) }()
	t.Kept = states.Sync
	set := pool.SettingsOf(d.c)
	set.APIKeys, set.VertexKeys = nil, nil // they are no part of what is kept
	p, err := pool.New(pool.Options{Still: true, Dir: to.Folder, OAuth: google, Log: log, States: states, Claims: to.Store, Store: to.Store, Seal: oauth.Sealed{Ring: ring}, Settings: set})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	t.Pool = p
	return t.Take(ctx, old.Old)
}

func (r *OldReport) join(more OldReport) {
	r.Credentials.Left = append(r.Credentials.Left, more.Credentials.Left...)
	r.Keys.Left = append(r.Keys.Left, more.Keys.Left...)
	r.Settings.Left = append(r.Settings.Left, more.Settings.Left...)
}

func (r *OldReport) print(w io.Writer, dry bool) {
	taken := map[bool]string{true: "would be taken over", false: "taken over"}[dry]
	for _, one := range r.parts() {
		fmt.Fprintf(w, "%s: %d %s, %d here already, %d not taken\n", one.name, one.part.Taken, taken, one.part.Known, len(one.part.Left))
	}
	for _, one := range r.parts() {
		for i, line := range one.part.Left {
			if i == mostSaid && one.name != "settings" {
				fmt.Fprintf(w, "and %d more %s\n", len(one.part.Left)-i, one.name)
				break
			}
			fmt.Fprintf(w, "not taken (%s): %s\n", one.name, line)
		}
	}
	slices.Sort(r.Notes)
	for i, line := range slices.Compact(r.Notes) {
		if i == mostSaid {
			fmt.Fprintln(w, "and more notes of this kind")
			break
		}
		fmt.Fprintln(w, "note:", line)
	}
}

// namedPart is one kind of data with its name.
type namedPart struct {
	name string
	part *OldPart
}

func (r *OldReport) parts() []namedPart {
	return []namedPart{{"credentials", &r.Credentials}, {"API keys", &r.Keys}, {"costs of models", &r.Costs}, {"settings", &r.Settings}}
}
