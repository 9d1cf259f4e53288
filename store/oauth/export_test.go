package oauth

import (
	"strings"
	"testing"
	"time"
)

// google-auth reads an expiry only if a fraction stands between the seconds and the offset, older Pythons only
// if it has three or six digits; and a file is an account's by its type.
func TestExportForGoogleAuth(t *testing.T) {
	for name, tt := range map[string]struct {
		at   time.Time
		want string
	}{
		"whole seconds": {time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `"expiry": "2026-01-02T03:04:05.000000+00:00"`},
		"milliseconds":  {time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC), `"expiry": "2026-01-02T03:04:05.120000+00:00"`},
		"another zone":  {time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)), `"expiry": "2026-01-02T03:04:05.000000+00:00"`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Credential{Kind: CodeAssist, RefreshToken: "1//r", Expiry: tt.at}.Export(nil)
			if err != nil || !strings.Contains(string(out), tt.want) || !strings.Contains(string(out), `"type": "authorized_user"`) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
