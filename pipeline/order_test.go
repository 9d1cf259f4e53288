package pipeline_test

import (
	"errors"
	"strings"
	"testing"

	"gcli2api/pipeline"
)

func catalogue() []pipeline.Kind {
	back := builds(func(b *pipeline.Build) (pipeline.Stage, error) { return &script{}, b.GoesBackTo("lease") })
	again := builds(func(b *pipeline.Build) (pipeline.Stage, error) { return &script{}, b.Reruns("lease", "retry") })
	early := builds(func(b *pipeline.Build) (pipeline.Stage, error) { return &script{}, b.StandsBefore("trunc") })
	around := builds(func(b *pipeline.Build) (pipeline.Stage, error) { return &script{}, b.Reruns("lease", "shape") })
	return []pipeline.Kind{
		kind("auth", &script{}, gives(pipeline.HasCaller), func(k *pipeline.Kind) {
			k.Off = func(*pipeline.Exchange) pipeline.Verdict { return pipeline.Next }
			k.MayBeOff = func(b *pipeline.Build) error {
				if b.Open() {
					return nil
				}
				return errors.New("only on loopback")
			}
		}),
		kind("quota", &script{}, needs(pipeline.HasCaller), before(pipeline.HasLease)),
		kind("lease", &script{}, gives(pipeline.HasLease)),
		kind("upstream", &script{}, needs(pipeline.HasLease), gives(pipeline.HasReply)),
		kind("retry", nil, needs(pipeline.HasReply), back),
		kind("shape", &script{}, needs(pipeline.HasReply), gives(pipeline.HasEncoder)),
		kind("trunc", nil, again), kind("wide", nil, around), kind("fake", nil, early),
	}
}

func TestOrderCheck(t *testing.T) {
	tests := []struct {
		name, order, off, want string
		open                   bool
	}{
		{name: "right", order: "auth quota lease upstream retry shape"},
		{name: "segment", order: "auth quota trunc lease upstream retry shape"},
		{name: "optional stage off", order: "auth quota lease upstream retry shape", off: "retry quota"},
		{name: "auth off on loopback", order: "auth quota lease upstream shape", off: "auth", open: true},
		{name: "needs", order: "auth quota lease retry upstream shape",
			want: `stage "retry" (position 4) needs "reply", which "upstream" settles at position 5: move "upstream" before "retry"`},
		{name: "before", order: "auth lease quota upstream shape",
			want: `stage "quota" (position 3) must stand before "lease" is settled, which "lease" does at position 2: move "quota" before "lease"`},
		{name: "unknown", order: "auth quota leese upstream shape", want: `unknown stage "leese" at position 3 (did you mean "lease"?)`},
		{name: "twice", order: "auth lease upstream shape auth", want: `stage "auth" stands in the list twice, at positions 1 and 5`},
		{name: "no encoder", order: "auth lease upstream", want: `the list settles no "encoder"`},
		{name: "no caller", order: "lease upstream shape", want: `the list settles no "caller"`},
		{name: "needed stage off", order: "auth lease upstream shape", off: "lease",
			want: `stage "upstream" (position 3) needs "lease", which no enabled stage settles: switch "lease" on`},
		{name: "last giver off", order: "auth lease upstream shape", off: "shape", want: `the list settles no "encoder": switch "shape" on`},
		{name: "auth off", order: "auth lease upstream shape", off: "auth", want: `stage "auth": only on loopback`},
		{name: "rewind target missing", order: "auth upstream retry shape", off: "",
			want: `stage "upstream" (position 2) needs "lease", which no enabled stage settles: add a stage that does`},
		{name: "segment in the wrong order", order: "auth retry trunc lease upstream shape",
			want: `needs "reply"`},
		{name: "segment end missing", order: "auth trunc lease upstream shape",
			want: `stage "trunc": runs "lease" to "retry" again, but "retry" is not in the list`},
		{name: "segment around itself", order: "auth lease wide upstream shape",
			want: `stage "wide": runs "lease" to "shape" again, but stands between them itself: move "wide" out of that stretch`},
		{name: "before another stage", order: "auth fake trunc lease upstream retry shape"},
		{name: "before one that is missing", order: "auth fake lease upstream retry shape"},
		{name: "behind one that is off", order: "auth trunc fake lease upstream retry shape", off: "trunc"},
		{name: "off behind one", order: "auth trunc fake lease upstream retry shape", off: "fake"},
		{name: "behind another stage", order: "auth trunc fake lease upstream retry shape",
			want: `stage "fake" (position 3) must stand before "trunc", which stands at position 2: move "fake" before "trunc"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := list{order: strings.Fields(tt.order), off: map[string]bool{}, open: tt.open}
			for _, n := range strings.Fields(tt.off) {
				l.off[n] = true
			}
			err := bare(t, catalogue()).Check(l)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
		})
	}
}

func TestKeptInstanceKeepsItsPromises(t *testing.T) {
	for _, tt := range []struct{ name, right, wrong, want string }{
		{"segment", "auth trunc lease upstream retry shape", "auth lease trunc upstream retry shape", "stands between them itself"},
		{"before", "auth fake trunc lease upstream retry shape", "auth trunc fake lease upstream retry shape", `stage "fake" (position 3) must stand before "trunc"`},
		{"before one that was missing", "auth fake lease upstream retry shape", "auth trunc fake lease upstream retry shape", `stage "fake" (position 3) must stand before "trunc"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := bare(t, catalogue())
			for range 2 { // an instance that was kept once is kept again
				if err := e.Apply(order(strings.Fields(tt.right)...)); err != nil {
					t.Fatal(err)
				}
				err := e.Apply(order(strings.Fields(tt.wrong)...))
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("the promise was not checked again: %v", err)
				}
			}
		})
	}
}
