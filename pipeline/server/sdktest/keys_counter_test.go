package sdktest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"testing"
)

// keyed is the house for who shows a key of the gateway instead of the password.
func (h *house) keyed(t *testing.T, secret string) *house {
	t.Helper()
	if secret == "" {
		return h
	}
	own := *h
	own.password = secret
	own.ai, own.gen = own.openai(secret), own.genai(t, secret)
	return &own
}

// doorman stands in front of a gateway and notes who comes with what, and how they leave.
type doorman struct {
	mu     sync.Mutex
	tries  map[string][]int           // statuses of a request's tries, by its mark
	places map[string]map[string]bool // headers in which keys stood, by path
}

type marked struct{}

var markOf = regexp.MustCompile(`# (\w+)"`)

// watched puts a doorman in front of the house.
func (h *house) watched(t *testing.T) *doorman {
	t.Helper()
	to, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	d := &doorman{tries: map[string][]int{}, places: map[string]map[string]bool{}}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ModifyResponse: d.leaves}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mark := ""
		if found := markOf.FindSubmatch(body); found != nil {
			mark = string(found[1])
		}
		d.comes(r)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), marked{}, mark)))
	}))
	t.Cleanup(front.Close)
	h.url = front.URL
	h.ai, h.gen = h.openai(h.password), h.genai(t, h.password)
	return d
}

func (d *doorman) comes(r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.places[r.URL.Path] == nil {
		d.places[r.URL.Path] = map[string]bool{}
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key"} {
		if r.Header.Get(name) != "" {
			d.places[r.URL.Path][name] = true
		}
	}
}

func (d *doorman) leaves(r *http.Response) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	mark, _ := r.Request.Context().Value(marked{}).(string)
	d.tries[mark] = append(d.tries[mark], r.StatusCode)
	return nil
}

// of are the statuses that the tries of a request came to.
func (d *doorman) of(a asking) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := markOf.FindStringSubmatch(a.Prompt + `"`); found != nil {
		return d.tries[found[1]]
	}
	return nil
}
