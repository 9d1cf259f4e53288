package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gcli2api/pipeline/apierror"
)

const (
	pictureMax   = 20 << 20         // bytes of one picture
	pictureTotal = 10 * time.Second // all of a fetch: names, redirects and the last byte
	redirectsMax = 3

	endedEarly = refusal("its server ended it in the middle")
)

// Picture is an image that was fetched.
type Picture struct {
	MIME string // image/png, jpeg, webp, gif, heic or heif, as the bytes say
	Data []byte
}

// FetchImage gets the picture at an http or https address that a client named. It reaches public
// addresses only, and those of Settings.ImageFetchAllow. The error is fit for the client: it names
// the host that the client wrote and nothing else of the address.
func (l *Live) FetchImage(ctx context.Context, address string) (Picture, *apierror.Error) {
	return l.now.Load().pictures.get(ctx, address)
}

// fetcher fetches what clients name. It shares nothing with the calls to Google but the way out.
type fetcher struct {
	on     bool
	guard  *guard
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dialer *dialer
	tls    *tls.Config // without the session cache of the dialer, which strangers could push full
	total  time.Duration
	max    int64
}

func newFetcher(set Settings, d *dialer) (*fetcher, error) {
	g, err := newGuard(set.ImageFetchAllow)
	if err != nil {
		return nil, err
	}
	return &fetcher{
		on: set.ImageFetch, guard: g, lookup: systemLookup, dialer: d,
		tls:   &tls.Config{RootCAs: set.RootCAs, MinVersion: tls.VersionTLS12},
		total: pictureTotal, max: pictureMax,
	}, nil
}

func (f *fetcher) get(ctx context.Context, address string) (Picture, *apierror.Error) {
	if !f.on {
		return Picture{}, apierror.New(apierror.FeatureDisabled,
			"fetching pictures by their address is switched off on this gateway: send the picture itself, as a data: URL")
	}
	u, wrong := pictureURL(address)
	if wrong != "" {
		return Picture{}, explainFetch(ctx, u, refusal("its address "+wrong))
	}
	limited, cancel := context.WithTimeout(ctx, f.total)
	defer cancel()
	resp, err := f.follow(limited, u)
	if err != nil {
		return Picture{}, explainFetch(ctx, u, err)
	}
	defer func() { _ = resp.Body.Close() }()
	p, err := f.read(resp)
	if err == endedEarly && limited.Err() != nil {
		err = refusal("it took too long to arrive")
	}
	if err != nil {
		return Picture{}, explainFetch(ctx, u, err)
	}
	return p, nil
}

// explainFetch tells the client all of a refusal, and of anything else only that it failed:
// otherwise one could read from the answers which hosts and ports exist.
func explainFetch(ctx context.Context, u *url.URL, err error) *apierror.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return Explain(cancelled(ctx))
	}
	what := "the picture"
	if host := u.Hostname(); host != "" && len(host) <= 253 {
		what += fmt.Sprintf(" at %q", host)
	}
	var known refusal
	if errors.As(err, &known) {
		return apierror.Newf(apierror.BadRequest, "%s could not be fetched: %s", what, known)
	}
	return apierror.Wrap(apierror.BadRequest, what+" could not be fetched: no usable answer came in time", safeCause(err))
}

// safeCause is what the log may have of a failed fetch. Other errors than those of the network may
// quote what the server sent, which may repeat the query of the address.
func safeCause(err error) error {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var proxy *Error
	if errors.As(err, &network) || errors.As(err, &certificate) || errors.As(err, &proxy) {
		return err
	}
	return errors.New("the answer is not HTTP or was cut off")
}

// follow walks from address to address until one does not redirect. Each is checked anew.
func (f *fetcher) follow(ctx context.Context, u *url.URL) (*http.Response, error) {
	for hops := 0; ; hops++ {
		resp, err := f.ask(ctx, u)
		if err != nil {
			return nil, redirected(err, hops)
		}
		if !redirects(resp.StatusCode) {
			return resp, nil
		}
		_ = resp.Body.Close()
		if hops == redirectsMax {
			return nil, refusal(fmt.Sprintf("it redirects more than %d times", redirectsMax))
		}
		next, wrong := nextURL(u, resp.Header.Get("Location"))
		if wrong != "" {
			return nil, refusal("it redirects to an address that " + wrong)
		}
		u = next
	}
}

// redirected says of a refusal that it is not about the address that the client wrote.
func redirected(err error, hops int) error {
	var known refusal
	if hops > 0 && errors.As(err, &known) {
		return refusal("after a redirect, " + string(known))
	}
	return err
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// nextURL is where a redirect leads. What began protected stays so: a step back to http could be
// answered by anybody on the way.
func nextURL(from *url.URL, location string) (next *url.URL, wrong string) {
	if location == "" || len(location) > addressMax {
		return nil, "is missing or too long"
	}
	next, err := from.Parse(location)
	if err != nil {
		return nil, "is not a URL"
	}
	if from.Scheme == "https" && next.Scheme == "http" {
		return nil, "is http, after https"
	}
	return next, wrongURL(next)
}

// ask makes one request over a connection of its own. It does not take an http.Client: that would
// follow redirects with a Referer, which shows the whole address to strangers, and quote a broken
// Location in its errors.
func (f *fetcher) ask(ctx context.Context, u *url.URL) (*http.Response, error) {
	req := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{
		"User-Agent":      {"gcli2api"},
		"Accept":          {"image/png, image/jpeg, image/webp, image/gif, image/heic, image/heif"},
		"Accept-Encoding": {"identity"},
	}}
	return f.transport(ctx).RoundTrip(req.WithContext(ctx))
}

// transport dials under the context of the fetch: the one that net/http hands over outlives the
// request. When the fetch ends, so does the connection, wherever it is.
func (f *fetcher) transport(ctx context.Context) *http.Transport {
	return &http.Transport{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			conn, err := f.dial(ctx, addr)
			if err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
		TLSClientConfig: f.tls, DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: headerMax,
	}
}

// read takes the body of an answer if it is a picture, and looks at its beginning before it waits
// for the rest.
func (f *fetcher) read(resp *http.Response) (Picture, error) {
	tooLarge := refusal(fmt.Sprintf("it is larger than %d MB", f.max>>20))
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		return Picture{}, refusal(fmt.Sprintf("its server answered %d", resp.StatusCode))
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return Picture{}, refusal("its server sent it compressed, unasked")
	case resp.ContentLength > f.max:
		return Picture{}, tooLarge
	}
	body := bufio.NewReaderSize(io.LimitReader(resp.Body, f.max+1), 4096)
	head, err := body.Peek(sniffMax)
	if err != nil && err != io.EOF {
		return Picture{}, endedEarly
	}
	kind := pictureType(head)
	if kind == "" || !declaresPicture(resp.Header.Get("Content-Type")) {
		return Picture{}, refusal("it is not a PNG, JPEG, WebP, GIF, HEIC or HEIF picture")
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return Picture{}, endedEarly
	}
	if int64(len(data)) > f.max {
		return Picture{}, tooLarge
	}
	return Picture{MIME: kind, Data: data}, nil
}
