package oauth

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"gcli2api/store"
	"gcli2api/store/seal"
)

// noted keeps what was written.
type noted struct {
	store.Store
	mu  sync.Mutex
	all []flow
}

func (n *noted) Put(ctx context.Context, t store.Table, d store.Doc, when store.Rev) (store.Rev, error) {
	if strings.HasPrefix(d.ID, "signin/flow/") {
		var f flow
		_ = json.Unmarshal(d.Body, &f) // the test looks at what is in it
		n.mu.Lock()
		n.all = append(n.all, f)
		n.mu.Unlock()
	}
	return n.Store.Put(ctx, t, d, when)
}

// What is secret in an open sign-in is sealed in the store, and another node with the key ends it.
func TestSignInIsSealed(t *testing.T) {
	kept := &noted{Store: keptIn(t)}
	_, a := signIns(t, kept)
	a.ring = seal.New(sealingSecret)
	b := NewSignIns(SignInOptions{Client: a.c, Store: kept, Ring: seal.New("another key of sixteen", sealingSecret)})
	other := NewSignIns(SignInOptions{Client: a.c, Store: kept})
	got, fail := a.Start(t.Context(), Begin{From: "x", Redirect: "http://localhost:1/oauth2callback"})
	if fail != nil {
		t.Fatal(fail)
	}
	r := returns(t, got.AuthURL)
	if fail := other.Land(t.Context(), r, ""); fail == nil || !strings.Contains(fail.Says, "begin again") {
		t.Errorf("without the key: %v", fail)
	}
	if fail := b.Land(t.Context(), r, ""); fail != nil {
		t.Fatal(fail)
	}
	done, fail := a.Complete(t.Context(), Completion{Returned: Returned{State: got.State}, From: "x",
		Import: func(name string, data []byte) (string, error) { return name, nil }})
	if fail == nil { // a has not the key of b, which has written last
		t.Fatalf("with the key of before only: %+v", done)
	}
	if done, fail = b.Complete(t.Context(), Completion{Returned: Returned{State: got.State}, From: "x",
		Import: func(name string, data []byte) (string, error) { return name, nil }}); fail != nil || done.Email != "anna@example.com" {
		t.Fatal(done, fail)
	}
	granted := false
	for i, f := range kept.all {
		secrets := []string{f.Verifier, f.Code}
		if f.Grant != nil {
			granted = true
			secrets = append(secrets, f.Grant.Access, f.Grant.Refresh)
		}
		for _, s := range secrets {
			if s != "" && !seal.Is(s) {
				t.Errorf("write %d has a secret plain: %+v", i, f)
			}
		}
	}
	if len(kept.all) < 3 || !granted {
		t.Errorf("%d writes, tokens among them: %v", len(kept.all), granted)
	}
}
