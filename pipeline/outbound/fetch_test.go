package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
)

// fetching is a client that may fetch from the servers of a test.
func fetching(t testing.TB, change ...func(*Settings)) *Live {
	t.Helper()
	set := settings()
	set.ImageFetch, set.ImageFetchAllow = true, []string{"127.0.0.1"}
	for _, c := range change {
		c(&set)
	}
	l := &Live{}
	if err := l.Set(set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func inside(l *Live) *fetcher { return l.now.Load().pictures }

// pictures has one of each type. Those without an encoder in the standard library are a header.
func pictures(t testing.TB) map[string]string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 3, 3))
	var asPNG, asJPEG, asGIF bytes.Buffer
	err := errors.Join(png.Encode(&asPNG, img), jpeg.Encode(&asJPEG, img, nil), gif.Encode(&asGIF, img, nil))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"image/png": asPNG.String(), "image/jpeg": asJPEG.String(), "image/gif": asGIF.String(),
		"image/webp": "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00",
		"image/heic": "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + strings.Repeat("x", 900),
		"image/heif": "\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1" + strings.Repeat("x", 900),
	}
}

// say200 is an answer with a body of this type.
func say200(contentType, body string) string {
	header := "HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(body)) + "\r\n"
	if contentType != "" {
		header += "Content-Type: " + contentType + "\r\n"
	}
	return header + "\r\n" + body
}

func TestFetchImage(t *testing.T) {
	before := runtime.NumGoroutine()
	l := fetching(t)
	all := pictures(t)
	for kind, data := range all {
		for name, answer := range map[string]string{
			"as declared":     say200(kind, data),
			"with parameter":  say200(kind+"; charset=binary", data),
			"in capitals":     say200(strings.ToUpper(kind), data),
			"not declared":    say200("", data),
			"octets":          say200("application/octet-stream", data),
			"binary":          say200("binary/octet-stream", data),
			"another picture": say200("image/jpg", data),
			"until the end":   "HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\n\r\n" + data,
			"in chunks":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(data[:9]) + chunk(data[9:]) + "0\r\n\r\n",
			"identity":        "HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\n" + data,
		} {
			u := serve(t, func(p *peer) bool { p.say(answer); return false })
			p, err := l.FetchImage(t.Context(), u.url+"/picture?x=1#part")
			if err != nil || p.MIME != kind || string(p.Data) != data {
				t.Errorf("%s, %s: %s, %d bytes, %v", kind, name, p.MIME, len(p.Data), err)
			}
			eventually(t, "the connection closed", func() bool { return u.open.Load() == 0 })
			u.stop()
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	goroutines(t, before)
}

// What is asked, and that nothing of the gateway goes with it.
func TestFetchImageRequest(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	l := fetching(t)
	got := make(chan *peer, 1)
	u := serve(t, func(p *peer) bool {
		got <- p
		p.say(say200("image/png", pictures(t)["image/png"]))
		return false
	})
	if _, err := l.FetchImage(t.Context(), u.url+"/a%2Fb/c.png?x=%20y&z#part"); err != nil {
		t.Fatal(err)
	}
	req := (<-got).req
	if req.Method != "GET" || req.RequestURI != "/a%2Fb/c.png?x=%20y&z" || req.Host != u.addr || req.UserAgent() != "gcli2api" ||
		req.Header.Get("Accept-Encoding") != "identity" || !strings.Contains(req.Header.Get("Accept"), "image/png") || len(req.Header) != 4 {
		t.Errorf("%s %s of %s, %v", req.Method, req.RequestURI, req.Host, req.Header)
	}
	if inside(l).transport(t.Context()).Proxy != nil {
		t.Error("the proxy of the environment counts")
	}
}

func gzipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFetchImageRefuses(t *testing.T) {
	const (
		noPicture = ": it is not a PNG, JPEG, WebP, GIF, HEIC or HEIF picture"
		noAnswer  = ": no usable answer came in time"
		cut       = ": its server ended it in the middle"
		large     = ": it is larger than 1 MB"
		svg       = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
		secret    = "hunter2"
	)
	good := pictures(t)["image/png"]
	l := fetching(t)
	inside(l).max = 1 << 20
	tooMuch := good + strings.Repeat("x", 1<<20)
	for name, row := range map[string]struct{ answer, want string }{
		"HTML":               {say200("text/html", "<!doctype html><p>hunter2"), noPicture},
		"HTML as PNG":        {say200("image/png", "<!doctype html><p>hunter2"), noPicture},
		"PNG as HTML":        {say200("text/html", good), noPicture},
		"PNG as text":        {say200("text/plain", good), noPicture},
		"PNG as SVG":         {say200("image/svg+xml", good), noPicture},
		"PNG as nonsense":    {say200("hunter2;;;", good), noPicture},
		"SVG":                {say200("image/svg+xml", svg), noPicture},
		"SVG as PNG":         {say200("image/png", svg), noPicture},
		"SVG of no type":     {say200("", `<?xml version="1.0"?>`+svg), noPicture},
		"ZIP":                {say200("application/zip", "PK\x03\x04"+strings.Repeat("x", 600)), noPicture},
		"ZIP as JPEG":        {say200("image/jpeg", "PK\x03\x04"+strings.Repeat("x", 600)), noPicture},
		"AVIF":               {say200("image/avif", "\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf"), noPicture},
		"AVIF by its brands": {say200("image/heif", "\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00avifmif1miaf"), noPicture},
		"video":              {say200("image/heic", "\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mp42isom"), noPicture},
		"box without size":   {say200("image/heic", "\x00\x00\x00\x00ftypheic\x00\x00\x00\x00"), noPicture},
		"BMP":                {say200("image/bmp", "BM"+strings.Repeat("x", 600)), noPicture},
		"WAV":                {say200("image/webp", "RIFF\x00\x00\x00\x00WAVEfmt xxxxxxxx"), noPicture},
		"nothing":            {say200("image/png", ""), noPicture},
		"one byte":           {say200("image/png", "\x89"), noPicture},
		"not found":          {"HTTP/1.1 404 Not Found\r\nContent-Type: image/png\r\n\r\n" + good, ": its server answered 404"},
		"a part":             {"HTTP/1.1 206 Partial Content\r\nContent-Type: image/png\r\n\r\n" + good, ": its server answered 206"},
		"no content":         {"HTTP/1.1 204 No Content\r\n\r\n", ": its server answered 204"},
		"wants a password":   {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n", ": its server answered 401"},
		"unchanged":          {"HTTP/1.1 304 Not Modified\r\n\r\n", ": its server answered 304"},
		"multiple choices":   {"HTTP/1.1 300 Multiple Choices\r\nLocation: /x\r\n\r\n", ": its server answered 300"},
		"gzip":               {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: image/png\r\n\r\n" + gzipped(t, good), ": its server sent it compressed, unasked"},
		"gzip not declared":  {say200("image/png", gzipped(t, good)), noPicture},
		"bomb":               {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped(t, strings.Repeat("\x00", 9<<20)), ": its server sent it compressed, unasked"},
		"large, by length":   {"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n" + good, large},
		"large, by lies":     {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n" + good, large},
		"large, until end":   {"HTTP/1.1 200 OK\r\n\r\n" + tooMuch, large},
		"large, in chunks":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(tooMuch) + "0\r\n\r\n", large},
		"cut":                {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + good + strings.Repeat("x", 600), cut},
		"cut at once":        {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + good[:20], cut},
		"cut in a chunk":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(good) + "ff\r\nx", cut},
		"cut before the end": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(good), cut},
		"bad chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n", cut},
		"closes":             {"", noAnswer},
		"not HTTP":           {"220 mail.example ESMTP hunter2\r\n", noAnswer},
		"bad status":         {"HTTP/1.1 hunter2 OK\r\n\r\n", noAnswer},
		"bad length":         {"HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n", noAnswer},
		"two lengths":        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhunter2", noAnswer},
		"endless header":     {"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: hunter2\r\n", 20000) + "\r\n" + good, noAnswer},
	} {
		u := serve(t, func(p *peer) bool { p.say(row.answer); return false })
		p, err := l.FetchImage(t.Context(), u.url+"/hunter2/p.png?key=hunter2#hunter2")
		want := `the picture at "127.0.0.1" could not be fetched` + row.want
		if err == nil || p.Data != nil || err.Code != apierror.BadRequest || err.Status != 400 || err.Message != want || err.Said != nil {
			t.Errorf("%s: %v, want %q", name, err, want)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the log learns %q", name, err.Error())
		}
	}
}

func TestFetchImageAtTheLimit(t *testing.T) {
	l := fetching(t)
	inside(l).max = 1 << 20
	data := pictures(t)["image/png"]
	data += strings.Repeat("x", 1<<20-len(data))
	for _, answer := range []string{say200("image/png", data), "HTTP/1.1 200 OK\r\n\r\n" + data} {
		u := serve(t, func(p *peer) bool { p.say(answer); return false })
		if p, err := l.FetchImage(t.Context(), u.url); err != nil || len(p.Data) != 1<<20 {
			t.Errorf("%d bytes, %v", len(p.Data), err)
		}
	}
}

// A client cannot tell a port that is closed from one that is silent, a server that speaks no HTTP
// or a name that does not exist.
func TestFetchImageTellsNothing(t *testing.T) {
	l := fetching(t)
	inside(l).total = 200 * time.Millisecond
	inside(l).lookup = nameserver(t, func(name string, _ int) []string {
		if name == "dead.test" {
			return []string{"127.0.0.1"}
		}
		return nil
	})
	silent := serve(t, func(p *peer) bool { p.gone(); return false })
	mute := serveRaw(t, nil, func(p *peer) { p.gone() })
	wrong := serve(t, func(p *peer) bool { p.say("hello\r\n"); return false })
	gone := serve(t, func(p *peer) bool { return false })
	gone.stop()
	for name, address := range map[string]string{
		"silent": silent.url, "no TLS": strings.Replace(mute.url, "http:", "https:", 1), "not HTTP": wrong.url, "closed": gone.url,
	} {
		_, err := l.FetchImage(t.Context(), address+"/?key=hunter2")
		if err == nil || err.Message != `the picture at "127.0.0.1" could not be fetched: no usable answer came in time` {
			t.Errorf("%s: %v", name, err)
		}
	}
	await(t, "the silent server seeing the close", silent.left)
	await(t, "the mute server seeing the close", mute.left)
	for _, host := range []string{"dead.test", "missing.test"} {
		_, err := l.FetchImage(t.Context(), "http://"+host+":"+port(gone.addr)+"/?key=hunter2")
		if err == nil || err.Message != `the picture at "`+host+`" could not be fetched: no usable answer came in time` || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestFetchImageSlowBody(t *testing.T) {
	l := fetching(t)
	inside(l).total = 150 * time.Millisecond
	good := pictures(t)["image/png"]
	u := serve(t, func(p *peer) bool {
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + good)
		for p.Conn.SetReadDeadline(time.Now().Add(5*time.Millisecond)) == nil {
			p.say("x")
			if _, err := p.br.ReadByte(); err != nil && !timedOut(err) {
				break
			}
		}
		p.up.left <- struct{}{}
		return false
	})
	_, err := l.FetchImage(t.Context(), u.url)
	if err == nil || err.Status != 400 || !strings.HasSuffix(err.Message, ": it took too long to arrive") {
		t.Errorf("got %v", err)
	}
	await(t, "the server seeing the close", u.left)
}

func TestFetchImageCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	l := fetching(t)
	good := pictures(t)["image/png"]
	drain := apierror.New(apierror.Overloaded, "the gateway is shutting down")
	for name, row := range map[string]struct {
		begins string
		cause  error
		want   apierror.Code
	}{
		"before the answer":    {"", nil, apierror.ClientGone},
		"in the body":          {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + good, nil, apierror.ClientGone},
		"by the gateway":       {"", drain, apierror.Overloaded},
		"by it, in the body":   {"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + good, drain, apierror.Overloaded},
		"after a slow preface": {"HTTP/1.1 103 Early Hints\r\n\r\n", nil, apierror.ClientGone},
	} {
		u := serve(t, func(p *peer) bool { p.say(row.begins); p.gone(); return false })
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-u.asked; cancel(row.cause) }()
		if _, err := l.FetchImage(ctx, u.url); err == nil || err.Code != row.want {
			t.Errorf("%s: got %v", name, err)
		}
		await(t, "the server seeing the close", u.left)
		u.stop()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.FetchImage(ctx, "http://127.0.0.1:1/"); err == nil || err.Code != apierror.ClientGone {
		t.Errorf("already gone: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := l.FetchImage(ctx, "http://127.0.0.1:1/"); err == nil || err.Code != apierror.BadRequest {
		t.Errorf("out of time: %v", err)
	}
	_ = l.Close()
	goroutines(t, before)
}

// The switch and the ranges count as soon as they are set.
func TestFetchImageSettings(t *testing.T) {
	l := fetching(t)
	u := serve(t, func(p *peer) bool { p.say(say200("image/png", pictures(t)["image/png"])); return false })
	set := l.set
	try := func(want string) {
		t.Helper()
		if err := l.Set(set); err != nil {
			t.Fatal(err)
		}
		_, err := l.FetchImage(t.Context(), u.url)
		if want == "" && err == nil {
			return
		}
		if err == nil || err.Status != 400 || !strings.Contains(err.Message, want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	try("")
	set.ImageFetch = false
	try("is switched off on this gateway")
	set.ImageFetch, set.ImageFetchAllow = true, nil
	try("its address leads to a network that this gateway does not fetch from")
	set.ImageFetchAllow = []string{"127.0.0.0/8"}
	try("")
	if n := u.conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	old := l.now.Load()
	if err := l.Set(set); err != nil || l.now.Load() != old {
		t.Errorf("equal settings made a new client, %v", err)
	}
	set.ImageFetchAllow = []string{"127.0.0.0/8", "10.0.0"}
	if err := l.Set(set); err == nil || !strings.Contains(err.Error(), `"10.0.0"`) || l.now.Load() != old {
		t.Errorf("a bad range: %v", err)
	}
	if d := Defaults(); !d.ImageFetch || len(d.ImageFetchAllow) != 0 {
		t.Errorf("defaults: %v %v", d.ImageFetch, d.ImageFetchAllow)
	}
	standard := inside(fetching(t))
	if standard.total != 10*time.Second || standard.max != 20<<20 {
		t.Errorf("limits: %s, %d", standard.total, standard.max)
	}
}
