package outbound

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// nameserver is a DNS server on loopback, and the look-up that asks it. answer gives the addresses
// of a name that is asked for the turn-th time; a name without any does not exist.
func nameserver(t testing.TB, answer func(name string, turn int) []string) func(context.Context, string) ([]netip.Addr, error) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		turns := map[string]int{}
		for b := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			name, end := question(b[:n])
			kind := binary.BigEndian.Uint16(b[end-4:])
			turns[name+itoa(int(kind))]++
			_, _ = conn.WriteTo(dnsReply(b[:end], kind, answer(name, turns[name+itoa(int(kind))])), from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, conn.LocalAddr().String())
	}}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, "ip", host)
	}
}

// question reads the one question of a query: its name, and where it ends.
func question(b []byte) (name string, end int) {
	at := 12
	for b[at] != 0 {
		name += string(b[at+1:at+1+int(b[at])]) + "."
		at += 1 + int(b[at])
	}
	return strings.TrimSuffix(name, "."), at + 5
}

func dnsReply(query []byte, kind uint16, addresses []string) []byte {
	out := append([]byte(nil), query...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if addresses == nil {
		out[3] |= 3 // no such name
	}
	for _, text := range addresses {
		ip := netip.MustParseAddr(text)
		if ip.Is4() != (kind == 1) {
			continue
		}
		out[7]++
		out = append(out, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(ip.BitLen()/8))
		out = append(out, ip.AsSlice()...)
	}
	return out
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// neighbour listens at the next address of this machine, on the port of u, where no test may come.
func neighbour(t testing.TB, u *upstream) *upstream {
	t.Helper()
	return serveAt(t, "127.0.0.2:"+port(u.addr), nil, func(*peer) {})
}

const closedNetworkEnd = "its address leads to a network that this gateway does not fetch from"

// A name that leads somewhere else on the second look: the connection goes where the first led, and
// there is no second.
func TestRebinding(t *testing.T) {
	l := fetching(t)
	asked := make(chan int, 100)
	inside(l).lookup = nameserver(t, func(_ string, turn int) []string {
		asked <- turn
		if turn == 1 {
			return []string{"127.0.0.1"}
		}
		return []string{"127.0.0.2"}
	})
	u := serve(t, func(p *peer) bool { p.say(say200("image/png", pictures(t)["image/png"])); return false })
	inner := neighbour(t, u)
	if _, err := l.FetchImage(t.Context(), "http://twice.test:"+port(u.addr)+"/"); err != nil {
		t.Fatal(err)
	}
	for len(asked) > 0 {
		if turn := <-asked; turn != 1 {
			t.Errorf("the name was looked up %d times", turn)
		}
	}
	if _, err := l.FetchImage(t.Context(), "http://twice.test:"+port(u.addr)+"/"); err == nil || !strings.HasSuffix(err.Message, ": "+closedNetworkEnd) {
		t.Errorf("got %v", err)
	}
	if u.conns.Load() != 1 || inner.conns.Load() != 0 {
		t.Errorf("%d connections, %d to the inner server", u.conns.Load(), inner.conns.Load())
	}
}

// The same between a redirect and where it leads, which is the same name.
func TestRebindingOverRedirect(t *testing.T) {
	l := fetching(t)
	inside(l).lookup = nameserver(t, func(_ string, turn int) []string {
		return []string{"127.0.0." + itoa(turn)}
	})
	u := serve(t, func(p *peer) bool { p.say("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"); return false })
	inner := neighbour(t, u)
	_, err := l.FetchImage(t.Context(), "http://twice.test:"+port(u.addr)+"/")
	if err == nil || !strings.HasSuffix(err.Message, ": after a redirect, "+closedNetworkEnd) || inner.conns.Load() != 0 {
		t.Errorf("got %v, %d connections", err, inner.conns.Load())
	}
}

// Names with several addresses: those that the gateway may not connect to are left out.
func TestMixedAnswers(t *testing.T) {
	l := fetching(t, func(s *Settings) { s.ImageFetchAllow = []string{"127.0.0.1", "127.0.0.3"} })
	inside(l).lookup = nameserver(t, func(name string, _ int) []string {
		switch name {
		case "mixed.test":
			return []string{"127.0.0.2", "127.0.0.1", "::1", "10.0.0.1"}
		case "second.test":
			return []string{"127.0.0.3", "127.0.0.1"}
		case "inner.test":
			return []string{"127.0.0.2", "::1", "fe80::1", "169.254.169.254", "64:ff9b::7f00:2", "::ffff:127.0.0.2"}
		}
		return []string{}
	})
	u := serve(t, func(p *peer) bool { p.say(say200("image/png", pictures(t)["image/png"])); return false })
	inner := neighbour(t, u)
	for host, want := range map[string]string{
		"mixed.test": "", "second.test": "", // nobody listens at the first address of the second
		"inner.test": closedNetworkEnd, "none.test": "no usable answer came in time",
	} {
		_, err := l.FetchImage(t.Context(), "http://"+host+":"+port(u.addr)+"/")
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Message, ": "+want) {
			t.Errorf("%s: got %v, want %q", host, err, want)
		}
	}
	if u.conns.Load() != 2 || inner.conns.Load() != 0 {
		t.Errorf("%d connections, %d to the inner server", u.conns.Load(), inner.conns.Load())
	}
}

// Addresses and spellings of them, written where a name could stand, with the resolver of the
// machine.
func TestAddressesAsHosts(t *testing.T) {
	l := fetching(t, func(s *Settings) { s.ImageFetchAllow = []string{"127.0.0.77"} })
	u := serve(t, func(p *peer) bool { p.say(say200("image/png", pictures(t)["image/png"])); return false })
	const noHostEnd = "its address has a host that is written neither as a name nor as an IP address"
	for host, want := range map[string]string{
		"127.0.0.1": closedNetworkEnd, "localhost": closedNetworkEnd, "[::1]": closedNetworkEnd,
		"[::ffff:127.0.0.1]": closedNetworkEnd, "[::ffff:7f00:1]": closedNetworkEnd, "[64:ff9b::7f00:1]": closedNetworkEnd,
		"[::]": closedNetworkEnd, "0.0.0.0": closedNetworkEnd, "[fe80::1%25lo]": closedNetworkEnd, "[::1%25lo]": closedNetworkEnd,
		"2130706433": noHostEnd, "0x7f000001": noHostEnd, "0x7f.1": noHostEnd, "0177.0.0.1": noHostEnd, "127.1": noHostEnd, "127.0.0.1.": noHostEnd,
		"0": noHostEnd, "１２７.0.0.1": closedNetworkEnd, "127。0。0。1": closedNetworkEnd, "①②⑦.0.0.1": closedNetworkEnd,
	} {
		_, err := l.FetchImage(t.Context(), "http://"+host+":"+port(u.addr)+"/")
		if err == nil || !strings.HasSuffix(err.Message, ": "+want) {
			t.Errorf("%s: got %v, want %q", host, err, want)
		}
	}
	if n := u.conns.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}
