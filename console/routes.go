// Package console is what an operator sees: the panel's API.
//
// Every route stands in one table. They take the panel password as Bearer, or the token of a session that began
// with it. Panel pages come later.
package console

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"gcli2api/pipeline"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/audit"
	"gcli2api/store/move"
	"gcli2api/store/nodes"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/rekey"
	"gcli2api/store/settings"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// Access is what the console asks about who may come in, at each request.
type Access interface {
	PanelPassword() string // never empty
	PanelOpen() bool       // false: nobody chose a panel password, so only loopback peers are answered
}

// Services are what the console shows.
type Services struct {
	Access Access
	Engine *pipeline.Engine
	Pool   *pool.Pool
	Stats  *stats.Stats
	Store  store.Store // nil for a console that shows none

	Sessions *Sessions       // nil knows the password only
	Settings *settings.Panel // nil lets nobody change settings
	Nodes    *nodes.List     // nil for a gateway that knows of no others
	Book     *apikey.Book    // API keys, quotas, costs
	Audit    *audit.Log      // who changed what, and which requests came
	Backup   *move.Backups   // nil makes none
	Rekey    *rekey.Service  // nil keeps nothing that is sealed
	Tester   Tester          // makes the calls of /creds/test
	Log      *slog.Logger    // nil is slog.Default

	SignIn  *oauth.SignIns // nil lets nobody sign in
	Landing *Landing       // where browsers come back to from signing in

	// Kept returns when all changes of the pool so far are durable, or says that they are not; nil for a
	// pool that forgets.
	Kept func(ctx context.Context) error

	Now func() time.Time // of what nodes share; nil is time.Now

	uploads chan struct{} // those under way
	backing chan struct{} // backups that are being sent
	taking  chan struct{} // what the old product kept, while it is taken over
	stall   time.Duration // how long a backup waits for its reader; 0 is the default
	logins  *throttle     // of the password; nil is the default
	tries   *throttle     // of looking a key up without a password; nil is the default
}

func (s Services) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// permission says who may use a route.
type permission uint8

const (
	panel  permission = iota // holders of the panel password
	anyone                   // public: what it answers depends on what the caller brings
	holder                   // public, and from everywhere, whoever chose a password or not: there is nothing to take over
)

type route struct {
	method, path string
	who          permission
	handle       fiber.Handler
}

// routes is the whole API on one screen.
func (s Services) routes() []route {
	return []route{
		{"GET", "/pipeline", panel, s.pipeline},
		{"GET", "/creds/status", panel, s.credentials},
		{"GET", "/creds/detail", panel, s.detail},
		{"GET", "/creds/rules", panel, s.rules},
		{"GET", "/creds/breakers", panel, s.breakers},
		{"POST", "/creds/action", panel, s.act},
		{"POST", "/creds/configure", panel, s.configure},
		{"POST", "/creds/test", panel, s.test},
		{"POST", "/creds/test/:filename", panel, s.test},
		{"POST", "/creds/verify", panel, s.verify},
		{"POST", "/creds/verify-project/:filename", panel, s.verify},
		{"POST", "/creds/quota", panel, s.quota},
		{"POST", "/creds/fetch-email/:filename", panel, s.email},
		{"POST", "/creds/refresh-all-emails", panel, s.emails},
		{"POST", "/creds/batch-action", panel, s.actMany},
		{"POST", "/auth/upload", panel, s.upload},
		{"POST", "/creds/add", panel, s.add},
		{"GET", "/creds/download/:filename", panel, s.download},
		{"GET", "/creds/download-all", panel, s.downloadAll},
		{"GET", "/creds/quarantine", panel, s.quarantine},
		{"POST", "/creds/deduplicate", panel, s.deduplicate},
		{"POST", "/auth/load-env-creds", panel, s.loadEnv},
		{"DELETE", "/auth/env-creds", panel, s.clearEnv},
		{"GET", "/auth/env-creds-status", panel, s.envStatus},
		{"POST", "/auth/login", anyone, s.login},
		{"POST", "/auth/logout", panel, s.logout},
		{"POST", "/auth/start", anyone, s.startSignIn},
		{"POST", "/auth/callback", anyone, s.awaitSignIn},
		{"POST", "/auth/callback-url", anyone, s.pasteSignIn},
		{"GET", landingPath, anyone, s.land},
		{"GET", "/auth/status/:project_id", panel, s.signInStatus},
		{"POST", "/auth/keys", panel, s.createKey},
		{"GET", "/auth/keys", panel, s.keys},
		{"POST", "/auth/keys/batch", panel, s.createKeys}, // before the names of keys
		{"GET", "/auth/keys/export", panel, s.exportKeys},
		{"GET", "/auth/keys/:name", panel, s.key},
		{"PATCH", "/auth/keys/:name", panel, s.editKey},
		{"DELETE", "/auth/keys/:name", panel, s.deleteKey},
		{"POST", "/auth/keys/:name/top-up", panel, s.topUpKey},
		{"POST", "/auth/keys/:name/rotate", panel, s.rotateKey},
		{"POST", "/auth/keys/:name/reset", panel, s.resetKey},
		{"GET", "/auth/keys/:name/reveal", panel, s.revealKey},
		{"GET", "/auth/quota", holder, s.ownQuota},
		{"POST", "/auth/query", holder, s.queryKey},
		{"GET", "/auth/models/costs", panel, s.costs},
		{"POST", "/auth/models/costs", panel, s.setCost},
		{"DELETE", "/auth/models/costs/*", panel, s.resetCost}, // names have slashes in them
		{"GET", "/auth/models/+/cost", holder, s.cost},
		{"GET", "/usage/stats", panel, s.usage},
		{"GET", "/usage/aggregated", panel, s.usageTotals},
		{"GET", "/usage/figures", panel, s.figures},
		{"GET", "/usage/series", panel, s.series},
		{"POST", "/usage/update-limits", panel, s.setLimits},
		{"POST", "/usage/reset", panel, s.resetUsage},
		{"GET", "/usage/requests", panel, s.requests},
		{"GET", "/usage/requests/:id", panel, s.request},
		{"GET", "/audit", panel, s.listChanges},
		{"POST", rekey.Path, panel, s.rotateSecret},
		{"GET", "/storage", panel, s.storage},
		{"GET", "/config/get", panel, s.config},
		{"POST", "/config/save", panel, s.saveConfig},
		{"GET", "/nodes", panel, s.listNodes},
		{"GET", "/storage/backup", panel, s.backup},
		{"GET", "/storage/backups", panel, s.backups},
		{"POST", move.ImportPath, panel, s.importOld},
	}
}

// Mount registers the console's routes. A path is closed to other methods before the next one is looked at:
// one that is fixed must not be taken for a name.
func (s Services) Mount(app *fiber.App) {
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.tries == nil {
		s.tries = newThrottle(time.Now)
	}
	if s.logins == nil {
		s.logins = newThrottle(time.Now)
	}
	s.uploads = make(chan struct{}, uploadsAtOnce)
	s.taking = make(chan struct{}, 1)
	s.backing = make(chan struct{}, backupsAtOnce)
	all := s.routes()
	methods := map[string][]string{}
	for _, r := range all {
		methods[r.path] = append(methods[r.path], r.method)
		if r.method == fiber.MethodGet {
			methods[r.path] = append(methods[r.path], fiber.MethodHead)
		}
	}
	left := map[string]int{}
	for _, r := range all {
		left[r.path]++
	}
	for _, r := range all {
		app.Add(r.method, r.path, s.logged, s.recorded(r), s.guard(r.who), r.handle)
		if r.method == fiber.MethodGet {
			app.Add(fiber.MethodHead, r.path, s.logged, s.recorded(r), s.guard(r.who), r.handle)
		}
		if left[r.path]--; left[r.path] == 0 {
			app.All(r.path, s.logged, wrongMethod(strings.Join(methods[r.path], ", ")))
		}
	}
}

func wrongMethod(takes string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		unread(c)
		c.Set(fiber.HeaderAllow, takes)
		return refuse(c, fiber.StatusMethodNotAllowed, "this path takes "+takes)
	}
}
