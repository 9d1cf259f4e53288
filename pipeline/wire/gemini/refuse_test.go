package gemini

import (
	"errors"
	"testing"

	"gcli2api/pipeline/apierror"
)

func TestRefuse(t *testing.T) {
	if fail := Refuse("a[1]", "is bad"); fail.Code != apierror.BadRequest || fail.Param != "a[1]" || fail.Message != "a[1] is bad" {
		t.Errorf("%+v", fail)
	}
	if fail := Refuse("a", TooLarge); fail.Code != apierror.TooLarge || fail.Param != "a" || fail.Message != "a "+TooLarge {
		t.Errorf("%+v", fail)
	}
}

func TestBroken(t *testing.T) {
	cause := errors.New("cut")
	if fail := Broken(cause); fail.Code != apierror.StreamBroken || !errors.Is(fail, cause) {
		t.Errorf("%+v", fail)
	}
}
