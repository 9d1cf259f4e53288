package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
)

func TestExplain(t *testing.T) {
	why := apierror.New(apierror.Overloaded, "shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	late, stop := context.WithTimeout(t.Context(), 1)
	defer stop()
	<-late.Done()
	left, leave := context.WithCancel(t.Context())
	leave()
	for _, tc := range []struct {
		err     error
		code    apierror.Code
		network bool
	}{
		{&Error{Kind: ErrFirstByte}, apierror.UpstreamTimeout, true},
		{&Error{Kind: ErrIdle}, apierror.UpstreamTimeout, true},
		{&Error{Kind: ErrTotal}, apierror.UpstreamTimeout, true},
		{&Error{Kind: ErrConnectTimeout}, apierror.UpstreamTimeout, true},
		{&Error{Kind: ErrDial}, apierror.UpstreamUnavailable, true},
		{&Error{Kind: ErrProxy}, apierror.UpstreamUnavailable, true},
		{&Error{Kind: ErrClosedEarly}, apierror.UpstreamUnavailable, true},
		{&Error{Kind: ErrMalformed}, apierror.UpstreamUnavailable, true},
		{fmt.Errorf("read: %w", &Error{Kind: ErrCut}), apierror.UpstreamUnavailable, true},
		{&Error{Kind: ErrBusy}, apierror.Overloaded, false},
		{&Error{Kind: ErrClosed}, apierror.Overloaded, false},
		{&Error{Kind: ErrRequest}, apierror.Internal, false},
		{cancelled(left), apierror.ClientGone, false},
		{cancelled(late), apierror.UpstreamTimeout, true},
		{cancelled(ctx), apierror.Overloaded, false},
		{context.Canceled, apierror.ClientGone, false},
		{io.ErrUnexpectedEOF, apierror.UpstreamUnavailable, true},
		{&url.Error{Op: "Get", URL: "http://h/?key=topsecret", Err: context.DeadlineExceeded}, apierror.UpstreamTimeout, true},
	} {
		got := Explain(tc.err)
		if got.Code != tc.code || (got.Said != nil && got.Said.Network) != tc.network || got.Upstream != tc.network {
			t.Errorf("%v: %v, said %+v", tc.err, got, got.Said)
		}
		if strings.Contains(got.Error(), "topsecret") || strings.Contains(got.Message, "127.0.0.1") {
			t.Errorf("%v: shows too much: %v", tc.err, got)
		}
		var ue *url.Error
		if got != why && !errors.As(tc.err, &ue) && !errors.Is(got, tc.err) {
			t.Errorf("%v: cause is lost", tc.err)
		}
	}
	if Explain(nil) != nil {
		t.Error("nil")
	}
}

func TestEndpoints(t *testing.T) {
	def := DefaultEndpoints()
	if got, err := def.Validate(); err != nil || got != def {
		t.Errorf("defaults: %+v %v", got, err)
	}
	for text, want := range map[string]string{
		"http://127.0.0.1:8080/": "http://127.0.0.1:8080", " https://mirror.test/google// ": "https://mirror.test/google",
		"https://[::1]:1": "https://[::1]:1",
	} {
		e := def
		e.Gemini = text
		if got, err := e.Validate(); err != nil || got.Gemini != want {
			t.Errorf("%q: %q %v", text, got.Gemini, err)
		}
	}
	for _, text := range []string{"", "mirror.test", "ftp://h", "http://", "http://:80", "https://u:topsecret@h", "https://h?key=topsecret", "https://h#topsecret", "http://h:topsecret"} {
		e := def
		e.ServiceUsage = text
		_, err := e.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "service_usage_api_url: ") || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
