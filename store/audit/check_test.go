package audit

import (
	"strings"
	"testing"

	"gcli2api/pipeline/config"
)

// A number alone counts seconds, and 7 looks like days.
func TestCheck(t *testing.T) {
	for value, says := range map[string]string{"": "", "0": "", "168h": "", "3600": "", "7": "USAGE_KEEP_REQUESTS", "59m": "less than an hour"} {
		c, err := config.Load(config.Options{Environ: []string{"USAGE_KEEP_REQUESTS=" + value}})
		if err != nil {
			t.Fatal(err)
		}
		if err = Check(c); (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", value, err)
		}
	}
}
