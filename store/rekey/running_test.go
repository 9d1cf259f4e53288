package rekey

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"gcli2api/pipeline/config"
	"gcli2api/store/seal"
)

// TestAnotherGatewayAnswers: a gateway that has another folder is not asked to seal its secrets anew, only
// whether it is the one.
func TestAnotherGatewayAnswers(t *testing.T) {
	var counted, done atomic.Int64
	var folder string
	g := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("dry_run") == "true" {
			counted.Add(1)
		} else {
			done.Add(1)
		}
		_ = json.NewEncoder(w).Encode(Answer{Folder: folder, Seen: 3, Changed: 2})
	}))
	defer g.Close()
	at, _ := url.Parse(g.URL)
	ours := t.TempDir()
	c, err := config.Load(config.Options{Environ: []string{"CREDENTIALS_DIR=" + ours, "HOST=127.0.0.1", "PORT=" + at.Port()}})
	if err != nil {
		t.Fatal(err)
	}
	folder = folderOf(c) + "-of-somebody-else"
	if _, err := ask(t.Context(), c, Wish{}); err == nil || !strings.Contains(err.Error(), "another one answers") {
		t.Error(err)
	}
	if counted.Load() != 1 || done.Load() != 0 {
		t.Errorf("asked %d times, and %d times to do it", counted.Load(), done.Load())
	}
	folder = folderOf(c)
	if so, err := ask(t.Context(), c, Wish{}); err != nil || so.Changed != 2 || done.Load() != 1 {
		t.Errorf("%+v %v, %d times", so, err, done.Load())
	}
}

// TestOneAtATime: a second wish is refused while the first one is under way.
func TestOneAtATime(t *testing.T) {
	h := newHouse(t, seal.New(oldSecret))
	began, let := make(chan struct{}), make(chan struct{})
	hold := func(change func() error) error {
		select {
		case began <- struct{}{}:
			<-let
		default:
		}
		return change()
	}
	r := &Service{opt: Options{Store: h.store, Folder: h.folder, Config: settingsOf(t), Ring: seal.New(newSecret, oldSecret), Hold: hold}}
	first := make(chan error, 1)
	go func() { _, err := r.Run(t.Context(), Wish{Dry: true}); first <- err }()
	<-began
	if _, err := r.Run(t.Context(), Wish{Dry: true}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	close(let)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
