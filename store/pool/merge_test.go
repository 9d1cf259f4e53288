package pool

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// mergeCase is two states that began as one, and what has to become of them, whoever comes first.
type mergeCase struct {
	name               string
	base, a, b, result State
}

func mergeCases() []mergeCase {
	at := func(m int) time.Time { return time.Date(2026, 11, 23, 12, m, 0, 0, time.UTC) }
	rest := func(m int) Rest { return Rest{Until: at(m), Since: at(0), Code: "rate_limited", Status: 429} }
	limit := int64(5)
	return []mergeCase{
		{"a later ban beats an earlier switching on", State{},
			State{Disabled: true, Reason: "tos", SwitchedAt: at(2)}, State{SwitchedAt: at(1)},
			State{Disabled: true, Reason: "tos", SwitchedAt: at(2)}},
		{"a later switching on beats a ban", State{},
			State{Disabled: true, Reason: "tos", Link: "l", SwitchedAt: at(1)}, State{SwitchedAt: at(2)},
			State{SwitchedAt: at(2)}},
		{"only one has switched", State{Disabled: true, Reason: "x", SwitchedAt: at(5)},
			State{SwitchedAt: at(1)}, State{Disabled: true, Reason: "x", SwitchedAt: at(5), Calls: 3},
			State{SwitchedAt: at(1), Calls: 3}},
		{"rests by the later end", State{},
			State{Rest: rest(1), Rests: map[string]Rest{"x": rest(3), "y": rest(1)}}, State{Rest: rest(2), Rests: map[string]Rest{"x": rest(2), "z": rest(4)}},
			State{Rest: rest(2), Rests: map[string]Rest{"x": rest(3), "y": rest(1), "z": rest(4)}}},
		{"one has ended a rest", State{Rest: rest(9), Rests: map[string]Rest{"x": rest(8), "y": rest(7)}},
			State{Rests: map[string]Rest{"y": rest(7)}}, State{Rest: rest(9), Rests: map[string]Rest{"x": rest(8), "y": rest(7)}, Tier: "t"},
			State{Rests: map[string]Rest{"y": rest(7)}, Tier: "t"}},
		{"counters add up", State{Calls: 10, Day: Day{7, 2, 5}, Hours: []Hour{{100, 4}, {101, 1}}},
			State{Calls: 13, Day: Day{7, 3, 7}, Hours: []Hour{{100, 4}, {101, 3}}}, State{Calls: 14, Day: Day{7, 2, 9}, Hours: []Hour{{100, 5}, {102, 3}}},
			State{Calls: 17, Day: Day{7, 3, 11}, Hours: []Hour{{100, 5}, {101, 2}, {102, 3}}}},
		{"a reset takes away what was there, not what came since", State{Day: Day{7, 2, 50}, Hours: []Hour{{100, 40}}},
			State{Day: Day{7, 0, 0}}, State{Day: Day{7, 3, 52}, Hours: []Hour{{100, 42}}},
			State{Day: Day{7, 1, 2}, Hours: []Hour{{100, 2}}}},
		{"a new day", State{Day: Day{7, 2, 50}}, State{Day: Day{8, 1, 1}}, State{Day: Day{7, 3, 52}}, State{Day: Day{8, 1, 1}}},
		{"a new day for both", State{Day: Day{7, 2, 50}}, State{Day: Day{8, 1, 1}}, State{Day: Day{8, 2, 3}}, State{Day: Day{8, 3, 4}}},
		{"hours that are over", State{Hours: []Hour{{10, 4}}}, State{Hours: []Hour{{10, 5}}}, State{Hours: []Hour{{34, 1}}}, State{Hours: []Hour{{34, 1}}}},
		{"wishes member by member", State{Wish: Wish{Label: "a", Weight: 1}},
			State{Wish: Wish{Label: "b", Weight: 1}}, State{Wish: Wish{Label: "a", Weight: 2, DailyPro: &limit, Groups: []string{"g"}}},
			State{Wish: Wish{Label: "b", Weight: 2, DailyPro: &limit, Groups: []string{"g"}}}},
		{"tokens by the later end, whole", State{AccessToken: "0", TokenUntil: at(0)},
			State{AccessToken: "1", TokenUntil: at(1), RefreshToken: "r1"}, State{AccessToken: "2", TokenUntil: at(2)},
			State{AccessToken: "2", TokenUntil: at(2)}},
		{"a success of one ends the codes", State{Codes: []int{403}, Messages: map[int]string{403: "no"}, LastSuccess: at(1)},
			State{LastSuccess: at(3)}, State{Codes: []int{403}, Messages: map[int]string{403: "no"}, LastSuccess: at(2), Email: "e"},
			State{LastSuccess: at(3), Email: "e"}},
		{"a new secret begins anew, wishes stay", State{Of: "old", Disabled: true, Calls: 9},
			State{Of: "new"}, State{Of: "old", Disabled: true, Calls: 12, Wish: Wish{Label: "w"}},
			State{Of: "new", Wish: Wish{Label: "w"}}},
	}
}

func TestMerge(t *testing.T) {
	for _, c := range mergeCases() {
		for way, got := range map[string]State{"a into b": merge(c.base, c.a, c.b), "b into a": merge(c.base, c.b, c.a)} {
			if !reflect.DeepEqual(got, c.result) {
				t.Errorf("%s, %s:\n got %+v\nwant %+v", c.name, way, got, c.result)
			}
		}
		if got := merge(c.base, c.base, c.b); !reflect.DeepEqual(got, c.b) && c.b.Of == c.base.Of {
			t.Errorf("%s: who has changed nothing changes %+v into %+v", c.name, c.b, got)
		}
	}
}

// What a newer version keeps in a state is written back, and every member of this one is read.
func TestStatesOfANewerVersion(t *testing.T) {
	m := &Memory{names: stateNames()}
	s, err := m.decode([]byte(`{"of":"x","calls":3,"future":{"a":[1,2]},"writes":["w"],"other":null}`))
	if err != nil || s.Calls != 3 || len(s.more) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	s.Calls = 4
	body, err := s.MarshalJSON()
	if want := `{"of":"x","calls":4,"writes":["w"],"future":{"a":[1,2]},"other":null}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	both := merge(State{}, State{Calls: 1, Of: "x"}, s)
	if fmt.Sprint(both.more) != fmt.Sprint(s.more) || both.Calls != 5 {
		t.Errorf("%+v", both)
	}
	if _, err := m.decode([]byte(`{"of":"x","calls":"three"}`)); err == nil {
		t.Error("a state of another form was read")
	}
}
