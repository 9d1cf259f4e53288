package stages_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"gcli2api/pipeline"
	"gcli2api/stages"
)

// Keys that nobody charges are no secret of the configuration: the log has it, at start and when it comes to it.
func TestUnchargedKeysAreToldOf(t *testing.T) {
	h := newHouse(t)
	log := &bytes.Buffer{}
	e, err := pipeline.NewEngine(pipeline.Options{Kinds: h.kinds, Loopback: true, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	const off = "[stage.quota]\nenabled = false\n"
	for _, c := range []struct {
		toml string
		want int
	}{{"", 0}, {off, 1}, {"", 0}, {off, 1}, {off + "[stage.shape]\nenabled = true\n", 0}} {
		log.Reset()
		if err := e.Apply(load(t, h.kinds, c.toml)); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "keys=1"); n != c.want || n > 0 && !strings.Contains(log.String(), "not charged") {
			t.Errorf("%q: %s", c.toml, log.String())
		}
	}
	for _, one := range h.book.Keys.List() { // without keys there is nothing to tell
		if err := h.book.Keys.Delete(t.Context(), one.ID); err != nil {
			t.Fatal(err)
		}
	}
	log.Reset()
	none := catalogue(stages.Services{Access: access{}, Book: h.book})
	if e, err = pipeline.NewEngine(pipeline.Options{Kinds: none, Loopback: true, Log: slog.New(slog.NewTextHandler(log, nil))}); err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(load(t, none, off)); err != nil || strings.Contains(log.String(), "not charged") {
		t.Errorf("%v %s", err, log.String())
	}
}
