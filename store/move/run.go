package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store/embedded"
	"gcli2api/store/open"
	"gcli2api/store/seal"
)

// Exit codes, as in main.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usage is an error of the command line.
type usage struct{ error }

// command is one run of migrate, backup, restore or import.
type command struct {
	load   func(panel map[string]any) (*config.Snapshot, error)
	in     config.Invocation
	c      *config.Snapshot
	out    io.Writer
	secret string
	shown  *progress

	silence time.Duration
}

// Run makes a command of the command line, and returns the exit code.
func Run(in config.Invocation, load func(panel map[string]any) (*config.Snapshot, error)) int {
	c, err := load(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &command{load: load, in: in, c: c, out: os.Stdout, secret: c.String("keys.secret_key"), shown: newProgress(os.Stderr), silence: silence}
	err = d.run(ctx)
	d.shown.end()
	use := usage{}
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && in.Command == "backup":
		fmt.Fprintln(os.Stderr, "gcli2api: interrupted, nothing was left behind")
	case ctx.Err() != nil && in.Command == "import":
		fmt.Fprintln(os.Stderr, "gcli2api: interrupted: the same command again goes on from here")
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "gcli2api: interrupted: the same command again goes on from here; until then no gateway serves what is there")
	case errors.As(err, &use):
		fmt.Fprintf(os.Stderr, "gcli2api: %v\n(gcli2api %s --help tells more)\n", err, in.Command)
		return exitUsage
	default:
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
	}
	return exitFailed
}

func (d *command) run(ctx context.Context) error {
	if n := len(d.secret); n > 0 && n < seal.MinSecret {
		return usage{fmt.Errorf("keys.secret_key (SECRET_KEY) must have at least %d characters to encrypt with it", seal.MinSecret)}
	}
	switch d.in.Command {
	case "migrate":
		return d.migrate(ctx)
	case "backup":
		return d.backup(ctx)
	case "import":
		return d.importOld(ctx)
	}
	return d.restore(ctx)
}

// secrets open an archive: the one in force, and those that were.
func (d *command) secrets() []string {
	return append([]string{d.secret}, d.c.Strings("keys.old_secret_keys")...)
}

// place reads an address of the command line; what it leaves out is as in the settings.
func (d *command) place(text string) (open.Place, error) {
	p, err := open.PlaceOf(d.c)
	if err != nil || text == "" {
		return p, err
	}
	if text, err = fromEnv(text); err != nil {
		return p, err
	}
	if p, err = open.ParsePlace(text, p); err != nil {
		return p, usage{err}
	}
	switch p.Engine {
	case open.Redis:
		p.Database = fmt.Sprint(d.c.Int("store.redis_database"))
	case open.MongoDB:
		p.Database = d.c.String("store.mongodb_database")
	default:
		p.Database = ""
	}
	return p, nil
}

// fromEnv is an address that env:NAME gives by a variable: others on the machine see the command line.
func fromEnv(text string) (string, error) {
	name, is := strings.CutPrefix(text, "env:")
	if !is {
		return text, nil
	}
	if text = os.Getenv(name); text == "" {
		return "", usage{fmt.Errorf("the environment variable %q has no address in it", printable(name))}
	}
	return text, nil
}

func (d *command) migrate(ctx context.Context) error {
	if d.in.From == "" && d.in.To == "" {
		return usage{errors.New("say -to PLACE, or -from PLACE; the other end is what the configuration says")}
	}
	if _, err := d.place(d.in.To); err != nil { // said before anything is looked at
		return err
	}
	p, err := d.place(d.in.From)
	if err != nil {
		return err
	}
	from, err := openSource(ctx, p)
	if errors.Is(err, embedded.ErrHeld) {
		return fmt.Errorf("a gateway runs on %s, and would go on writing there: stop it first. A copy of one that runs is made by: gcli2api backup", p)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	return d.move(ctx, &job{from: from, id: from.ID, name: from.Name})
}

// move fills a job in and runs it.
func (d *command) move(ctx context.Context, j *job) error {
	p, err := d.place(d.in.To)
	if err != nil {
		return err
	}
	if from, is := j.from.(*Side); is && from.ID == idOf(p) {
		return refusal("%s is both ends of the move", p)
	}
	if j.to, err = openTarget(ctx, p, d.in.DryRun); err != nil {
		return err
	}
	j.silence, j.silent = d.silence, map[*Side]map[string]string{}
	j.dry, j.force, j.live, j.say, j.progress = d.in.DryRun, d.in.Force, d.in.Live, d.out, d.shown.tell
	begun := time.Now()
	err = j.run(ctx)
	d.shown.end()
	if err = errors.Join(err, j.to.Close()); err == nil {
		fmt.Fprintf(d.out, "%s: %s to %s, %.1f s\n", map[bool]string{true: "nothing was written, it would go well", false: "done"}[j.dry], j.name, j.to.Name, time.Since(begun).Seconds())
	}
	return err
}

func (d *command) restore(ctx context.Context) error {
	if d.in.Archive == "" {
		return usage{errors.New("say -in FILE, the archive")}
	}
	a, err := openArchive(d.in.Archive, d.secrets()...)
	if err != nil {
		return err
	}
	defer a.Close()
	a.summary(d.out)
	return d.move(ctx, &job{from: a, id: a.id, name: "the archive " + d.in.Archive})
}

func (d *command) backup(ctx context.Context) error {
	path, secret := d.in.Archive, d.secret
	if d.in.Plain {
		secret = ""
	}
	if path == "" {
		path = nameOf(time.Now(), secret != "")
	}
	if path == "-" {
		d.out = os.Stderr
	} else if _, err := os.Lstat(path); err == nil {
		return refusal("%s is there already: name another file with -out", path)
	}
	p, err := d.place(d.in.From)
	if err != nil {
		return err
	}
	from, err := openSource(ctx, p)
	var wrong []string
	var m Manifest
	fill := func(w io.Writer) (err error) {
		m, wrong, err = Write(ctx, w, from, secret, d.shown.tell)
		return err
	}
	switch {
	case errors.Is(err, embedded.ErrHeld):
		fill = func(w io.Writer) (err error) {
			m, err = d.fetch(ctx, p, w)
			return err
		}
	case err != nil:
		return err
	default:
		defer from.Close()
	}
	if path == "-" {
		err = fill(os.Stdout)
	} else if err = writeWhole(path, fill); err != nil {
		err = fmt.Errorf("%s was not written: %w", path, err)
	}
	if err != nil {
		return err
	}
	return d.written(path, secret, m, wrong)
}

// written says what an archive has in it.
func (d *command) written(path, secret string, m Manifest, wrong []string) error {
	docs := 0
	for _, n := range m.Tables {
		docs += n
	}
	fmt.Fprintf(d.out, "%s: %d documents, %d counters\n", strings.Replace(path, "-", "the standard output", map[bool]int{true: 1}[path == "-"]), docs, m.Counters)
	if secret == "" {
		fmt.Fprintln(d.out, "it is not encrypted: credentials lie in it as they lie in the store; keep it like a password")
	}
	p := problems{wrong}
	p.print(d.out)
	if len(wrong) > 0 {
		return errDiffers
	}
	return nil
}
