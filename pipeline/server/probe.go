package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// probeLimit is how long a gateway may take to say that it is well.
const probeLimit = 3 * time.Second

// Probe asks the gateway that listens on host and port whether it is well; nil is yes. A host that
// stands for every address is asked on loopback.
func Probe(ctx context.Context, host string, port int) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	at := net.JoinHostPort(host, strconv.Itoa(port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/health", nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", at, err)
	}
	// A proxy of the environment has no business between the gateway and itself.
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway at %s answers %s", at, resp.Status)
	}
	return nil
}
