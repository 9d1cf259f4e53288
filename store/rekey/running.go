package rekey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/server"
	"gcli2api/store"
	"gcli2api/store/open"
	"gcli2api/store/seal"
)

// Service does it inside a gateway.
type Service struct {
	opt  Options
	Name string // of the folder, for who asks whether it is the right gateway
	busy atomic.Bool
}

// ErrBusy is when it is under way already.
var ErrBusy = errors.New("the secrets are being sealed anew already")

// Inside is the service of a gateway with these settings. hold keeps others from its credential files.
func Inside(c *config.Snapshot, s store.Store, ring *seal.Ring, hold func(func() error) error) *Service {
	r := &Service{opt: Options{Store: s, Config: c, Ring: ring, Hold: hold}, Name: folderOf(c)}
	if store.Alone(s) {
		r.opt.Folder = c.String("pool.credentials_dir")
	}
	return r
}

// Run does what is wished for, once at a time.
func (r *Service) Run(ctx context.Context, w Wish) (Count, error) {
	if err := w.Fits(r.opt.Ring); err != nil {
		return Count{}, err
	}
	if !r.busy.CompareAndSwap(false, true) {
		return Count{}, ErrBusy
	}
	defer r.busy.Store(false)
	if err := w.open(ctx, r.opt.Store, r.opt.Ring); err != nil {
		return Count{}, err
	}
	o := r.opt
	o.Dry = w.Dry
	return Run(ctx, o)
}

// Fits is Wish.Fits with the ring that the gateway was started with.
func (r *Service) Fits(w Wish) error { return w.Fits(r.opt.Ring) }

// folderOf names the folder of a configuration without links, as far as it is there.
func folderOf(c *config.Snapshot) string {
	path := c.String("pool.credentials_dir")
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(full); err == nil {
		return real
	}
	return full
}

// Answer is what the route says.
type Answer struct {
	Folder  string `json:"folder"`
	Seen    int    `json:"seen"`
	Changed int    `json:"changed"`
	Secrets int    `json:"secrets"`
	Stuck   int    `json:"stuck"`
}

// Path is the route.
const Path = "/storage/rotate-secret"

// ask has the gateway that holds the folder do it. First it only counts, which tells whether it is the one.
func ask(ctx context.Context, c *config.Snapshot, w Wish) (Count, error) {
	p, err := open.PlaceOf(c)
	if err != nil {
		return Count{}, err
	}
	held := fmt.Errorf("a gateway holds the folder %s", p.Folder)
	at := c.Listening()
	for _, address := range server.Addresses(at.Host, c.Int("server.port")) {
		var a Answer
		if a, err = post(ctx, c, address, Wish{Dry: true, Plain: w.Plain, Live: w.Live}); err != nil {
			continue
		}
		if a.Folder != folderOf(c) {
			return Count{}, fmt.Errorf("%w, but another one answers at %s, which has the folder %q", held, address, a.Folder)
		}
		if !w.Dry {
			a, err = post(ctx, c, address, w)
		}
		if err != nil {
			break
		}
		return Count{a.Seen, a.Changed, a.Secrets, a.Stuck}, nil
	}
	return Count{}, fmt.Errorf("%w, and cannot be asked to do it: %w", held, err)
}

func post(ctx context.Context, c *config.Snapshot, address string, w Wish) (a Answer, err error) {
	url := fmt.Sprintf("http://%s%s?dry_run=%t&plain=%t&live=%t", address, Path, w.Dry, w.Plain, w.Live)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Passwords().Panel)
	client := &http.Client{
		// No proxy of the environment gets to see the password.
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	var said struct {
		Answer
		Detail string `json:"detail"`
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && json.Unmarshal(data, &said) != nil {
		err = errors.New("it is no gateway of this version")
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s: %s", resp.Status, strings.ToValidUTF8(said.Detail, "?"))
	}
	return said.Answer, err
}
