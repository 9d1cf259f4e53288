package pipeline_test

import (
	"testing"

	"gcli2api/pipeline"
)

func TestCallerOwner(t *testing.T) {
	for want, c := range map[string]pipeline.Caller{
		"password": {Kind: "password"}, "anonymous": {Kind: "anonymous"}, "key:k1": {Kind: "key", ID: "k1"}, "key:a:b": {Kind: "key", ID: "a:b"},
		"key:password": {Kind: "key", ID: "password"}, "": {},
	} {
		if got := c.Owner(); got != want {
			t.Errorf("%+v owns as %q, want %q", c, got, want)
		}
	}
}
