package oauth

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestFromEnvironment(t *testing.T) {
	object := func(token string) string { return `{"refresh_token":"` + token + `"}` }
	environ := []string{
		"PATH=/bin", "GCLI_CREDS_work=" + object("w"), "GCLI_CREDS_1=" + base64.RawURLEncoding.EncodeToString([]byte(object("one"))),
		"GOOGLE_CREDENTIALS_10=" + object("ten"), "GOOGLE_CREDENTIALS_2=[" + object("two") + "," + object("too") + "]", "GOOGLE_CREDENTIALS=" + object("first"),
		"GOOGLE_CREDENTIALS_1='" + object("also") + "'", "GOOGLE_CREDENTIALS_11=" + fmt.Sprintf("%q", object("eleven")),
		"GOOGLE_CREDENTIALS_3=", "GOOGLE_CREDENTIALS_4=  ", "GOOGLE_CREDENTIALS_5=\"\"", "GOOGLE_CREDENTIALS_FILE=/x.json", "GOOGLE_CREDENTIALS_=" + object("no"),
		"GOOGLE_APPLICATION_CREDENTIALS=/x.json", "GCLI_CREDS_=" + object("no"), "GCLI_CREDS_work=" + object("second"), "GCLI_CREDS_bad=HIDDEN",
	}
	plain := "env_credential_1=first env_credential_1_1=also env_credential_2=two env_credential_2#2=too env_credential_10=ten env_credential_11=eleven"
	for auto, want := range map[bool]string{
		false: plain,
		true:  plain + " env-1=one ERROR GCLI_CREDS_bad " + errNoJSON().Error() + " env-work=w",
	} {
		var all []string
		for _, v := range FromEnvironment(environ, auto) {
			s, err := v.Parse(rules)
			if err != nil {
				err = fmt.Errorf("%s %w", v.Name, err)
			}
			all = append(all, shown(s, err))
			if s.InPlace {
				t.Errorf("%s can be written", v)
			}
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("auto %t:\n got %s\nwant %s", auto, got, want)
		}
	}
}

func TestVariableShowsNoSecret(t *testing.T) {
	v := FromEnvironment([]string{`GOOGLE_CREDENTIALS={"refresh_token":"HIDDEN"}`}, false)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v[0], "list", v)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v[0], "list", v)
	if text := fmt.Sprintf("%v %+v %#v %s %q %v", v, v[0], v[0], v[0], v, &v[0]) + log.String(); strings.Contains(text, "HIDDEN") || !strings.Contains(text, "GOOGLE_CREDENTIALS") {
		t.Error(text)
	}
}
