package move

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// silence is for how long a gateway that writes nothing of itself may yet live: several times what it takes
	// one that does.
	silence = 15 * time.Second
	// heardEvery is how often that is looked at.
	heardEvery = 500 * time.Millisecond
)

// idle refuses a place that gateways use. One that crashed stays in the list for long, but is silent.
func (j *job) idle(ctx context.Context, s *Side) error {
	before, err := s.gateways(ctx)
	if err != nil || len(before) == 0 {
		return err
	}
	fmt.Fprintf(j.say, "%s has %d gateways in its list: listening for %v whether they live\n", s.Name, len(before), j.silence)
	for end := time.Now().Add(j.silence); ; {
		now, err := s.gateways(ctx)
		if err != nil {
			return err
		}
		if live := goneOn(before, now); len(live) > 0 {
			return refusal("%s is used by gateways just now (%s): what they write meanwhile would be lost or half moved. Stop them, or say -live", s.Name, strings.Join(live, ", "))
		}
		if time.Now().After(end) {
			j.silent[s] = now
			return nil
		}
		select {
		case <-time.After(min(heardEvery, j.silence)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// goneOn are the nodes that are new or have written again.
func goneOn(before, now map[string]string) (live []string) {
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if was, there := before[id]; !there || was != now[id] {
			live = append(live, called(id, now[id]))
		}
	}
	return live
}

// called is a node by what an operator knows it by.
func called(id, wrote string) string {
	var n struct {
		Host    string `json:"host"`
		Address string `json:"address"`
	}
	if json.Unmarshal([]byte(wrote), &n) != nil || n.Address == "" {
		return id
	}
	return n.Address + " on " + n.Host
}

// still refuses what was idle, where a gateway has begun meanwhile: it looked for the mark before that was
// there. One that begins from now on sees it.
func (j *job) still(ctx context.Context) error {
	if j.live {
		return nil
	}
	now, err := j.to.gateways(ctx)
	if err != nil {
		return err
	}
	if live := goneOn(j.silent[j.to], now); len(live) > 0 {
		return refusal("a gateway began to use %s at this moment (%s): stop it, or say -live", j.to.Name, strings.Join(live, ", "))
	}
	return nil
}
