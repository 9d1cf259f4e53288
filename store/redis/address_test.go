package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"redis://host":                                "[host:6379] 0 ::false",
		"redis://host:1/":                             "[host:1] 0 ::false",
		"redis://me:pass@host:1/4":                    "[host:1] 4 me:pass:false",
		"redis://:p%40s%2Fs@host":                     "[host:6379] 0 :p@s/s:false",
		"rediss://[::1]:2/1":                          "[[::1]:2] 1 ::true",
		"redis://[::1]":                               "[[::1]:6379] 0 ::false",
		"redis://a?addr=b&addr=c:5&skip_verify=1":     "[a:6379 b:6379 c:5] 0 ::false",
		"redis://a:26379?master_name=m&max_retries=9": "[a:26379] 0 ::false",
		"": "", "host:6379": "", "redis://": "", "http://host": "", "redis://host:pa/ss@x": "", "redis://host/x": "", "redis://host/-1": "", "unix:///tmp/x": "",
	} {
		a, err := parse(Options{Address: address})
		got := ""
		if err == nil {
			o := a.options
			got = fmt.Sprintf("%v %d %s:%s:%v", o.Addrs, o.DB, o.Username, o.Password, strings.HasPrefix(address, "rediss"))
			if o.MaxRetries != -1 || o.TLSConfig != nil {
				t.Errorf("%s: the driver does more than it is asked for", address)
			}
		}
		if got != want {
			t.Errorf("%s: %s %v, want %s", address, got, err, want)
		}
		if err != nil && address != "" && strings.Contains(err.Error(), "pa/ss") {
			t.Errorf("shows the password: %v", err)
		}
	}
}

func TestMask(t *testing.T) {
	a, err := parse(Options{Address: "redis://me:p%40ss+word@host?sentinel_password=other"})
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{secrets: a.secrets}
	cause := errors.New("dial redis://me:p%40ss+word@host: p@ss+word, other")
	if text := db.told(cause).Error(); strings.Contains(text, "ss+word") || strings.Contains(text, "other") || !strings.Contains(text, "***") {
		t.Error(text)
	}
}
