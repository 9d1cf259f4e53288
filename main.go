// Command gcli2api is a reverse proxy that serves OpenAI and Gemini clients from a pool of Google
// credentials. This file wires the parts together and holds no logic of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gcli2api/console"
	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/logging"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/server"
	"gcli2api/pipeline/simulator"
	"gcli2api/plugins"
	"gcli2api/stages"
	"gcli2api/stages/upstream"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/stats"
)

// Exit codes, also in the README.
const (
	exitFailed = 1 // it could not run: port taken, folder not writable
	exitUsage  = 2 // it was told something wrong: flags, configuration
)

const usage = `gcli2api serves OpenAI and Gemini clients from a pool of Google credentials.

usage: gcli2api [command] [flags]

commands:
  serve     answer requests (the default)
  demo      serve against a simulated Google on 127.0.0.1:7861, nothing needed
  check     read the configuration, say what is wrong or print the list of stages
  version   print the version

flags of serve and check:
  -config FILE   configuration; else $GCLI2API_CONFIG, else config.toml, else defaults
flags of demo:
  -port N        port to listen on (7861)

exit codes: 0 well, 1 it could not run, 2 it was told something wrong
`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("gcli2api "+command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file, port := "", 7861
	switch command {
	case "serve", "check":
		flags.StringVar(&file, "config", "", "")
	case "demo":
		flags.IntVar(&port, "port", port, "")
	case "version", "help":
	default:
		return badUsage(fmt.Errorf("unknown command %q", command))
	}
	if err := flags.Parse(args); err != nil {
		return badUsage(err)
	}
	if flags.NArg() > 0 {
		return badUsage(fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if port < 1 || port > 65535 {
		return badUsage(fmt.Errorf("-port must be between 1 and 65535, got %d", port))
	}
	o := config.Options{File: config.Find(file, os.Getenv("GCLI2API_CONFIG")), Environ: os.Environ()}
	switch command {
	case "serve":
		return serve(o, nil)
	case "check":
		return check(o)
	case "demo":
		return demo(port)
	case "version":
		fmt.Println("gcli2api", version())
		return 0
	}
	return badUsage(flag.ErrHelp)
}

func badUsage(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return 0
	}
	fmt.Fprintf(os.Stderr, "gcli2api: %v\n\n%s", err, usage)
	return exitUsage
}

// version is what the build says about itself: a release, else the commit.
func version() string {
	name := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		name = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && (name == "" || name == "(devel)") {
				name = s.Value
			}
		}
	}
	return name + " (" + runtime.Version() + ")"
}

// load reads the configuration against the settings of every stage there is, and refuses what
// could not be served.
func load(o config.Options, kinds []pipeline.Kind) (*config.Snapshot, error) {
	for _, k := range kinds {
		o.Params = append(o.Params, k.Params...)
		o.Stages = append(o.Stages, k.Name)
	}
	c, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	m := models.Defaults()
	if err := c.Section("models", &m); err != nil {
		return nil, err
	}
	if _, err := models.New(m); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":") // it begins with the key
		return nil, fmt.Errorf("%s: %w", c.Place(key), err)
	}
	if err := outbound.Check(c); err != nil {
		return nil, err
	}
	return c, checkList(c, kinds)
}

func check(o config.Options) int {
	kinds := catalogue(stages.Services{})
	c, err := load(o, kinds)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	for _, w := range append(c.Warnings(), c.Passwords().Warnings...) {
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	does := map[string]string{}
	for _, k := range kinds {
		does[k.Name] = k.Does
	}
	fmt.Print(c.Overview(does))
	return 0
}

// checkList builds the list of stages without serving it.
func checkList(c *config.Snapshot, kinds []pipeline.Kind) error {
	engine, err := pipeline.NewEngine(pipeline.Options{Kinds: kinds, Loopback: c.Listening().Loopback})
	if err != nil {
		return err
	}
	if err := engine.Check(c); err != nil {
		return located(c, err)
	}
	return nil
}

// located says where in the configuration the list stands that does not work.
func located(c *config.Snapshot, err error) error {
	key := "pipeline.order"
	var stage *pipeline.StageError
	if errors.As(err, &stage) {
		key = "stage." + stage.Stage
	}
	return fmt.Errorf("%s: %s: %w", c.Place(key), key, err)
}

func catalogue(s stages.Services) []pipeline.Kind {
	return append(stages.Catalogue(s), plugins.Catalogue()...)
}

// live is the configuration in force; the User-Agent is filled in where its dialect is known.
type live struct{ config.Live }

func (l *live) UserAgent(model string) string { return codeassist.Agent(l.AgentTemplate(), model) }

// gateway is everything that serve opened, in the order of opening.
type gateway struct {
	c      *config.Snapshot
	log    *logging.Log
	live   *live
	out    *outbound.Client
	pool   *pool.Pool
	engine *pipeline.Engine
	server *server.Server
	ln     net.Listener
	stop   chan os.Signal // from before it listens: whoever sees the address may stop it
}

// serve runs until a signal. ready is called with the address when it listens.
func serve(o config.Options, ready func(addr string)) int {
	c, err := load(o, catalogue(stages.Services{}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	g := &gateway{c: c, live: &live{}, stop: make(chan os.Signal, 1)}
	signal.Notify(g.stop, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signal.Notify(g.stop, syscall.SIGHUP)
	}
	g.live.Set(c)
	if code, err := g.open(); err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		g.close()
		return code
	}
	if ready != nil {
		ready(g.ln.Addr().String())
	}
	return g.run()
}

// open takes the port first: whoever has it may hold the folder as well.
func (g *gateway) open() (int, error) {
	at := g.c.Listening()
	ln, err := net.Listen("tcp", net.JoinHostPort(at.Host, strconv.Itoa(g.c.Int("server.port"))))
	if errors.Is(err, syscall.EADDRINUSE) {
		return exitFailed, fmt.Errorf("cannot listen: %w; set PORT or server.port (demo: -port) to another one", err)
	}
	if err != nil {
		return exitFailed, fmt.Errorf("cannot listen: %w", err)
	}
	g.ln = ln
	if err := g.openLog(); err != nil {
		return exitFailed, err
	}
	fmt.Printf("gcli2api %s listens on http://%s\n", version(), ln.Addr())
	g.log.Logger().Info("started", "version", version(), "address", ln.Addr().String(), "config", g.c.File())
	if at.Restricted {
		fmt.Println("on this machine only, because nobody has set a password yet: set PASSWORD=... to open it")
	}
	if err := g.openPool(); err != nil {
		return exitFailed, err
	}
	return g.openPipeline(at.Loopback)
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
	for _, secret := range g.c.Secrets() {
		g.log.Hide(secret)
	}
	for _, w := range append(g.c.Warnings(), g.c.Passwords().Warnings...) {
		g.log.Logger().Warn(w)
	}
	return nil
}

func (g *gateway) openPool() error {
	where, err := outbound.EndpointsOf(g.c).Validate()
	if err != nil {
		return err
	}
	g.out, err = outbound.New(outbound.SettingsOf(g.c))
	if err != nil {
		return err
	}
	signIn := oauth.New(oauth.Options{HTTP: g.out.HTTP, Log: g.log.Logger(), Settings: func() oauth.Settings {
		return oauth.Settings{Endpoints: where, UserAgent: g.live.UserAgent("gemini-2.5-pro"),
			ClientID: g.c.String("google.oauth_client_id"), ClientSecret: g.c.String("google.oauth_client_secret")}
	}})
	g.pool, err = pool.New(pool.Options{Dir: g.c.String("pool.credentials_dir"), OAuth: signIn, Log: g.log.Logger(), Hide: g.log.Hide,
		Settings: pool.Settings{CallsPerRotation: g.c.Int("pool.calls_per_rotation"), APIKeys: g.c.Strings("pool.gemini_api_keys"),
			AutoBan: g.c.Bool("pool.auto_ban"), AutoBanCodes: g.c.Ints("pool.auto_ban_error_codes")}})
	if err == nil && len(g.pool.Status()) == 0 {
		g.log.Logger().Warn("there is no credential: set GEMINI_API_KEY, or put a credential file into the folder",
			"folder", g.c.String("pool.credentials_dir"))
	}
	return err
}

func (g *gateway) openPipeline(loopback bool) (code int, err error) {
	figures := stats.New()
	clients := upstream.Clients{Caller: func() outbound.Caller { return g.out }, Dialects: map[string]upstream.Dialect{
		"codeassist": codeassist.New(g.live), "gemini": geminiapi.New(g.live)}}
	kinds := catalogue(stages.Services{Access: g.live, Pool: g.pool, Clients: clients, Stats: figures})
	g.engine, err = pipeline.NewEngine(pipeline.Options{Kinds: kinds, Loopback: loopback, Log: g.log.Logger()})
	if err != nil {
		return exitFailed, err
	}
	if err := g.engine.Apply(g.c); err != nil {
		return exitUsage, located(g.c, err)
	}
	seen := console.Services{Access: g.live, Engine: g.engine, Pool: g.pool, Stats: figures, Log: g.log.Logger()}
	g.server = server.New(server.Options{Engine: g.engine, Log: g.log.Logger(), ChatOpen: g.live.ChatOpen, GeminiSSE: g.live.GeminiSSE,
		Mount:     seen.Mount,
		BodyLimit: g.c.Size("server.body_limit"), BodyBudget: g.c.Size("server.body_budget"), WriteTimeout: g.c.Duration("server.write_timeout")})
	return 0, nil
}

// run serves until a signal, then drains: exchanges may finish, the rest is cancelled.
func (g *gateway) run() int {
	drain := g.c.Duration("server.drain_timeout")
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(g.ln) }()
	code := 0
	select {
	case err := <-served:
		fmt.Fprintln(os.Stderr, "gcli2api: serving failed:", err)
		code = exitFailed
	case s := <-g.stop:
		signal.Stop(g.stop) // a second signal ends the process at once
		g.log.Logger().Info("stopping: running requests may finish; a second signal ends at once",
			"signal", s.String(), "requests", g.server.Active(), "at_most", drain)
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := g.server.Shutdown(ctx); err != nil {
		g.log.Logger().Warn("not everything could finish", "error", err)
	}
	g.close()
	return code
}

// close closes what was opened, last one first.
func (g *gateway) close() {
	if g.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := g.engine.Close(ctx); err != nil {
			g.log.Logger().Warn("stages did not close in time", "error", err)
		}
	}
	if g.pool != nil {
		g.pool.Close()
	}
	if g.out != nil {
		_ = g.out.Close()
	}
	if g.ln != nil {
		_ = g.ln.Close()
	}
	if g.server != nil {
		g.log.Logger().Info("stopped")
	}
	if g.log != nil {
		_ = g.log.Close()
	}
}

// demo serves against a simulated Google, in a folder that is gone afterwards.
func demo(port int) int {
	dir, err := os.MkdirTemp("", "gcli2api-demo-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		return exitFailed
	}
	defer os.RemoveAll(dir)
	google, environ, err := simulator.Playground(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gcli2api:", err)
		return exitFailed
	}
	defer google.Close()
	environ = append(environ, "HOST=127.0.0.1", "PORT="+strconv.Itoa(port))
	return serve(config.Options{Environ: environ, Overrides: map[string]any{"log.file": ""}},
		func(addr string) { fmt.Print(simulator.Invitation(addr)) })
}
