package outbound

import (
	"crypto/tls"
	"strings"
	"testing"
)

// detour is a server that redirects to where the path says, and has a picture at /end.
func detour(t testing.TB, cfg *tls.Config, where func(path string) string) *upstream {
	picture := pictures(t)["image/png"]
	return serveRaw(t, cfg, func(p *peer) {
		for p.next() {
			p.up.ask()
			if p.req.Header.Get("Referer") != "" || p.req.Header.Get("Cookie") != "" || p.req.Header.Get("Authorization") != "" {
				p.say("HTTP/1.1 500 Told too much\r\n\r\n")
				return
			}
			if p.req.URL.Path == "/end" {
				p.say(say200("image/png", picture))
				return
			}
			p.say("HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\n" + where(p.req.URL.Path) + "Content-Length: 9999\r\n\r\nmoved")
		}
	})
}

func TestFetchImageRedirects(t *testing.T) {
	l := fetching(t)
	var u *upstream
	u = detour(t, nil, func(path string) string {
		switch path {
		case "/4":
			return "Location: 3?key=hunter2\r\n"
		case "/3":
			return "Location: //" + u.addr + "/2\r\n"
		case "/2":
			return "Location: " + u.url + "/1#there\r\n"
		case "/1":
			return "Location: /end\r\n"
		}
		return "Location: " + path + "\r\n"
	})
	for path, want := range map[string]string{
		"/1": "", "/2": "", "/3": "",
		"/4": ": it redirects more than 3 times", "/loop": ": it redirects more than 3 times",
	} {
		before := u.conns.Load()
		p, err := l.FetchImage(t.Context(), u.url+path+"?key=hunter2")
		if want == "" && (err != nil || p.MIME != "image/png") || want != "" && (err == nil || !strings.HasSuffix(err.Message, want)) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
		if n := u.conns.Load() - before; n > 4 {
			t.Errorf("%s: %d requests", path, n)
		}
	}
	eventually(t, "the connections closed", func() bool { return u.open.Load() == 0 })
}

func TestFetchImageRedirectStatus(t *testing.T) {
	l := fetching(t)
	picture := pictures(t)["image/gif"]
	for status, follows := range map[string]bool{
		"301": true, "302": true, "303": true, "307": true, "308": true, "300": false, "304": false, "305": false, "306": false, "201": false,
	} {
		u := serve(t, func(p *peer) bool {
			if p.req.URL.Path == "/end" {
				p.say(say200("image/gif", picture))
			} else {
				p.say("HTTP/1.1 " + status + " X\r\nLocation: /end\r\n\r\n")
			}
			return false
		})
		_, err := l.FetchImage(t.Context(), u.url)
		if (err == nil) != follows || err != nil && !strings.HasSuffix(err.Message, ": its server answered "+status) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestFetchImageRefusesRedirects(t *testing.T) {
	cfg, roots := certificate(t)
	l := fetching(t, func(s *Settings) { s.RootCAs = roots })
	ends := serve(t, func(p *peer) bool { p.say(say200("image/png", pictures(t)["image/png"])); return false })
	inner := neighbour(t, ends)
	var location string
	plain := detour(t, nil, func(string) string { return location })
	secure := detour(t, cfg, func(string) string { return location })
	for name, row := range map[string]struct{ from, location, want string }{
		"to a private address":   {plain.url, "http://" + inner.addr + "/hunter2", "after a redirect, " + closedNetworkEnd},
		"to the metadata":        {plain.url, "http://169.254.169.254/latest/hunter2", "after a redirect, " + closedNetworkEnd},
		"to loopback, mapped":    {plain.url, "http://[::ffff:127.0.0.2]:" + port(inner.addr) + "/hunter2", "after a redirect, " + closedNetworkEnd},
		"to a spelling":          {plain.url, "http://0x7f.2:" + port(inner.addr) + "/hunter2", "after a redirect, its address has a host that is written neither as a name nor as an IP address"},
		"from https to private":  {secure.url, "https://" + inner.addr + "/hunter2", "after a redirect, " + closedNetworkEnd},
		"from https to http":     {secure.url, ends.url + "/hunter2", "it redirects to an address that is http, after https"},
		"to a user":              {plain.url, "http://user:hunter2@" + ends.addr + "/", "it redirects to an address that contains a user or password"},
		"to a port":              {plain.url, "http://127.0.0.1:25/hunter2", "it redirects to an address that names a port that pictures are not fetched from (80, 443 and those from 1024 on are)"},
		"to another scheme":      {plain.url, "ftp://" + ends.addr + "/hunter2", "it redirects to an address that does not begin with http:// or https://"},
		"to a file":              {plain.url, "file:///etc/hunter2", "it redirects to an address that does not begin with http:// or https://"},
		"to data":                {plain.url, "data:image/png;base64,hunter2", "it redirects to an address that does not begin with http:// or https://"},
		"to nowhere":             {plain.url, "http:///hunter2", "it redirects to an address that has no host"},
		"to nonsense":            {plain.url, "http://hunter2:hunter2/%zz", "it redirects to an address that is not a URL"},
		"without saying where":   {plain.url, "", "it redirects to an address that is missing or too long"},
		"to something very long": {plain.url, "/" + strings.Repeat("x", addressMax), "it redirects to an address that is missing or too long"},
	} {
		location = "Location: " + row.location + "\r\n"
		if row.location == "" {
			location = ""
		}
		_, err := l.FetchImage(t.Context(), row.from+"/p.png?key=hunter2")
		want := `the picture at "127.0.0.1" could not be fetched: ` + row.want
		if err == nil || err.Message != want || err.Status != 400 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if inner.conns.Load() != 0 || ends.conns.Load() != 0 {
		t.Errorf("%d and %d connections", inner.conns.Load(), ends.conns.Load())
	}
	location = "Location: " + secure.url + "/end\r\n"
	for _, from := range []string{plain.url, secure.url} { // up, and along
		if _, err := l.FetchImage(t.Context(), from); err != nil {
			t.Errorf("to https: %v", err)
		}
	}
}
