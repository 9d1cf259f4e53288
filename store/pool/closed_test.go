package pool

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/store/oauth"
	"gcli2api/store/seal"
	"gcli2api/store/storetest"
)

// Where all credentials are sealed with another key the callers hear that, without details, and the log says
// which key it is and what to set: not that there are none.
func TestAllCredentialsStaySealed(t *testing.T) {
	onEngines(t, func(t *testing.T, s *storetest.Flaky) {
		var log lockedBuffer
		with := func(ring *seal.Ring) func(*Options) {
			return func(o *Options) {
				o.Seal, o.Log = oauth.Sealed{Ring: ring}, slog.New(slog.NewTextHandler(&log, nil))
			}
		}
		one := seal.New("the key that they have")
		a, b := onStore(t, s, with(one)), onStore(t, s, with(seal.New("another key altogether")))
		for i := range 3 {
			if _, err := a.Import(Offer{Name: strings.Repeat("c", i+1) + ".json", Data: []byte(fileOf(i))}); err != nil {
				t.Fatal(err)
			}
		}
		sealed, _ := one.SealText(seal.APIKey, "x")
		id := seal.KeyOf(sealed)
		until(t, "all are known to be sealed", func() bool { return b.Closed() == 3 })
		_, fail := b.Acquire(context.Background(), Want{Model: "m"})
		if fail == nil || fail.Status != 503 || fail.Code != apierror.NoCredential || !strings.HasPrefix(fail.Message, "the gateway's credentials cannot be opened now") ||
			strings.Contains(fail.Message, id) || strings.Contains(fail.Message, "GEMINI_API_KEY") {
			t.Errorf("%+v", fail)
		}
		c := onStore(t, s, with(nil)) // a start
		if said := log.String(); c.Closed() != 3 || !strings.Contains(said, "sealed=3 key="+id) || !strings.Contains(said, "set SECRET_KEY") {
			t.Errorf("%d\n%s", c.Closed(), said)
		}
		if errs := a.Delete("c.json", "cc.json", "ccc.json"); errs[0] != nil || errs[1] != nil || errs[2] != nil {
			t.Fatal(errs)
		}
		until(t, "none is left", func() bool { return b.Closed() == 0 })
		if _, fail := b.Acquire(context.Background(), Want{Model: "m"}); fail == nil || !strings.Contains(fail.Message, "set GEMINI_API_KEY") {
			t.Errorf("%+v", fail)
		}
	})
}
