package console

import (
	"html"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/server"
	"gcli2api/store/oauth"

	"github.com/gofiber/fiber/v2"
)

// landingPath is where Google sends the browser back to.
const landingPath = "/oauth2callback"

// Landing is where browsers come back to from Google: the gateway's own port, or the one of
// OAUTH_CALLBACK_PORT where it could be taken.
type Landing struct {
	own   int // port of the gateway
	extra int // a second port, 0 for none
	ln    net.Listener
	app   *fiber.App
	ended chan struct{}
}

// NewLanding takes the second port where the settings name one. That it cannot is a warning: the
// gateway's own port takes its place, and pasting the address always works.
func NewLanding(c *config.Snapshot, log *slog.Logger) *Landing {
	l := &Landing{own: c.Int("server.port")}
	port := c.Int("google.oauth_callback_port")
	if port == 0 || port == l.own {
		return l
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(c.Listening().Host, strconv.Itoa(port)))
	if err != nil {
		log.Warn("the port of OAUTH_CALLBACK_PORT cannot be taken: browsers come back from Google to the gateway's own port", "error", err)
		return l
	}
	l.extra, l.ln = port, ln
	return l
}

// Serve answers on the second port, if there is one, until Close.
func (l *Landing) Serve(s Services) *Landing {
	if l.ln == nil {
		return l
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	l.app = fiber.New(fiber.Config{AppName: "gcli2api", DisableStartupMessage: true, BodyLimit: 1, ReadBufferSize: 16 << 10,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, GETOnly: true,
		ErrorHandler: func(c *fiber.Ctx, _ error) error { return c.SendStatus(fiber.StatusBadRequest) }})
	for _, path := range []string{landingPath, "/"} {
		l.app.Get(path, s.logged, s.guard(anyone), s.land)
	}
	l.app.Use(func(c *fiber.Ctx) error { return c.SendStatus(fiber.StatusNotFound) })
	l.ended = make(chan struct{})
	go func() {
		defer close(l.ended)
		if err := l.app.Listener(l.ln); err != nil {
			s.Log.Warn("the port of OAUTH_CALLBACK_PORT is not served any more", "error", err)
		}
	}()
	return l
}

// Close gives the second port back.
func (l *Landing) Close() error {
	if l.app == nil {
		return nil
	}
	err := l.app.ShutdownWithTimeout(time.Second)
	_ = l.ln.Close() // where Serve had not come to it yet
	<-l.ended
	return err
}

// redirect is where Google sends a browser back to that called the gateway by a name: by that name where
// it means this machine, by the port that it used (a container's may be published as another). Other
// names Google does not allow; then the person copies the address that cannot be reached.
func (l *Landing) redirect(host string) (address string, port int) {
	name, used := "localhost", 0
	if server.LoopbackName(host) {
		if h, p, err := net.SplitHostPort(host); err == nil {
			host = h
			used, _ = strconv.Atoi(p)
		} else {
			used = 80
		}
		name = strings.ToLower(strings.Trim(host, "[]"))
	}
	switch {
	case l == nil:
		port = used
	case l.extra != 0:
		port = l.extra
	case used > 0 && used < 1<<16:
		port = used
	default:
		port = l.own
	}
	return "http://" + net.JoinHostPort(name, strconv.Itoa(port)) + landingPath, port
}

// land takes a browser that comes back from Google. The address holds the code, so nothing may keep it.
func (s Services) land(c *fiber.Ctx) error {
	raw := string(c.Context().URI().QueryString())
	switch {
	case s.SignIn == nil || raw == "" || c.Method() == fiber.MethodHead:
		return page(c, fiber.StatusBadRequest, "Google sends the browser to this page after signing in. It brought nothing along.",
			"登录之后 Google 会把浏览器送到本页面。这次没有带来任何内容。")
	}
	ctx, cancel := within(c, 30*time.Second)
	defer cancel()
	r, fail := oauth.ParseQuery(raw)
	if fail == nil {
		fail = s.SignIn.Land(ctx, r, cookieOf(c, r.State))
	}
	if fail != nil {
		chinese := "登录没有成功：这次登录的状态无效、已经用过或已超过十分钟。请重新开始。"
		if r.Denied != "" {
			chinese = "登录没有成功：您没有在 Google 页面上同意授权，或 Google 返回了错误。请重新开始。"
		}
		return page(c, fail.Status, "Signing in did not work: "+fail.Says+".", chinese)
	}
	return page(c, fiber.StatusOK, "You have signed in. Go back to where you began: it finishes there.",
		"Google 登录已完成。请回到开始登录的地方完成其余步骤。")
}

// page answers with a few words, English and Chinese. It has no script and loads nothing.
func page(c *fiber.Ctx, status int, english, chinese string) error {
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Referrer-Policy":         "no-referrer",
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "DENY",
		"Cache-Control":           "no-store",
		"Content-Type":            "text/html; charset=utf-8",
	} {
		c.Set(name, value)
	}
	return c.Status(status).SendString(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>gcli2api</title></head>
<body><p>` + html.EscapeString(english) + `</p><p lang="zh">` + html.EscapeString(chinese) + "</p></body></html>\n")
}
