package outbound

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// FuzzFetchAddress gives the guard any address in all the forms that it can be written in.
func FuzzFetchAddress(f *testing.F) {
	for _, ip := range []string{
		"8.8.8.8", "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "255.255.255.255", "::1", "fe80::1", "fd00:ec2::254",
		"64:ff9b::7f00:1", "2002:7f00:1::1", "2001:0:1::1", "2001:4860:4860::8888", "::ffff:127.0.0.1", "2a00::5efe:7f00:1",
	} {
		f.Add(netip.MustParseAddr(ip).AsSlice())
	}
	g := guarded(f)
	g.own = func() ([]net.Addr, error) { return nil, nil }
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		got := g.admits(ip)
		flat := ip.Unmap()
		if got && (!flat.IsGlobalUnicast() || flat.IsPrivate() || flat.IsLoopback() || flat.IsLinkLocalUnicast() || flat.IsMulticast()) {
			t.Errorf("%s is admitted", ip)
		}
		if got && flat.Is6() && flat.As16()[0]>>5 != 1 && !strings.HasPrefix(flat.String(), "64:ff9b::") {
			t.Errorf("%s is admitted", ip)
		}
		if g.admits(ip.WithZone("1")) && ip.Is6() {
			t.Errorf("%s is admitted with a zone", ip)
		}
		if !flat.Is4() {
			return
		}
		four := flat.As4()
		for name, head := range map[string][]byte{"mapped": {10: 0xff, 11: 0xff}, "NAT64": {1: 0x64, 2: 0xff, 3: 0x9b, 11: 0}} {
			if six := netip.AddrFrom16([16]byte(append(head, four[:]...))); g.admits(six) != got {
				t.Errorf("%s (%s): %v, %s: %v", six, name, !got, flat, got)
			}
		}
		for name, six := range map[string][16]byte{
			"6to4":       {0x20, 0x02, four[0], four[1], four[2], four[3], 15: 1},
			"Teredo":     {0x20, 0x01, 12: ^four[0], 13: ^four[1], 14: ^four[2], 15: ^four[3]},
			"compatible": {12: four[0], 13: four[1], 14: four[2], 15: four[3]},
			"translated": {8: 0xff, 9: 0xff, 12: four[0], 13: four[1], 14: four[2], 15: four[3]},
			"ISATAP":     {0x2a, 0, 0x14, 0x50, 10: 0x5e, 11: 0xfe, 12: four[0], 13: four[1], 14: four[2], 15: four[3]},
		} {
			if g.admits(netip.AddrFrom16(six)) {
				t.Errorf("%s of %s is admitted", name, flat)
			}
		}
	})
}

// FuzzFetchURL gives any text as the address of a picture, with names that all lead into a private
// network. No socket gets as far as to connect, and none may want to, unless to a public address.
func FuzzFetchURL(f *testing.F) {
	for _, text := range []string{
		"http://example.com/a.png?key=hunter2hunter2", "https://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/",
		"http://8.8.8.8/", "https://８.8.8.8/", "http://[fe80::1%25eth0]/", "http://user:hunter2@h/", "http://１２７.0.0.1/",
		"http://127。0。0。1/", "http://h:22/", "http://h:65535/", "gopher://h/", "http://[::ffff:10.0.0.1]/",
	} {
		f.Add(text)
	}
	var wanted []string
	stopped := errors.New("not in a test")
	fetch, err := newFetcher(Settings{ImageFetch: true}, &dialer{net: net.Dialer{Control: func(_, to string, _ syscall.RawConn) error {
		wanted = append(wanted, to)
		return stopped
	}}})
	if err != nil {
		f.Fatal(err)
	}
	fetch.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
	}
	f.Fuzz(func(t *testing.T, text string) {
		wanted = nil
		_, e := fetch.get(t.Context(), text)
		if e == nil || e.Status != 400 {
			t.Fatalf("%q: %v", text, e)
		}
		if len(e.Message) > 1500 || strings.Contains(e.Error(), "hunter2hunter2") && strings.Contains(text, "?key=hunter2hunter2") {
			t.Errorf("%q: %v", text, e)
		}
		for _, to := range wanted {
			ip := netip.MustParseAddrPort(to).Addr()
			if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() {
				t.Errorf("%q leads to %s", text, to)
			}
		}
	})
}
