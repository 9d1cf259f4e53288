package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// addressMax bounds the address of a picture; browsers stop at much the same length.
const addressMax = 8192

// pictureURL reads an address that a client, or a redirect, named. wrong says what keeps it from
// being fetched, as the end of "its address ...", and never quotes it: the query may hold a token.
// The host comes back also then, if it could be read.
func pictureURL(text string) (u *url.URL, wrong string) {
	if len(text) > addressMax {
		return &url.URL{}, fmt.Sprintf("is longer than %d bytes", addressMax)
	}
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}, "is not a URL"
	}
	return u, wrongURL(u)
}

func wrongURL(u *url.URL) string {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "does not begin with http:// or https://"
	case u.User != nil:
		return "contains a user or password"
	case u.Hostname() == "":
		return "has no host"
	case !portFits(u.Port()):
		return "names a port that pictures are not fetched from (80, 443 and those from 1024 on are)"
	}
	return ""
}

// portFits keeps out the ports of other services, as browsers do: a mail server would take the
// lines of a request for commands.
func portFits(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n == 80 || n == 443 || n >= 1024)
}

// literalHost says what a host in an address is: an IP address, or a name to resolve. It is neither
// when it is one of the odd spellings of IPv4 (2130706433, 0x7f.1, 0177.0.0.1, 127.1), which some
// resolvers take for an address, or has a character that no host name has.
func literalHost(host string) (ip netip.Addr, ok bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, notInNames) {
		return netip.Addr{}, false
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	return netip.Addr{}, !isNumber(last)
}

func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// isNumber says whether a label is a number in the sense of the parsers of old: decimal, octal or
// hexadecimal, also 0x alone.
func isNumber(label string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return !strings.ContainsFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
	}
	return !strings.ContainsFunc(label, func(r rune) bool { return r < '0' || r > '9' })
}

// guard knows which addresses a client may send the gateway to: those of the public internet, and
// those that the operator allows.
type guard struct {
	allow  []netip.Prefix
	closed []netip.Prefix
	own    func() ([]net.Addr, error) // addresses of this machine
}

func newGuard(allow []string) (*guard, error) {
	ranges, err := parseRanges(allow)
	if err != nil {
		return nil, err
	}
	return &guard{allow: ranges, closed: closedRanges(), own: net.InterfaceAddrs}, nil
}

// closedRanges are those of the IANA registries of special addresses that are not places on the
// public internet. Of IPv6 only 2000::/3 is looked at at all, so the rest need no rows.
func closedRanges() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // behind a carrier's NAT
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // what Azure tells its machines
		"169.254.0.0/16",   // link-local; what clouds tell their machines
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments
		"192.0.2.0/24",     // documentation
		"192.88.99.0/24",   // 6to4 relays
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // benchmarking
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, broadcast
		"2001::/23",        // protocol assignments: Teredo (which embeds IPv4), benchmarking, ORCHID
		"2001:db8::/32",    // documentation
		"2002::/16",        // 6to4, which embeds IPv4
		"3ffe::/16",        // 6bone, given back
		"3fff::/20",        // documentation
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// admits says whether the gateway may connect to ip. A range that is allowed counts before
// everything else.
func (g *guard) admits(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if holds(g.allow, ip) {
		return true
	}
	if four, ok := translated(ip); ok {
		return g.admits(four)
	}
	if ip.Is6() && (ip.As16()[0]>>5 != 1 || isISATAP(ip)) {
		return false
	}
	return !holds(g.closed, ip) && !g.isOwn(ip)
}

func holds(ranges []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// translated gives the IPv4 address behind one of NAT64 (64:ff9b::/96), which networks without IPv4
// make for every host. Other prefixes of NAT64 lie outside 2000::/3 or cannot be told apart.
func translated(ip netip.Addr) (four netip.Addr, ok bool) {
	b := ip.As16()
	if ip.Is4() || [12]byte(b[:12]) != [12]byte{0, 0x64, 0xff, 0x9b} {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// isISATAP finds an IPv4 address in the last half, by the mark of RFC 5214 before it.
func isISATAP(ip netip.Addr) bool {
	b := ip.As16()
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// isOwn finds addresses of this machine: a firewall keeps others from what listens there, not the
// gateway itself.
func (g *guard) isOwn(ip netip.Addr) bool {
	all, err := g.own()
	if err != nil {
		return false // some systems do not tell; the ranges still hold
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr().Unmap() == ip
	})
}

// parseRanges reads the list of ranges that are allowed although they are not public.
func parseRanges(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		p, ok := parseRange(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("image_fetch_allow: %q is neither an address nor a range such as 10.0.0.0/8", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// parseRange gives IPv4 written as IPv6 (::ffff:10.0.0.0/104) as IPv4: that is how it is compared.
func parseRange(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	if p.Addr().Is4In6() {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), p.IsValid()
}
