package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gcli2api/pipeline/apierror"
)

func live(t testing.TB, set Settings) *Live {
	t.Helper()
	l := &Live{}
	if err := l.Set(set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func via(proxy, url string) *Request {
	r := post(url, "{}")
	r.Via(proxy)
	return r
}

// Two credentials by two proxies, and one without.
func TestEachCallByItsOwnProxy(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("here")); return true })
	one, two := connectProxy(t, nil, u), socksProxy(t, u)
	first, second := "http://"+proxyLogin+"@"+one.addr, "socks5://"+proxyLogin+"@"+two.addr
	l := live(t, settings())
	for _, step := range []struct {
		proxy, host string
		seen        [2]int64 // connections at the proxies
	}{
		{"", u.url, [2]int64{0, 0}}, {first, "http://upstream.test", [2]int64{1, 0}}, {second, "http://upstream.test", [2]int64{1, 1}},
		{first, "http://upstream.test", [2]int64{1, 1}}, // on the connection that was kept
		{"", u.url, [2]int64{1, 1}},
	} {
		_, body, err := whole(t.Context(), l, via(step.proxy, step.host))
		if got := [2]int64{one.conns.Load(), two.conns.Load()}; err != nil || string(body) != "here" || got != step.seen {
			t.Errorf("by %q: %q %v, connections %v, want %v", MaskProxy(step.proxy), body, err, got, step.seen)
		}
	}
	for _, proxy := range []string{first, second} {
		resp, err := l.HTTPVia(proxy).Get("http://upstream.test/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "here" {
			t.Errorf("HTTPVia: %q", body)
		}
	}
	if got := [2]int64{one.conns.Load(), two.conns.Load()}; got != [2]int64{2, 2} {
		t.Errorf("rare calls: connections %v", got)
	}
	if l.HTTPVia("") != l.HTTP() {
		t.Error("no proxy is not the way of all calls")
	}
}

// What is wrong with one proxy is the fault of its credential only, and no text shows the password.
func TestBrokenProxyIsNobodyElsesFault(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("here")); return true })
	good, silent := connectProxy(t, nil, u), serveRaw(t, nil, func(p *peer) { p.gone() })
	gone := serveRaw(t, nil, func(*peer) {})
	gone.stop()
	set := settings()
	set.Connect = 200 * time.Millisecond
	l := live(t, set)
	for name, proxy := range map[string]string{
		"another password": "http://someone:topsecret@" + good.addr, "nobody there": "socks5://u:topsecret@" + gone.addr,
		"no address": "http://u:topsecret@h:port", "another kind": "ftp://u:topsecret@h", "silent": "http://u:topsecret@" + silent.addr,
		"no TLS": "https://u:topsecret@" + good.addr,
	} {
		_, err := l.Do(t.Context(), via(proxy, "http://upstream.test"))
		if err == nil {
			t.Errorf("%s: it went out", name)
			continue
		}
		e := Explain(err)
		if e.Said == nil || !e.Said.Network || strings.Contains(err.Error()+e.Error(), "topsecret") {
			t.Errorf("%s: %v, said %+v", name, err, e.Said)
		}
		_, err = l.HTTPVia(proxy).Get("http://upstream.test/")
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s, rare call: %v", name, err)
		} else if e := Explain(err); e.Said == nil || !e.Said.Network {
			t.Errorf("%s, rare call: %v, said %+v", name, err, e.Said)
		}
	}
	if _, _, err := whole(t.Context(), l, via("http://"+proxyLogin+"@"+good.addr, "http://upstream.test")); err != nil {
		t.Errorf("a good proxy: %v", err)
	}
	if _, _, err := whole(t.Context(), l, post(u.url, "{}")); err != nil {
		t.Errorf("without a proxy: %v", err)
	}
	if _, err := l.Do(t.Context(), post("http://"+gone.addr, "{}")); !errors.Is(err, ErrDial) || errors.Is(err, ErrProxy) {
		t.Errorf("an upstream that is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Do(ctx, via("http://u:p@"+gone.addr, "http://upstream.test")); Explain(err).Code != apierror.ClientGone {
		t.Errorf("a client that left: %v", err)
	}
}

// No call with a proxy of its own goes out by another way.
func TestNoCallLeavesItsProxy(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("here")); return true })
	both(t, nil, func(t *testing.T, c Caller) {
		if _, err := c.Do(t.Context(), via("http://127.0.0.1:1", u.url)); !errors.Is(err, ErrRequest) {
			t.Errorf("got %v", err)
		}
	})
	r := via("http://127.0.0.1:1", u.url)
	r.Reset()
	r.To(u.url)
	if _, _, err := whole(t.Context(), live(t, settings()), r); err != nil || u.conns.Load() != 1 {
		t.Errorf("after Reset: %v, %d connections", err, u.conns.Load())
	}
}

// Settings change while streams run by two proxies: each stream ends as it began.
func TestProxiesChangeUnderStreams(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("change", func(t *testing.T) {
		goOn := make(chan struct{})
		u := serve(t, func(p *peer) bool {
			p.say(chunkedHeader + chunk("begun "))
			<-goOn
			p.say(chunk("ended") + "0\r\n\r\n")
			return true
		})
		proxies := []string{"http://" + proxyLogin + "@" + connectProxy(t, nil, u).addr, "socks5://" + proxyLogin + "@" + socksProxy(t, u).addr}
		l := live(t, settings())
		var begun, ended sync.WaitGroup
		for _, proxy := range proxies {
			begun.Add(4)
			for range 4 {
				ended.Go(func() {
					r, err := l.Do(t.Context(), via(proxy, "http://upstream.test"))
					begun.Done()
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(r.Body)
					_ = r.Body.Close()
					if string(body) != "begun ended" || err != nil {
						t.Errorf("%q %v", body, err)
					}
				})
			}
		}
		begun.Wait()
		set := settings()
		set.Idle = 9 * time.Second
		old, _ := l.ways.client(proxies[0])
		if err := l.Set(set); err != nil {
			t.Fatal(err)
		}
		now, err := l.ways.client(proxies[0])
		if err != nil || now == old || now.set.Idle != set.Idle {
			t.Errorf("the client of a proxy does not follow the settings: %v", err)
		}
		close(goOn)
		ended.Wait()
		eventually(t, "the connections of the old clients close", func() bool { return u.open.Load() == 0 })
		if _, body, err := whole(t.Context(), l, via(proxies[1], "http://upstream.test")); err != nil || string(body) != "begun ended" {
			t.Errorf("afterwards: %q %v", body, err)
		}
		_ = l.Close()
		if _, err := l.Do(t.Context(), via(proxies[0], "http://upstream.test")); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goroutines(t, before)
}

// Calls go on while settings change all the time.
func TestProxiesChangeUnderLoad(t *testing.T) {
	u := serve(t, func(p *peer) bool { p.say(sized200("here")); return true })
	proxy := "http://" + proxyLogin + "@" + connectProxy(t, nil, u).addr
	l := live(t, settings())
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 50 {
				if _, _, err := whole(t.Context(), l, via(proxy, "http://upstream.test")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 20 {
		set := settings()
		set.Idle += time.Duration(i) * time.Second
		if err := l.Set(set); err != nil {
			t.Error(err)
		}
	}
	calls.Wait()
}

func TestClientsOfProxiesAreFew(t *testing.T) {
	l := live(t, settings())
	for i := range maxWays + 20 {
		if _, err := l.ways.client(fmt.Sprintf("http://127.0.0.1:%d", 1+i)); err != nil {
			t.Fatal(err)
		}
		if i == maxWays-1 {
			l.ways.by["http://127.0.0.1:1"].used.Add(int64(time.Hour))
		}
	}
	if len(l.ways.by) != maxWays || l.ways.by["http://127.0.0.1:1"] == nil || l.ways.by["http://127.0.0.1:2"] != nil {
		t.Errorf("%d clients", len(l.ways.by))
	}
	kept := l.ways.by["http://127.0.0.1:1"].client
	l.ways.mu.Lock()
	l.ways.trim(time.Now().Add(time.Minute))
	l.ways.mu.Unlock()
	if len(l.ways.by) != 1 || l.ways.by["http://127.0.0.1:1"].client != kept {
		t.Errorf("%d clients after a while", len(l.ways.by))
	}
	l.ways.by["http://127.0.0.1:1"].used.Store(0)
	l.ways.sweep()
	if len(l.ways.by) != 0 || l.ways.tidy != nil {
		t.Error("the last one stays")
	}
	if _, err := kept.Do(t.Context(), via("http://127.0.0.1:1", "http://upstream.test")); !errors.Is(err, ErrClosed) {
		t.Errorf("an unused client is not closed: %v", err)
	}
}

func TestProxyIsShownMasked(t *testing.T) {
	for text, want := range map[string][2]string{
		"": {"", ""}, "http://h:1": {"http://h:1", ""}, "socks5://u:topsecret@h:1": {"socks5://***@h:1", "topsecret"},
		"http://u@h:1/": {"http://***@h:1", ""}, "https://u:top%40secret@[::1]:9": {"https://***@[::1]:9", "top@secret"}, "http://%zz:x@h": {"***", ""},
	} {
		if got := MaskProxy(text); got != want[0] || MaskProxy(got) != got && got != "***" {
			t.Errorf("%q is shown as %q", text, got)
		}
		if got := ProxyPassword(text); got != want[1] {
			t.Errorf("password of %q: %q", text, got)
		}
		if err := CheckProxy(text); (err != nil) != (want[0] == "***") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// BenchmarkLive is the cost of Live, and of finding the client of a proxy.
func BenchmarkLive(b *testing.B) {
	_, req, _ := request2k(b, func(size int) string { return quick(b, size, sized200(strings.Repeat("a", 2000))) })
	l := live(b, Defaults())
	b.Run("no proxy", func(b *testing.B) {
		benchDo(b, func() (*Response, error) { return l.Do(context.Background(), req) }, make([]byte, 0, 4096))
	})
	b.Run("client of a proxy, 100 of them", func(b *testing.B) {
		for i := range 100 {
			_, _ = l.ways.client(fmt.Sprintf("http://127.0.0.1:%d", 1+i))
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.ways.client("http://127.0.0.1:50"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
