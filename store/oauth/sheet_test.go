package oauth

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// names of the credentials with their secrets, and what cannot be read.
func shown(s Sheet, err error) string {
	var all []string
	for _, item := range s.Items {
		for _, c := range item.Creds {
			all = append(all, c.ID+"="+c.Secret())
		}
	}
	for _, w := range s.Warnings {
		all = append(all, "!"+w)
	}
	if err != nil {
		all = append(all, "ERROR "+err.Error())
	}
	return strings.Join(all, " ")
}

func wide(text string, order binary.AppendByteOrder) []byte {
	data := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, u)
	}
	return data
}

func TestForms(t *testing.T) {
	list := `[{"refresh_token":"r1"}, {"refreshToken":"r2","project_id":"p,q"}, {"type":"gemini_api_key","api_key":"k3"}]`
	three := "a.json=r1 a.json#2:p=r2 a.json#2:q=r2 a.json#3=k3"
	odd := `{"refresh_token":"r1","note":"` + strings.Repeat("\u00ff\u00fe?>~", 5) + `"}` // both alphabets differ on it
	std, url := base64.StdEncoding.EncodeToString([]byte(odd)), base64.RawURLEncoding.EncodeToString([]byte(odd))
	if !strings.ContainsAny(std, "+/") || !strings.ContainsAny(url, "-_") {
		t.Fatal("the example does not show the difference")
	}
	for _, row := range []struct {
		name, data, want string
		inPlace          bool
	}{
		{"object", `{"refresh_token":"r1"}`, "a.json=r1", true},
		{"list", list, three, true},
		{"list of one", `[{"refresh_token":"r1"}]`, "a.json=r1", true},
		{"list with a broken one", `[{"refresh_token":"r1"},{},7,{"refresh_token":"r4"}]`,
			`a.json=r1 a.json#4=r4 !a.json: #3 is not an object !a.json#2: "refresh_token" is missing`, true},
		{"list of broken ones", `[{},{}]`, `ERROR none of its 2 credentials can be used; the first: a.json: "refresh_token" is missing`, true},
		{"half a list", `[{"refresh_token":"r1"},{"ref`, "ERROR " + errNoJSON().Error(), false},
		{"list with a tail", `[{"refresh_token":"r1"}] x`, "ERROR there is text behind the end of the list", false},
		{"names", `{"version":1,"b.json":{"refresh_token":"r1"},"a.json":{"credential":{"refresh_token":"r2"},"state":{"disabled":true}},"c":{"x":1}}`,
			`a.json#b.json=r1 a.json#a.json=r2 !a.json#c: "refresh_token" is missing`, true},
		{"one name", `{"work":{"refresh_token":"r1"}}`, "a.json#work=r1", true},
		{"token is no name", `{"token":{"refresh_token":"r1"}}`, "a.json=r1", true},
		{"lines", "{\"refresh_token\":\"r1\"}\n\n{\"refresh_token\":\"r2\"}\n", "a.json=r1 a.json#2=r2", true},
		{"objects one behind the other", "{\n \"refresh_token\":\"r1\"\n}\n{\n \"refresh_token\":\"r2\"}", "a.json=r1 a.json#2=r2", true},
		{"a damaged line", "{\"refresh_token\":\"r1\"}\n{\"refresh_token\":\n{\"refresh_token\":\"r3\"}\n", "a.json=r1 a.json#3=r3 !a.json: #2 is not JSON", true},
		{"a damaged first line", "{\"refresh_token\":\n{\"refresh_token\":\"r2\"}\n", "a.json#2=r2 !a.json: #1 is not JSON", true},
		{"byte order mark", "\xef\xbb\xbf" + list, three, true},
		{"base64", base64.StdEncoding.EncodeToString([]byte(list)), three, false},
		{"base64, the one alphabet", std, "a.json=r1", false},
		{"base64, the other one", url, "a.json=r1", false},
		{"base64 in lines", " " + std[:20] + "\r\n" + std[20:40] + "\n\t" + strings.TrimRight(std[40:], "=") + "\n", "a.json=r1", false},
		{"base64 of lines", base64.StdEncoding.EncodeToString([]byte("\xef\xbb\xbf{\"refresh_token\":\"r1\"}\n{\"refresh_token\":\"r2\"}")), "a.json=r1 a.json#2=r2", false},
		{"base64 of something else", base64.StdEncoding.EncodeToString([]byte("HIDDEN words")), "ERROR " + errNoJSON().Error(), false},
		{"UTF-16 of Windows", string(wide(list, binary.LittleEndian)), three, false},
		{"UTF-16 the other way", string(wide(list, binary.BigEndian)), three, false},
		{"UTF-16 that does not say so", string(wide(list, binary.LittleEndian)[2:]), "ERROR it is no text in UTF-8: save it with the encoding UTF-8", false},
		{"half of UTF-16", "\xff\xfe{", "ERROR it is empty", false},
		{"spaces", " \r\n\t", "ERROR it is empty", false},
		{"a service account among others", `[{"refresh_token":"r1"},{"type":"service_account","private_key":"HIDDEN"}]`,
			"a.json=r1 !a.json#2: \"client_email\" is missing", true},
		{"express key", `[{"type":"vertex_express","api_key":"k1"},{"type":"vertex_express_key"}]`, "a.json=k1 !a.json#2: \"api_key\" is missing", true},
	} {
		s, err := Parse("a.json", []byte(row.data), rules)
		if got := shown(s, err); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.name, got, row.want)
		}
		if err == nil && s.InPlace != row.inPlace {
			t.Errorf("%s: in place: %t", row.name, s.InPlace)
		}
	}
}

// A change of one credential leaves all others as they are written.
func TestAmendOneOfSeveral(t *testing.T) {
	for _, row := range []struct{ name, data, id, want string }{
		{"list", `[ {"refresh_token":"r1"}, {"x": 1.50, "refresh_token":"r2"} ]` + "\n", "a.json#2", `[ {"refresh_token":"r1"}, {"x": 1.50, "refresh_token":"new"} ]` + "\n"},
		{"first of a list", `[{"refresh_token":"r1"},{"refresh_token":"r2"}]`, "a.json", `[{"refresh_token":"new"},{"refresh_token":"r2"}]`},
		{"names", `{"v": 1, "b": {"refresh_token":"r1"}, "c": {"refresh_token":"r2"}}`, "a.json#b", `{"v": 1, "b": {"refresh_token":"new"}, "c": {"refresh_token":"r2"}}`},
		{"dump", `{"b": {"credential": {"refresh_token":"r1"}, "state": {}}}`, "a.json#b", `{"b": {"credential": {"refresh_token":"new"}, "state": {}}}`},
		{"lines", "{\"refresh_token\":\"r1\"}\n{broken\n{\"token\":{\"refresh_token\":\"r2\"}}\n", "a.json#3", "{\"refresh_token\":\"r1\"}\n{broken\n{\"token\":{\"refresh_token\":\"new\"}}\n"},
	} {
		s, err := Parse("a.json", []byte(row.data), rules)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got, err := s.Amend(row.id, Change{RefreshToken: "new"}); err != nil || string(got) != row.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", row.name, got, err, row.want)
		}
		if _, err := s.Amend("other", Change{RefreshToken: "new"}); err == nil {
			t.Errorf("%s: a credential that is not there was changed", row.name)
		}
	}
	s, err := Parse("a.json", []byte(base64.StdEncoding.EncodeToString([]byte(`{"refresh_token":"r1"}`))), rules)
	if _, fail := s.Amend("a.json", Change{RefreshToken: "new"}); err != nil || fail == nil {
		t.Errorf("base64 was changed in place: %v", err)
	}
}

const oldFile = `
["me@example.com.json"]
client_id = "c"
client_secret = "s"
token = "ya29.x"
refresh_token = "r2"
scopes = ["a"]
project_id = "p"
expiry = 2025-11-20T10:00:00Z
disabled = true
error_codes = [403, 429]
last_success = 1763632800.25
user_email = "me@example.com"
cooldown_until = 1763632900.5

["a-1.json"]
refresh_token = "r1"
disabled = false

["a-1.json".model_cooldowns]
"gemini-2.5-pro" = 1763632900

["state only.json"]
disabled = true
`

func TestOldProduct(t *testing.T) {
	s, err := Parse("creds.toml", []byte(oldFile), rules)
	if got := shown(s, err); got != "a-1.json=r1 me@example.com.json=r2" || s.InPlace {
		t.Errorf("%s", got)
	}
	at := time.Unix(1763632800, 0)
	c := s.Find("me@example.com.json").Creds[0]
	if c.AccessToken != "ya29.x" || !c.Expiry.Equal(at) || c.ClientSecret != "s" || c.ProjectID != "p" || c.Email != "me@example.com" {
		t.Errorf("%s", show(c))
	}
	me := s.Starts["me@example.com.json"]
	if !me.Disabled || len(me.Codes) != 2 || me.Codes[1] != 429 || !me.LastSuccess.Equal(at.Add(250*time.Millisecond)) ||
		me.Email != "me@example.com" || !me.CoolingUntil.Equal(at.Add(100500*time.Millisecond)) {
		t.Errorf("%+v", me)
	}
	if a := s.Starts["a-1.json"]; a.Disabled || !a.Models["gemini-2.5-pro"].Equal(at.Add(100*time.Second)) || !a.CoolingUntil.IsZero() {
		t.Errorf("%+v", a)
	}
	if !s.Starts["state only.json"].Disabled {
		t.Error("a state without a credential is lost")
	}
	for _, row := range []struct{ data, want string }{
		{"[x]\nrefresh_token = \"HIDDEN", "ERROR line 2 is not TOML"},
		{"[\"x.json\"]\nclient_id = \"HIDDEN\"\n", `ERROR "refresh_token" is missing`},
		{"[\"x.json\"]\nclient_id = \"HIDDEN\"\n[\"y.json\"]\nrefresh_token=\"r\"", `y.json=r !creds.toml: x.json: "refresh_token" is missing`},
		{"a = 1", ""},
		{"", "ERROR it is empty"},
	} {
		s, err := Parse("creds.toml", []byte(row.data), rules)
		if got := shown(s, err); got != row.want {
			t.Errorf("%q: %s", row.data, got)
		}
	}
	starts, err := Starts([]byte("[\"/app/creds/b.json\"]\ndisabled = true\ncooldown_until = inf\nerror_codes = [\"x\"]\n"))
	if err != nil || !starts["b.json"].Disabled || !starts["b.json"].CoolingUntil.IsZero() {
		t.Errorf("%+v %v", starts, err)
	}
}
