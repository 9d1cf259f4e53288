package outbound

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func guarded(t testing.TB, allow ...string) *guard {
	t.Helper()
	g, err := newGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuard(t *testing.T) {
	const open, closed = true, false
	g := guarded(t)
	for _, row := range []struct {
		ip   string
		want bool
		why  string
	}{
		{"8.8.8.8", open, "public"},
		{"1.1.1.1", open, "public"},
		{"93.184.216.34", open, "public"},
		{"9.255.255.255", open, "below 10/8"},
		{"11.0.0.0", open, "above 10/8"},
		{"100.63.255.255", open, "below 100.64/10"},
		{"100.128.0.0", open, "above 100.64/10"},
		{"126.255.255.255", open, "below 127/8"},
		{"128.0.0.1", open, "above 127/8"},
		{"169.253.255.255", open, "below link-local"},
		{"169.255.0.0", open, "above link-local"},
		{"172.15.255.255", open, "below 172.16/12"},
		{"172.32.0.0", open, "above 172.16/12"},
		{"192.0.1.0", open, "between two special ranges"},
		{"192.167.255.255", open, "below 192.168/16"},
		{"192.169.0.0", open, "above 192.168/16"},
		{"198.17.255.255", open, "below benchmarking"},
		{"198.20.0.0", open, "above benchmarking"},
		{"203.0.112.255", open, "below documentation"},
		{"203.0.114.0", open, "above documentation"},
		{"223.255.255.255", open, "below multicast"},
		{"168.63.129.15", open, "beside Azure's"},
		{"0.0.0.0", closed, "unspecified"},
		{"0.1.2.3", closed, "this network"},
		{"10.0.0.1", closed, "private"},
		{"10.255.255.255", closed, "private"},
		{"100.64.0.1", closed, "carrier's NAT"},
		{"100.100.100.200", closed, "metadata of Alibaba"},
		{"100.127.255.255", closed, "carrier's NAT"},
		{"127.0.0.1", closed, "loopback"},
		{"127.255.255.254", closed, "loopback"},
		{"168.63.129.16", closed, "Azure's"},
		{"169.254.169.254", closed, "metadata of clouds"},
		{"169.254.0.1", closed, "link-local"},
		{"172.16.0.1", closed, "private"},
		{"172.31.255.255", closed, "private"},
		{"192.0.0.192", closed, "metadata of Oracle"},
		{"192.0.2.1", closed, "documentation"},
		{"192.88.99.1", closed, "6to4 relay"},
		{"192.168.1.1", closed, "private"},
		{"198.18.0.1", closed, "benchmarking"},
		{"198.19.255.255", closed, "benchmarking"},
		{"198.51.100.7", closed, "documentation"},
		{"203.0.113.7", closed, "documentation"},
		{"224.0.0.1", closed, "multicast"},
		{"239.255.255.250", closed, "multicast"},
		{"240.0.0.1", closed, "reserved"},
		{"255.255.255.255", closed, "broadcast"},

		{"2001:4860:4860::8888", open, "public"},
		{"2606:4700:4700::1111", open, "public"},
		{"2a00:1450:4001:82a::200e", open, "public"},
		{"2001:200::1", open, "above 2001::/23"},
		{"2001:db9::1", open, "above documentation"},
		{"2003::1", open, "above 6to4"},
		{"3ffd::1", open, "below 6bone"},
		{"64:ff9b::808:808", open, "NAT64 of a public address"},
		{"::ffff:8.8.8.8", open, "mapped, of a public address"},
		{"::", closed, "unspecified"},
		{"::1", closed, "loopback"},
		{"::7f00:1", closed, "IPv4-compatible"},
		{"::808:808", closed, "IPv4-compatible, of a public address"},
		{"::ffff:127.0.0.1", closed, "mapped"},
		{"::ffff:a9fe:a9fe", closed, "mapped, in hexadecimal"},
		{"::ffff:10.1.2.3", closed, "mapped"},
		{"::ffff:0:10.1.2.3", closed, "IPv4-translated"},
		{"::ffff:0:808:808", closed, "IPv4-translated, of a public address"},
		{"64:ff9b::7f00:1", closed, "NAT64 of loopback"},
		{"64:ff9b::a9fe:a9fe", closed, "NAT64 of link-local"},
		{"64:ff9b::c0a8:101", closed, "NAT64 of private"},
		{"64:ff9b:1::a00:1", closed, "NAT64 for local use"},
		{"64:ff9b:0:0:1::808:808", closed, "not NAT64, not public"},
		{"100::1", closed, "discard"},
		{"2001::1", closed, "Teredo"},
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", closed, "Teredo"},
		{"2001:2::1", closed, "benchmarking"},
		{"2001:10::1", closed, "ORCHID"},
		{"2001:20::1", closed, "ORCHIDv2"},
		{"2001:db8::1", closed, "documentation"},
		{"2002:7f00:1::1", closed, "6to4 of loopback"},
		{"2002:808:808::1", closed, "6to4 of a public address"},
		{"2a00:1450::5efe:a00:1", closed, "ISATAP"},
		{"2a00:1450::200:5efe:a00:1", closed, "ISATAP"},
		{"3ffe::1", closed, "6bone"},
		{"3fff::1", closed, "documentation"},
		{"4000::1", closed, "not assigned"},
		{"5f00::1", closed, "segment routing"},
		{"fc00::1", closed, "unique local"},
		{"fd00:ec2::254", closed, "metadata of Amazon"},
		{"fd20:ce::254", closed, "metadata of Google"},
		{"fe80::1", closed, "link-local"},
		{"fe80::1%eth0", closed, "link-local with a zone"},
		{"2001:4860:4860::8888%eth0", closed, "public with a zone"},
		{"::ffff:8.8.8.8%eth0", closed, "mapped with a zone"},
		{"fec0::1", closed, "site-local"},
		{"ff02::1", closed, "multicast"},
		{"ff0e::1", closed, "multicast"},
	} {
		if got := g.admits(netip.MustParseAddr(row.ip)); got != row.want {
			t.Errorf("%s (%s): %v", row.ip, row.why, got)
		}
	}
	if g.admits(netip.Addr{}) {
		t.Error("no address at all is admitted")
	}
}

func TestGuardAllows(t *testing.T) {
	g := guarded(t, "10.1.0.0/16", "192.168.7.9", " fd00:1::/32 ", "::ffff:172.16.0.0/108", "169.254.1.1/24", "fe80::/64")
	for ip, want := range map[string]bool{
		"10.1.2.3": true, "10.2.0.1": false, "192.168.7.9": true, "192.168.7.10": false,
		"fd00:1::5": true, "fd00:2::5": false, "172.16.0.1": true, "172.31.255.255": true,
		"::ffff:10.1.2.3": true, "::ffff:10.2.0.1": false, "64:ff9b::a01:203": true, "64:ff9b::a02:1": false,
		"169.254.1.9": true, "169.254.169.254": false, "fe80::1": true, "fe80::1%eth0": false, "8.8.8.8": true,
	} {
		if got := g.admits(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
}

func TestGuardKnowsThisMachine(t *testing.T) {
	g := guarded(t, "8.8.4.4")
	g.own = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.ParseIP("8.8.8.8"), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("8.8.4.4"), Mask: net.CIDRMask(24, 32)},
			&net.IPNet{IP: net.ParseIP("2a00:1450::7"), Mask: net.CIDRMask(64, 128)}}, nil
	}
	for ip, want := range map[string]bool{
		"8.8.8.8": false, "::ffff:8.8.8.8": false, "64:ff9b::808:808": false, "2a00:1450::7": false,
		"8.8.8.9": true, "2a00:1450::8": true, "8.8.4.4": true,
	} {
		if got := g.admits(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: %v", ip, got)
		}
	}
	g.own = func() ([]net.Addr, error) { return nil, errors.New("the system does not tell") }
	if !g.admits(netip.MustParseAddr("8.8.8.8")) || g.admits(netip.MustParseAddr("10.0.0.1")) {
		t.Error("without the addresses of the machine the ranges do not decide")
	}
}

func TestAllowedRanges(t *testing.T) {
	for _, text := range []string{
		"", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "fd00::/129", "localhost", "10.0.0.0-10.0.0.9", "fe80::1%eth0",
		"fe80::%eth0/64", "::ffff:10.0.0.0/64", "0x7f.1", "010.0.0.1", "10.0.0.0/8/8", "10.0.0.0 /8", "*",
	} {
		_, err := newGuard([]string{"10.0.0.0/8", text})
		if err == nil || !strings.Contains(err.Error(), `image_fetch_allow: "`+text+`" is neither`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPictureURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://example.com/a.png":              "",
		"HTTPS://Example.com/a.png?x=1#frag":    "",
		"http://example.com:8080/":              "",
		"https://example.com:443":               "",
		"http://[2001:4860:4860::8888]:80/":     "",
		"http://例え.jp/":                         "",
		"":                                      "does not begin with http:// or https://",
		"example.com/a.png":                     "does not begin with http:// or https://",
		"//example.com/a.png":                   "does not begin with http:// or https://",
		"ftp://example.com/a.png":               "does not begin with http:// or https://",
		"file:///etc/passwd":                    "does not begin with http:// or https://",
		"gopher://example.com:6379/_x":          "does not begin with http:// or https://",
		"data:image/png;base64,AAAA":            "does not begin with http:// or https://",
		"javascript:alert(1)":                   "does not begin with http:// or https://",
		"http:example.com":                      "has no host",
		"http:///a.png":                         "has no host",
		"https://:443/a.png":                    "has no host",
		"http://user:hunter2@example.com/":      "contains a user or password",
		"http://user@example.com/":              "contains a user or password",
		"http://@example.com/":                  "contains a user or password",
		"http://good.example@127.0.0.1/":        "contains a user or password",
		"http://good.example\\@127.0.0.1/":      "is not a URL",
		"http://example.com:22/":                "names a port that pictures are not fetched from (80, 443 and those from 1024 on are)",
		"http://example.com:0/":                 "names a port that pictures are not fetched from (80, 443 and those from 1024 on are)",
		"http://example.com:65536/":             "names a port that pictures are not fetched from (80, 443 and those from 1024 on are)",
		"http://example.com:http/":              "is not a URL",
		" http://example.com/":                  "is not a URL",
		"http://example.com/\r\nX: y":           "is not a URL",
		"http://exa mple.com/":                  "is not a URL",
		"http://%31%32%37.0.0.1/":               "is not a URL",
		"http://[::1/":                          "is not a URL",
		"http://example.com/%zz":                "is not a URL",
		"http://h/" + strings.Repeat("a", 8192): "is longer than 8192 bytes",
	} {
		if u, wrong := pictureURL(text); wrong != want || u == nil {
			t.Errorf("%.60q: %q", text, wrong)
		}
	}
}

// The spellings of IPv4 that some resolvers take and others ask a name server for.
func TestHosts(t *testing.T) {
	for host, want := range map[string]string{
		"example.com": "name", "example.com.": "name", "a_b.example": "name", "xn--r8jz45g.jp": "name", "localhost": "name",
		"0x7f.example": "name", "1.2.3.4.example": "name", "7f000001": "name", "3com": "name",
		"127.0.0.1": "address", "::1": "address", "::ffff:127.0.0.1": "address", "fe80::1%eth0": "address",
		"2130706433": "", "0x7f000001": "", "0X7F000001": "", "017700000001": "", "127.1": "", "127.0.1": "", "0x7f.1": "",
		"0177.0.0.1": "", "127.0.0.01": "", "127.0.0.1.": "", "127.0.0.256": "", "1.2.3.4.5": "", "example.123": "", "example.0x": "",
		"example.0xff": "", "0": "", "": "", ".": "", "example..": "", "exa mple": "", "a/b": "", "a:b": "", "例え.jp": "", "127。0。0。1": "",
		"１２７.0.0.1": "", "a%00b": "", "a\x00b": "", strings.Repeat("a", 254): "",
	} {
		ip, ok := literalHost(host)
		got := ""
		switch {
		case ip.IsValid() && ok:
			got = "address"
		case ok:
			got = "name"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
