package geminiapi

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// Bounds of a list that no Google would send.
const (
	mostPages = 50
	mostBytes = 16 << 20 // of a page
)

// pages reads the list to its end (protocol 8.1).
func (l *Listing) pages(ctx context.Context, lease pipeline.Lease) (list []models.Served, fail *apierror.Error) {
	token := ""
	for range mostPages {
		var body []byte
		if body, fail = l.page(ctx, lease, token); fail != nil {
			return nil, fail
		}
		if wire.Check(body) != nil || wire.KindOf(body) != wire.KindObject {
			return nil, odd("is no JSON object")
		}
		for a := wire.ArrayOf(wire.Get(body, "models")); a.Next(); {
			if m, ok := served(a.Value); ok {
				list = append(list, m)
			}
		}
		next, _ := wire.Text(wire.Get(body, "nextPageToken"))
		if next == "" {
			return list, nil
		}
		token = next
	}
	return nil, odd("does not end")
}

// page makes one call.
func (l *Listing) page(ctx context.Context, lease pipeline.Lease, token string) ([]byte, *apierror.Error) {
	req := outbound.Request{Method: "GET"}
	query := "?pageSize=1000"
	if token != "" {
		query += "&pageToken=" + url.QueryEscape(token)
	}
	req.To(l.o.Settings.Gemini(), "/v1beta/models", query)
	req.Set("x-goog-api-key", lease.Token())
	req.Via(lease.Proxy())
	req.Set("User-Agent", "gcli2api")
	resp, err := l.o.Caller.Do(ctx, &req)
	if err != nil {
		return nil, explain(ctx, err)
	}
	defer resp.Body.Close()
	after := resp.Header("Retry-After")
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	switch {
	case resp.Status != 200:
		return nil, gemini.ParseError(resp.Status, after, body, time.Now())
	case err != nil:
		return nil, explain(ctx, err)
	case len(body) > mostBytes:
		return nil, odd("is too long")
	}
	return body, nil
}

// explain keeps a reading that was ended from here, which no key is to blame for, apart from a Google
// that failed.
func explain(ctx context.Context, err error) *apierror.Error {
	if ctx.Err() != nil {
		return apierror.Wrap(apierror.ClientGone, "the list took too long", err)
	}
	return outbound.Explain(err)
}

// odd is for an answer that is none.
func odd(what string) *apierror.Error {
	f := apierror.New(apierror.UpstreamUnavailable, "Google's list of models "+what)
	f.Upstream, f.Said = true, &apierror.Said{HTTP: 200, HTML: true}
	return f
}

// served reads one model; false for those that neither generate nor embed, and for what is none.
func served(v []byte) (m models.Served, ok bool) {
	name, _ := wire.Text(wire.Get(v, "name"))
	m.Name = strings.TrimPrefix(name, "models/")
	m.Display, _ = wire.Text(wire.Get(v, "displayName"))
	m.Input, m.Output = limit(wire.Get(v, "inputTokenLimit")), limit(wire.Get(v, "outputTokenLimit"))
	m.Embeds = true
	for a := wire.ArrayOf(wire.Get(v, "supportedGenerationMethods")); a.Next(); {
		switch method, _ := wire.Text(a.Value); method {
		case "generateContent":
			ok, m.Embeds = true, false
		case "embedContent":
			ok = true
		}
	}
	return m, ok && m.Name != ""
}

func limit(v []byte) int {
	n, ok := wire.Int(v)
	if !ok || n < 0 || n > 1<<31-1 {
		return 0
	}
	return int(n)
}
