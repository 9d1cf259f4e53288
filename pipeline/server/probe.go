package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gcli2api/pipeline/wire"
)

// probeLimit is how long a gateway may take to say that it is well.
const probeLimit = 3 * time.Second

// Probe asks the gateway that listens on host and port whether it is well; nil is yes. A host that
// stands for every address is asked on loopback. It takes at most three seconds.
func Probe(ctx context.Context, host string, port int) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var first error
	for _, at := range Addresses(host, port) {
		err := probe(ctx, at)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// Addresses are where a gateway that listens on host and port answers its own machine, to be tried in turn.
func Addresses(host string, port int) []string {
	all := reachedAt(host)
	for i, h := range all {
		all[i] = net.JoinHostPort(h, strconv.Itoa(port))
	}
	return all
}

// reachedAt is where a listener on host answers its own machine. One on :: answers IPv4 as well,
// and a container without IPv6 has no ::1.
func reachedAt(host string) []string {
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		return []string{"127.0.0.1"}
	case ip != nil && ip.IsUnspecified():
		return []string{"::1", "127.0.0.1"}
	}
	return []string{host}
}

// health is what strangers may know. A gateway whose database is away is well: it serves all who need no
// database, and to start it anew would help nobody.
func (s *Server) health() []byte {
	if s.opt.Store == nil {
		return []byte(`{"status":"ok"}`)
	}
	engine, up, since := s.opt.Store()
	body := wire.AppendQuoted([]byte(`{"status":"ok","store":{"engine":`), engine)
	body = strconv.AppendBool(append(body, `,"up":`...), up)
	if !since.IsZero() {
		body = wire.AppendQuoted(append(body, `,"since":`...), since.UTC().Format(time.RFC3339))
	}
	return append(body, "}}"...)
}

func probe(ctx context.Context, at string) error {
	to := url.URL{Scheme: "http", Host: at, Path: "/health"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", at, err)
	}
	client := &http.Client{
		// A proxy of the environment has no business between the gateway and itself.
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // that is somebody else
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway at %s answers %s", at, resp.Status)
	}
	return nil
}
