package move

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/open"
	"gcli2api/store/seal"
)

// Settings are those of [backup].
type Settings struct {
	Dir    string // "" makes none
	Every  time.Duration
	Keep   int
	Secret string // "" leaves archives readable
}

// SettingsOf reads them.
func SettingsOf(c *config.Snapshot) Settings {
	s := Settings{Dir: c.String("backup.dir"), Every: c.Duration("backup.every"), Keep: c.Int("backup.keep"), Secret: c.String("keys.secret_key")}
	if len(s.Secret) < seal.MinSecret {
		s.Secret = ""
	}
	return s
}

// Options are what Backups need.
type Options struct {
	Store    store.Store
	Place    open.Place // where the store is
	Settings func() Settings
	Log      *slog.Logger
	Now      func() time.Time // nil for time.Now
}

// Backups writes archives of a gateway that runs: when they are due, and when somebody asks for one.
type Backups struct {
	o      Options
	side   Side
	owner  string
	cancel context.CancelFunc
	owned  sync.WaitGroup
}

// How often it is looked whether a backup is due, and when one that failed is tried again.
const (
	lookEvery  = time.Minute
	againAfter = 10 * time.Minute
	backupTime = 5 * time.Minute // of the lease; it is renewed while the archive is written
)

// Schedule begins for the gateway of a configuration. Nothing is due before the settings name a folder.
func Schedule(c *config.Snapshot, kept store.Store, settings func() Settings, log *slog.Logger) (*Backups, error) {
	p, err := open.PlaceOf(c)
	if err != nil {
		return nil, err
	}
	return Begin(Options{Store: kept, Place: p, Settings: settings, Log: log}), nil
}

// Begin begins.
func Begin(o Options) *Backups {
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Backups{o: o, side: Side{Name: o.Place.String(), Store: o.Store}, owner: rand.Text(), cancel: cancel}
	if o.Place.Engine == open.File {
		b.side.Folder = o.Place.Folder
	}
	b.owned.Go(func() { b.run(ctx) })
	return b
}

// Close ends a backup that is being written, and waits for that.
func (b *Backups) Close() error {
	b.cancel()
	b.owned.Wait()
	return nil
}

func (b *Backups) run(ctx context.Context) {
	for {
		wait := lookEvery
		if name, err := b.due(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Error("the backup failed, it is tried again in ten minutes", "error", err)
			wait = againAfter
		} else if name != "" {
			b.o.Log.Info("backup written", "file", name)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// due writes a backup if it is time, and returns its name.
func (b *Backups) due(ctx context.Context) (name string, err error) {
	set := b.o.Settings()
	if set.Dir == "" || !b.isDue(set) {
		return "", nil
	}
	hold := func() (bool, error) { return b.o.Store.Claim(ctx, "backup", b.owner, backupTime) }
	if mine, err := hold(); err != nil || !mine || !b.isDue(set) { // another node was about to
		return "", err
	}
	defer b.o.Store.Claim(context.WithoutCancel(ctx), "backup", b.owner, 0) // else it runs out
	if err := os.MkdirAll(set.Dir, 0o700); err != nil {
		return "", err
	}
	name = nameOf(b.o.Now(), set.Secret != "")
	held := time.Now()
	tell := func(*Count) {
		if time.Since(held) > backupTime/4 {
			held = time.Now()
			_, _ = hold() // without it two nodes write a backup each
		}
	}
	var wrong []string
	err = writeWhole(filepath.Join(set.Dir, name), func(w io.Writer) (err error) {
		wrong, err = b.write(ctx, w, set.Secret, tell)
		return err
	})
	if err != nil {
		return "", err
	}
	for _, line := range wrong {
		b.o.Log.Warn("not everything is in the backup", "file", name, "missing", line)
	}
	return name, retain(set, b.o.Now())
}

func (b *Backups) isDue(set Settings) bool {
	files, err := listBackups(set.Dir)
	files = past(files, b.o.Now().Add(set.Every))
	return err != nil || len(files) == 0 || !b.o.Now().Before(files[0].Made.Add(set.Every))
}

func (b *Backups) write(ctx context.Context, w io.Writer, secret string, tell func(*Count)) ([]string, error) {
	side := b.side // its problems are those of one archive
	_, wrong, err := Write(ctx, w, &side, secret, tell)
	return wrong, err
}

// WriteTo writes an archive as of now, encrypted where there is a SECRET_KEY and plain is false. What could
// not be read is logged.
func (b *Backups) WriteTo(ctx context.Context, w io.Writer, plain bool) error {
	secret := b.o.Settings().Secret
	if plain {
		secret = ""
	}
	wrong, err := b.write(ctx, w, secret, func(*Count) {})
	for _, line := range wrong {
		b.o.Log.Warn("not everything is in the archive", "missing", line)
	}
	return err
}

// Name is what an archive of now is called.
func (b *Backups) Name(plain bool) string {
	return nameOf(b.o.Now(), b.o.Settings().Secret != "" && !plain)
}

// Folder is the whole path of the credentials folder, "" where they are in a database.
func (b *Backups) Folder() string {
	if b.side.Folder == "" {
		return ""
	}
	return realPath(b.side.Folder)
}

// Scheduled are the settings and the backups that lie in their folder, newest first.
func (b *Backups) Scheduled() (Settings, []Backup, error) {
	set := b.o.Settings()
	if set.Dir == "" {
		return set, nil, nil
	}
	files, err := listBackups(set.Dir)
	return set, files, err
}

// Backup is one file.
type Backup struct {
	Name      string
	Size      int64
	Made      time.Time
	Encrypted bool
}

const (
	nameBegin  = "gcli2api-"
	nameEnd    = ".tar.gz"
	nameSealed = ".sealed"
)

// nameOf is what an archive of a time is called.
func nameOf(now time.Time, sealed bool) string {
	name := nameBegin + now.UTC().Format(stampForm) + nameEnd
	if sealed {
		name += nameSealed
	}
	return name
}

// listBackups lists the files that have a name of ours, newest first.
func listBackups(dir string) ([]Backup, error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the folder of the backups: %w", err)
	}
	var files []Backup
	for _, d := range all {
		stamp, sealed := strings.CutSuffix(d.Name(), nameSealed)
		made, err := time.Parse(nameBegin+stampForm+nameEnd, stamp)
		if err != nil || nameOf(made, sealed) != d.Name() || !d.Type().IsRegular() {
			continue
		}
		if info, err := d.Info(); err == nil {
			files = append(files, Backup{d.Name(), info.Size(), made, sealed})
		}
	}
	slices.SortFunc(files, func(a, b Backup) int { return b.Made.Compare(a.Made) })
	return files, nil
}

// past leaves out what comes from the future: a clock was wrong then. Waiting for that time might take years, and
// counting those as the newest would cost all others.
func past(files []Backup, now time.Time) []Backup {
	return slices.DeleteFunc(files, func(f Backup) bool { return f.Made.After(now) })
}

// retain removes the oldest backups beyond those to keep, and what a crash left of one.
func retain(set Settings, now time.Time) error {
	files, err := listBackups(set.Dir)
	if err != nil {
		return err
	}
	files = past(files, now.Add(set.Every))
	var gone []string
	for _, f := range files[min(max(set.Keep, 1), len(files)):] {
		gone = append(gone, f.Name)
	}
	half := regexp.MustCompile(`^\.gcli2api-\d{8}T\d{6}Z\.tar\.gz(\.sealed)?\.\d+\.tmp$`)
	all, err := os.ReadDir(set.Dir)
	for _, d := range all {
		if info, err := d.Info(); err == nil && half.MatchString(d.Name()) && info.ModTime().Before(now.Add(-24*time.Hour)) {
			gone = append(gone, d.Name())
		}
	}
	for _, name := range gone {
		err = errors.Join(err, os.Remove(filepath.Join(set.Dir, name)))
	}
	return err
}
