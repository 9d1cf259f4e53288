// Command gcli2api is a reverse proxy that serves OpenAI, Gemini and Anthropic clients from a pool of
// Google credentials. This file wires the parts together and holds no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"gcli2api/console"
	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/logging"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/server"
	"gcli2api/pipeline/simulator"
	"gcli2api/plugins"
	"gcli2api/stages"
	"gcli2api/stages/upstream"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
	"gcli2api/stages/upstream/vertex"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/audit"
	"gcli2api/store/circuit"
	"gcli2api/store/ephemeral"
	"gcli2api/store/move"
	"gcli2api/store/nodes"
	"gcli2api/store/oauth"
	"gcli2api/store/open"
	"gcli2api/store/pool"
	"gcli2api/store/rekey"
	"gcli2api/store/seal"
	"gcli2api/store/settings"
	"gcli2api/store/stats"
)

// Exit codes, also in the README.
const (
	exitFailed = 1 // it could not run: port taken, folder not writable
	exitUsage  = 2 // it was told something wrong: flags, configuration
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	in, err := config.ParseArgs(args)
	if use := (*config.UsageError)(nil); errors.As(err, &use) {
		return map[bool]int{true: exitUsage}[use.Tell()]
	}
	find := func() string { return config.Find(in.File, os.Getenv("GCLI2API_CONFIG")) }
	o := config.Options{File: find(), Environ: os.Environ()}
	switch in.Command {
	case "serve":
		return serve(o, find, nil)
	case "check":
		return check(o)
	case "demo":
		return demo(in.Port)
	case "stages":
		return describe(in.Names)
	case "healthcheck":
		return healthcheck(o)
	case "migrate", "backup", "restore", "import":
		return move.Run(in, func(panel map[string]any) (*config.Snapshot, error) { return load(o.With(panel)) })
	case "rotate-secret":
		return rekey.Main(in, func() (*config.Snapshot, error) { return load(o) })
	}
	fmt.Println("gcli2api", config.Version())
	return 0
}

// load reads the configuration and refuses what could not be served.
func load(o config.Options) (*config.Snapshot, error) {
	c, err := pipeline.Load(o, catalogue(stages.Services{}))
	if err != nil {
		return nil, err
	}
	useless, wrong := pool.Check(c)
	return c.Warned(append(useless, open.Unused(c)...)), errors.Join(outbound.Check(c), open.Check(c), seal.Check(c), apikey.Check(c), audit.Check(c), wrong)
}

func check(o config.Options) int {
	c, err := load(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	for _, w := range append(c.Warnings(), c.Passwords().Warnings...) {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	fmt.Print(pipeline.Overview(c, catalogue(stages.Services{})), open.Overview(c))
	return 0
}

func describe(names []string) int {
	text, err := pipeline.Describe(catalogue(stages.Services{}), names)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		return exitUsage
	}
	fmt.Print(text)
	return 0
}

// healthcheck does without a file that is broken right now.
func healthcheck(o config.Options) int {
	c, err := load(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		o.Data = config.Rough(o.File)
		if c, err = load(o); err != nil {
			return exitFailed // Docker knows no other for a health check
		}
	}
	if err = open.StepDown(c.Int("server.run_as_uid")); err == nil {
		err = server.Probe(context.Background(), c.Listening().Host, c.Int("server.port"))
	}
	if err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "gcli2api:", err)
	return exitFailed
}

func catalogue(s stages.Services) []pipeline.Kind {
	return pipeline.InOrder(append(stages.Catalogue(s), plugins.Catalogue()...))
}

// live is the configuration in force, with the User-Agent as its dialect writes it.
type live struct{ config.Live }

func (l *live) UserAgent(model string) string { return codeassist.Agent(l.AgentTemplate(), model) }

// oauth is what signing in asks at each use.
func (l *live) oauth() oauth.Settings {
	return oauth.SettingsOf(l.Snapshot(), l.UserAgent("gemini-2.5-pro"))
}

// gateway is everything that serve opened, in the order of opening.
type gateway struct {
	o       config.Options
	find    func() string    // the file to read, when there was none; nil for a gateway that never reloads
	c       *config.Snapshot // as it was started; live has what counts now
	panel   *settings.Panel
	logins  *console.Sessions
	clock   *store.Clock
	signals *server.Signals // from before it listens: whoever sees the address may stop it
	live    *live
	ln      net.Listener
	log     *logging.Log
	kept    store.Store
	ring    *seal.Ring
	states  *pool.Memory
	figures *stats.Stats
	book    *apikey.Book
	audit   *audit.Log
	memory  *ephemeral.Memory
	backups *move.Backups
	signIns *oauth.SignIns
	out     outbound.Live
	pool    *pool.Pool
	engine  *pipeline.Engine
	server  *server.Server
	opened  []func() error // what closes them
}

// serve runs until a signal. ready is called with the address when it listens.
func serve(o config.Options, find func() string, ready func(addr string)) int {
	c, err := load(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	g := &gateway{o: o, c: c, live: &live{}, ring: seal.FromConfig(c), find: find, signals: server.Listen(find != nil)}
	g.live.Set(c)
	defer g.close()
	if err := open.TakeOver(c.String("pool.credentials_dir"), c.Int("server.run_as_uid")); err != nil {
		return failed(err)
	}
	if code, err := g.open(); err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		return code
	}
	if ready != nil {
		ready(g.ln.Addr().String())
	}
	if err := g.server.Run(server.Running{Listener: g.ln, Signals: g.signals, Reload: g.panel.Reload, Drain: func() time.Duration { return g.live.Snapshot().Duration("server.drain_timeout") }}); err != nil {
		return failed(err)
	}
	return 0
}

// open takes the port first: whoever has it may hold the folder as well.
func (g *gateway) open() (int, error) {
	at := g.c.Listening()
	ln, err := server.Bind(at.Host, g.c.Int("server.port"))
	if err != nil {
		return exitFailed, err
	}
	g.ln = ln
	g.opened = append(g.opened, func() error { _ = g.ln.Close(); return nil }) // the server closes it in most cases
	for _, step := range []func() error{g.openLog, g.openStore, g.openPool} {
		if err := step(); err != nil {
			return exitFailed, err
		}
	}
	if now := g.c.Listening(); now != at { // the password that was saved in the panel opens it
		if at, err = now, server.Rebind(&g.ln, now.Host); err != nil {
			return exitFailed, err
		}
	}
	if code, err := g.openPipeline(at.Loopback); err != nil {
		return code, err
	}
	fmt.Printf("gcli2api %s listens on http://%s\n", config.Version(), g.ln.Addr())
	if at.Restricted {
		fmt.Println("on this machine only, because nobody has set a password yet: set PASSWORD=... to open it (in a container this machine is the container: nobody gets in from outside)")
	}
	g.log.Logger().Info("started", "version", config.Version(), "address", g.ln.Addr().String(), "config", g.c.File())
	return 0, nil
}

func (g *gateway) openLog() error {
	level, err := logging.ParseLevel(g.c.String("log.level"))
	if err != nil {
		return err
	}
	g.log, err = logging.New(logging.Options{Level: level, File: g.c.String("log.file"), JSON: g.c.String("log.format") == "json", Delay: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	g.announce(g.c)
	return nil
}

// announce keeps what a configuration holds secret out of the log and says what is odd about it.
func (g *gateway) announce(c *config.Snapshot) {
	for _, secret := range c.Secrets() {
		g.log.Hide(secret)
	}
	for _, w := range append(c.Warnings(), c.Passwords().Warnings...) {
		g.log.Logger().Warn(w)
	}
}

func (g *gateway) openStore() error {
	kept, err := open.Store(g.signals.Context(), g.c, g.log.Logger())
	if err != nil {
		return err
	}
	g.clock = store.OpenClock(context.Background(), kept, g.log.Logger(), nil)
	g.kept, g.opened = kept, append(g.opened, kept.Close, g.clock.Close)
	move.NameOld(context.Background(), g.c, kept, g.log.Logger())
	if err := g.openSettings(); err != nil {
		return err
	}
	ctx, log, now := context.Background(), g.log.Logger(), g.clock.Now
	google := oauth.New(oauth.Options{HTTP: g.out.HTTP, HTTPVia: g.out.HTTPVia, Log: g.log.Logger(), Settings: g.live.oauth, Now: now})
	g.signIns = oauth.NewSignIns(oauth.SignInOptions{Client: google, Store: kept, Ring: g.ring, Hide: g.log.Hide})
	return errors.Join(
		keep(g, &g.states)(pool.Remember(ctx, kept, log, g.ring)),
		keep(g, &g.figures)(stats.Open(ctx, stats.Options{Store: kept, Log: log, Now: now, Settings: func() stats.Settings { return stats.SettingsOf(g.live.Snapshot()) }})),
		keep(g, &g.logins)(console.OpenSessions(ctx, console.SessionOptions{Store: kept, Log: log, Now: now, Seal: seal.Box{Ring: g.ring, For: seal.PanelSecret}})),
		keep(g, &g.audit)(audit.Open(ctx, audit.Options{Store: kept, Log: log, Now: now, Mask: g.log.Mask, Settings: func() audit.Settings { return audit.SettingsOf(g.live.Snapshot()) }})),
		keep(g, &g.book)(apikey.Open(ctx, apikey.Options{Store: kept, Log: log, Now: now, Hide: g.log.Hide, Ring: g.ring, Old: g.c.String("pool.credentials_dir"), Settings: func() apikey.Settings { return apikey.SettingsOf(g.live.Snapshot()) }})),
		keep(g, &g.memory)(ephemeral.OpenAt(ctx, kept, log, now)),
		keep(g, &g.backups)(move.Schedule(g.c, kept, func() move.Settings { return move.SettingsOf(g.live.Snapshot()) }, log)))
}

// openSettings lays what was saved in the panel over the file; c has it from here on.
func (g *gateway) openSettings() (err error) {
	g.panel, err = settings.Open(context.Background(), settings.Options{Store: g.kept, Log: g.log.Logger(), Mask: g.log.Mask, Ring: g.ring, Load: g.read, Apply: g.apply, Live: &g.live.Live})
	if err != nil || g.panel.Started() == g.c {
		return err
	}
	g.c = g.panel.Started()
	g.announce(g.c)
	return g.log.SetLevelName(g.c.String("log.level"))
}

// keep puts a part in its place, and has it closed at the end.
func keep[T io.Closer](g *gateway, at *T) func(T, error) error {
	return func(part T, err error) error {
		if err == nil {
			*at, g.opened = part, append(g.opened, part.Close)
		}
		return err
	}
}

func (g *gateway) openPool() (err error) {
	if err = g.out.Set(outbound.SettingsOf(g.c)); err != nil {
		return err
	}
	g.opened = append(g.opened, g.out.Close)
	g.pool, err = pool.New(pool.Options{Now: g.clock.Now, Dir: g.c.String("pool.credentials_dir"), OAuth: g.signIns.Client(), Log: g.log.Logger(), Hide: g.log.Hide,
		Environ: oauth.FromEnvironment(g.o.Environ, true), EnvLater: !g.c.Bool("pool.auto_load_env_creds"), States: g.states, Claims: g.kept, Store: g.kept, Seal: oauth.Sealed{Ring: g.ring}, Settings: pool.SettingsOf(g.c)})
	if err != nil {
		return err
	}
	g.opened = append(g.opened, g.pool.Close)
	server.Frugal(g.pool.Size())
	if g.pool.Size() == 0 && g.pool.Closed() == 0 {
		g.log.Logger().Warn("there is no credential: set GEMINI_API_KEY, put a credential file into the folder, upload one or sign in (see README)",
			"folder", g.c.String("pool.credentials_dir"))
	}
	return nil
}

func (g *gateway) openPipeline(loopback bool) (code int, err error) {
	clients := upstream.Clients{Caller: func() outbound.Caller { return &g.out }, Dialects: map[string]upstream.Dialect{
		"codeassist": codeassist.New(g.live), "gemini": geminiapi.New(g.live), "vertex": vertex.New(g.live)}}
	listing := geminiapi.NewListing(geminiapi.ListingOptions{Settings: g.live, Pool: g.pool, Caller: &g.out, Log: g.log.Logger()})
	kinds := catalogue(stages.Services{Access: g.live, Book: g.book, Pool: g.pool, Clients: clients, Stats: g.figures, Audit: g.audit, Memory: g.memory, Pictures: &g.out, Listing: listing})
	if g.engine, err = pipeline.NewEngine(pipeline.Options{Kinds: kinds, Loopback: loopback, Live: listing.Live(), Log: g.log.Logger()}); err != nil {
		return exitFailed, err
	}
	g.opened = append(g.opened, listing.Close, g.engine.Shut)
	if err := g.engine.Apply(g.c); err != nil {
		return exitUsage, pipeline.Located(g.c, err)
	}
	list := nodes.Open(nodes.Options{Store: g.kept, Log: g.log.Logger(), Address: g.ln.Addr().String(), Version: config.Version(), Keys: g.ring.IDs(), Now: store.Machine, Ahead: g.clock.Ahead, Report: g.panel.Report})
	g.panel.Follow(list.Changed)
	g.opened = append(g.opened, list.Close, g.panel.Close)
	seen := console.Services{Access: g.live, Now: g.clock.Now, Sessions: g.logins, Settings: g.panel, Nodes: list, Tester: clients, Engine: g.engine, Pool: g.pool, Stats: g.figures, Book: g.book, Audit: g.audit, Log: g.log.Logger(),
		Rekey: rekey.Inside(g.c, g.kept, g.ring, g.pool.Hold), Kept: g.states.Sync, Store: g.kept, Backup: g.backups, SignIn: g.signIns, Landing: console.NewLanding(g.c, g.log.Logger())}
	g.opened = append(g.opened, seen.Landing.Serve(seen).Close)
	g.server = server.New(server.Options{Engine: g.engine, Log: g.log.Logger(), ChatOpen: g.live.ChatOpen, GeminiSSE: g.live.GeminiSSE,
		Mount: seen.Mount, Store: circuit.Health(g.kept),
		BodyLimit: g.c.Size("server.body_limit"), BodyBudget: g.c.Size("server.body_budget"), WriteTimeout: g.c.Duration("server.write_timeout")})
	return exitFailed, open.Whole(context.Background(), g.kept)
}

// read reads all layers of the configuration as they are now.
func (g *gateway) read(panel map[string]any) (*config.Snapshot, error) {
	if g.o.File == "" && g.find != nil { // there may be one by now; one that was there stays the one
		g.o.File = g.find()
	}
	return load(g.o.With(panel))
}

// apply tries what can fail first.
func (g *gateway) apply(c *config.Snapshot) error {
	g.announce(c)
	level, err := logging.ParseLevel(c.String("log.level"))
	if err != nil {
		return err
	}
	if err := g.engine.Apply(c); err != nil {
		return pipeline.Located(c, err)
	}
	if err := g.out.Set(outbound.SettingsOf(c)); err != nil {
		return errors.Join(err, g.engine.Apply(g.live.Snapshot()))
	}
	g.pool.Apply(pool.SettingsOf(c))
	g.log.SetLevel(level)
	return nil
}

// close closes what was opened, last one first.
func (g *gateway) close() {
	var left []error
	for _, one := range slices.Backward(g.opened) {
		left = append(left, one())
	}
	if err := errors.Join(left...); err != nil {
		g.log.Logger().Error("not everything could be closed", "error", err)
	}
	if g.server != nil {
		g.log.Logger().Info("stopped")
	}
	if g.log != nil {
		_ = g.log.Close()
	}
	g.signals.Close()
}

// demo serves against a simulated Google, in a folder that is gone afterwards.
func demo(port int) int {
	google, environ, err := simulator.Playground(port)
	if err != nil {
		return failed(err)
	}
	defer google.Close()
	return serve(config.Options{Environ: environ, Overrides: map[string]any{"log.file": ""}}, nil,
		func(addr string) { fmt.Print(simulator.Invitation(addr)) })
}
