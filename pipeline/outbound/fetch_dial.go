package outbound

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// dialsMax is the number of addresses of one name that are tried.
const dialsMax = 4

// refusal is a failed fetch whose reason a client may know: the end of "the picture could not be
// fetched: ...".
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	closedNetwork = refusal("its address leads to a network that this gateway does not fetch from")
	noHost        = refusal("its address has a host that is written neither as a name nor as an IP address")
)

// dial connects to a host that a client named. The name is resolved once, here, and the connection
// goes to one of the addresses that were looked at, also through a proxy: no answer that changes in
// between can lead it anywhere else.
func (f *fetcher) dial(ctx context.Context, addr string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := f.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for i, ip := range ips {
		conn, err := f.connect(ctx, netip.AddrPortFrom(ip, uint16(port)), len(ips)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// addresses are those of host that the gateway may connect to, at least one. Where a name has both
// kinds, those that it may not connect to are left out.
func (f *fetcher) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	ip, ok := literalHost(host)
	if !ok {
		return nil, noHost
	}
	all := []netip.Addr{ip}
	if !ip.IsValid() {
		var err error
		if all, err = f.lookup(ctx, host); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the name has no address")
	}
	var out []netip.Addr
	for _, ip := range all {
		if len(out) < dialsMax && f.guard.admits(ip) {
			out = append(out, ip.Unmap())
		}
	}
	if len(out) == 0 {
		return nil, closedNetwork
	}
	return out, nil
}

// connect takes an equal share of the time that is left, so that one dead address of several does
// not use it up.
func (f *fetcher) connect(ctx context.Context, to netip.AddrPort, left int) (net.Conn, error) {
	var until time.Time
	if end, ok := ctx.Deadline(); ok {
		until = time.Now().Add(time.Until(end) / time.Duration(left))
	}
	limited, cancel := f.dialer.limit(ctx, until)
	defer cancel()
	if f.dialer.proxy == nil {
		return f.dialer.net.DialContext(limited, "tcp", to.String())
	}
	conn, _, err := f.dialer.tunnel(limited, to.String())
	return conn, err
}

// systemLookup asks the resolver of the machine.
func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return (&net.Resolver{}).LookupNetIP(ctx, "ip", host)
}
