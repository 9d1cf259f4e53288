package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// address is what a URL says. Of its parameters these count: addr (more nodes of a cluster), master_name (the
// URL is that of a sentinel, and sentinel_username and sentinel_password are for it) and cacert (a file with
// the authority of rediss://).
type address struct {
	options redis.UniversalOptions
	secrets []string
}

func parse(o Options) (*address, error) {
	u, err := url.Parse(o.Address)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" {
		return nil, errors.New("the address of Redis cannot be read: it is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// with TLS; special signs in the password are written as %XX")
	}
	a := &address{}
	q := u.Query()
	password, _ := u.User.Password()
	user, _, _ := strings.Cut(strings.TrimPrefix(o.Address, u.Scheme+"://"), "@")
	_, written, _ := strings.Cut(user, ":")
	for _, s := range []string{password, written, q.Get("sentinel_password")} {
		if s != "" {
			a.secrets = append(a.secrets, s)
		}
	}
	a.options = redis.UniversalOptions{
		Addrs: []string{hostPort(u.Host)}, Username: u.User.Username(), Password: password,
		MasterName: q.Get("master_name"), SentinelUsername: q.Get("sentinel_username"), SentinelPassword: q.Get("sentinel_password"),
		// One way of speaking, with nothing beside: scripts need no more, and old servers and proxies know no more.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		MaxRetries:               -1, DialerRetries: 1,
		DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		PoolSize: o.Connections, ContextTimeoutEnabled: true,
	}
	for _, more := range q["addr"] {
		a.options.Addrs = append(a.options.Addrs, hostPort(more))
	}
	if a.options.DB, err = number16(strings.Trim(u.Path, "/"), o.Database); err != nil {
		return nil, err
	}
	var secure *tls.Config
	if u.Scheme == "rediss" {
		name := u.Hostname()
		if a.many() {
			name = ""
		}
		if secure, err = trust(name, q.Get("cacert")); err != nil {
			return nil, err
		}
	}
	a.options.Dialer = dial(secure)
	return a, nil
}

func hostPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "6379")
}

// number16 is the number of the database: the address's own, else the setting's.
func number16(own, setting string) (int, error) {
	if own == "" {
		own = setting
	}
	if own == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(own)
	if err != nil || n < 0 {
		return 0, errors.New("the address of Redis names no number of a database behind the host")
	}
	return n, nil
}

// trust is TLS that checks the server by the name that the address gives it, also the nodes of a cluster that
// it tells of. Where the address names several servers each is checked by its own name.
func trust(host, file string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if file == "" {
		return c, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cacert of the address of Redis: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cacert of the address of Redis: %s holds no certificate", file)
	}
	return c, nil
}

// many tells that the address itself says that there are several servers.
func (a *address) many() bool { return len(a.options.Addrs) > 1 || a.options.MasterName != "" }

func (a *address) client() redis.UniversalClient {
	switch o := a.options; {
	case o.MasterName != "":
		return redis.NewFailoverClient(o.Failover())
	case len(o.Addrs) > 1:
		return a.clustered()
	default:
		return redis.NewClient(o.Simple())
	}
}

func (a *address) clustered() redis.UniversalClient {
	o := a.options.Cluster()
	o.DisableRoutingPolicies = true // our keys say where they belong
	return redis.NewClusterClient(o)
}

func (a *address) database() string { return strconv.Itoa(a.options.DB) }
