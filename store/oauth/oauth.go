// Package oauth makes and renews credentials: it reads credential files, refreshes tokens, finds the
// Google Cloud project of an account and its e-mail address.
//
// Whatever a file says, tokens and client secrets go to the configured addresses only. Nothing here
// logs a token, and no error quotes a body of the token endpoint.
package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire/gemini"
)

// OfficialClientID is the public OAuth client of the Gemini CLI. Its secret is not built in.
const OfficialClientID = "681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com"

// Settings are asked for at each use, so that a change counts at once.
type Settings struct {
	Endpoints    outbound.Endpoints
	ClientID     string // for files that name no client; "" is OfficialClientID
	ClientSecret string // of that client; "" where the operator gave none
	UserAgent    string // whole header of setup calls (protocol 3.1)
}

// Options are what a Client is made from. HTTP and Settings must be given.
type Options struct {
	HTTP     func() *http.Client             // asked at each call: the proxy may have changed
	HTTPVia  func(proxy string) *http.Client // the same with a proxy of its own; nil where no credential has one
	Settings func() Settings
	Log      *slog.Logger // nil logs nothing

	PollEvery  time.Duration    // between two looks at an onboarding; 0 is 5 s
	PollFor    time.Duration    // until it is given up; 0 is 120 s
	RetryPause time.Duration    // before the second try of a call that failed for the moment, then doubled; 0 is 1 s
	Now        func() time.Time // nil is time.Now
}

// Client talks to Google about credentials. It is safe for concurrent use and owns no goroutine.
type Client struct{ o Options }

// New makes a client.
func New(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PollEvery = positive(o.PollEvery, 5*time.Second)
	o.PollFor = positive(o.PollFor, 2*time.Minute)
	o.RetryPause = positive(o.RetryPause, time.Second)
	return &Client{o}
}

// Via is the client whose calls go out through a proxy of their own; "" is the way of all calls.
func (c *Client) Via(proxy string) *Client {
	if proxy == "" {
		return c
	}
	other := *c
	other.o.HTTP = func() *http.Client {
		if c.o.HTTPVia == nil {
			return &http.Client{Transport: nowhere{}}
		}
		return c.o.HTTPVia(proxy)
	}
	return &other
}

// nowhere is the transport of a client that cannot go by the proxy that it was told: better no call
// than one that shows another address.
type nowhere struct{}

// RoundTrip implements http.RoundTripper.
func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, outbound.ErrProxy }

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// settings are those of now, holes filled.
func (c *Client) settings() Settings {
	s := c.o.Settings()
	if s.ClientID == "" {
		s.ClientID = OfficialClientID
	}
	if s.UserAgent == "" {
		s.UserAgent = "GeminiCLI/0.56.0/gemini-2.5-pro (linux; x64; terminal)"
	}
	return s
}

// Rules are what Parse judges a file by, as the settings are now.
func (c *Client) Rules() Rules {
	s := c.settings()
	return Rules{ClientID: s.ClientID, ClientSecret: s.ClientSecret, TokenHost: s.Endpoints.OAuthToken}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// tries is how often a setup call is made when Google is out of order for the moment.
const tries = 3

// request is one JSON call with a Bearer token. in nil is a GET.
type request struct {
	url   string
	token string
	in    any
}

// call makes the request, again while Google is out of order, and decodes the answer into out. The
// error is an *apierror.Error with Said where Google answered.
func (c *Client) call(ctx context.Context, r request, out any) error {
	for try, pause := 1, c.o.RetryPause; ; try, pause = try+1, 2*pause {
		err := c.once(ctx, r, out)
		if err == nil || try == tries || !passing(err) || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

func (c *Client) once(ctx context.Context, r request, out any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if r.in != nil {
		b, err := json.Marshal(r.in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		method, body = http.MethodPost, bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.url, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("User-Agent", c.settings().UserAgent)
	resp, err := c.o.HTTP().Do(req)
	if err != nil {
		return outbound.Explain(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return outbound.Explain(err)
	}
	if resp.StatusCode != http.StatusOK {
		return gemini.ParseError(resp.StatusCode, resp.Header.Get("Retry-After"), data, c.o.Now())
	}
	if err := json.Unmarshal(data, out); err != nil {
		return apierror.Wrap(apierror.UpstreamUnavailable, "Google sent something that cannot be read", err)
	}
	return nil
}

// said is what Google said, never nil.
func said(err error) *apierror.Said {
	var e *apierror.Error
	if errors.As(err, &e) && e.Said != nil {
		return e.Said
	}
	return &apierror.Said{}
}

// passing tells trouble of the moment from an answer that would stay the same.
func passing(err error) bool {
	s := said(err)
	if s.HTTP == 0 {
		return true // no answer, or one that cannot be read
	}
	return s.HTTP == http.StatusTooManyRequests || s.HTTP == 499 || s.HTTP >= 500
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
