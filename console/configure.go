package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gcli2api/pipeline/server"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// Bounds of a wish.
const (
	maxMany     = 1000 // credentials of one request
	maxLabel    = 200  // bytes
	maxGroups   = 32
	maxGroup    = 64 // bytes
	maxPriority = 1000
	maxWeight   = 1000
	maxAtOnce   = 10_000
	maxLimit    = 1_000_000_000
)

// change is one member of a wish, ready to be applied.
type change func(w *pool.Wish) error

// configure says what the operator wants of one credential or of many: a member that is missing stays
// as it is, null is the default. The answer comes when it is durable.
func (s Services) configure(c *fiber.Ctx) error {
	body, err := smallBody(c)
	if errors.Is(err, server.ErrUploadTooLarge) {
		return refuse(c, fiber.StatusBadRequest, "the body is longer than "+strconv.Itoa(maxSmall>>10)+" KB: name fewer credentials at a time")
	}
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, "the body cannot be taken: "+err.Error())
	}
	names, many, changes, err := wishIn(body)
	if err != nil {
		return refuse(c, fiber.StatusBadRequest, err.Error())
	}
	failed := []string{}
	before := s.wishes(names)
	defer func() { s.changes(c, several(names), before, s.wishes(names)) }()
	for _, name := range names {
		status, err := s.wish(name, changes)
		if err != nil && !many {
			return refuse(c, status, err.Error())
		}
		if err != nil {
			failed = append(failed, name+": "+err.Error())
		}
	}
	if s.Kept != nil {
		if err := s.Kept(c.Context()); err != nil {
			s.Log.Error("a change of the panel is not durable", "error", err)
			return s.unkept(c)
		}
	}
	if !many {
		d, _ := s.Pool.Detail(names[0]) // the zero wish, should it have gone this moment
		return c.JSON(fiber.Map{"message": "configured", "filename": names[0], "wish": wishOf(d.Wish)})
	}
	done := len(names) - len(failed)
	return c.JSON(fiber.Map{"success_count": done, "total_count": len(names), "errors": failed,
		"message": fmt.Sprintf("%d of %d configured", done, len(names))})
}

// wish changes one credential, wholly or not at all.
func (s Services) wish(name string, changes []change) (status int, err error) {
	there := s.Pool.Configure(name, func(w *pool.Wish) {
		wanted := *w
		for _, apply := range changes {
			if err = apply(&wanted); err != nil {
				return
			}
		}
		*w = wanted
	})
	if !there {
		return fiber.StatusNotFound, errors.New("there is no such credential")
	}
	return fiber.StatusBadRequest, err
}

// wishIn reads the body: whom it is for, and what is to change.
func wishIn(body []byte) (names []string, many bool, changes []change, err error) {
	var in map[string]json.RawMessage
	if json.Unmarshal(body, &in) != nil || in == nil {
		return nil, false, nil, fmt.Errorf("the body must be a JSON object of %d bytes at most, as in {\"filename\": \"a.json\", \"priority\": 1}", maxSmall)
	}
	if names, many, err = namesIn(in); err != nil {
		return nil, false, nil, err
	}
	delete(in, "filename")
	delete(in, "filenames")
	known := members()
	for _, name := range slices.Sorted(maps.Keys(in)) {
		read := known[name]
		if read == nil {
			return nil, false, nil, fmt.Errorf("unknown member %.60q: there are filename, filenames, %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		apply, err := read(in[name])
		if err != nil {
			return nil, false, nil, fmt.Errorf("%s: %w", name, err)
		}
		changes = append(changes, apply)
	}
	if len(changes) == 0 {
		return nil, false, nil, errors.New("there is nothing to change in it")
	}
	return names, many, changes, nil
}

// namesIn reads whom a body is for: "filename", or "filenames" for many.
func namesIn(in map[string]json.RawMessage) (names []string, many bool, err error) {
	_, one := in["filename"]
	_, many = in["filenames"]
	switch {
	case one == many:
		return nil, false, errors.New(`it must have "filename", or "filenames" with a list`)
	case one:
		var name string
		if json.Unmarshal(in["filename"], &name) != nil || name == "" {
			return nil, false, errors.New("filename must be the name of a credential")
		}
		return []string{name}, false, nil
	}
	if json.Unmarshal(in["filenames"], &names) != nil || len(names) == 0 || len(names) > maxMany {
		return nil, true, fmt.Errorf("filenames must be a list of 1 to %d names", maxMany)
	}
	return names, true, nil
}

// members are those that can be changed.
func members() map[string]func(v json.RawMessage) (change, error) {
	return map[string]func(v json.RawMessage) (change, error){
		"label":    member(labelled, func(w *pool.Wish, v string) { w.Label = v }),
		"priority": member(ranged(-maxPriority, maxPriority), func(w *pool.Wish, v int) { w.Priority = v }),
		"weight":   member(ranged(0, maxWeight), func(w *pool.Wish, v int) { w.Weight = v }),
		"groups":   member(grouped, func(w *pool.Wish, v []string) { w.Groups = slices.Compact(slices.Sorted(slices.Values(v))) }),
		"proxy":    proxied,
		"concurrency": member(ranged(-1, maxAtOnce), func(w *pool.Wish, v int) {
			w.Concurrency = v
		}),
		"gemini_2_5_pro_limit": member(limited, func(w *pool.Wish, v *int64) { w.DailyPro = v }),
		"total_limit":          member(limited, func(w *pool.Wish, v *int64) { w.DailyTotal = v }),
	}
}

// member reads a value of one type; null is its zero, which every wish begins with.
func member[T any](check func(T) error, set func(*pool.Wish, T)) func(json.RawMessage) (change, error) {
	return func(v json.RawMessage) (change, error) {
		var value T
		if json.Unmarshal(v, &value) != nil {
			return nil, errors.New("it must be " + kindOf(value) + ", or null for the default")
		}
		return func(w *pool.Wish) error { set(w, value); return nil }, check(value)
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "text"
	case []string:
		return "a list of texts"
	}
	return "a whole number"
}

func ranged(least, most int) func(int) error {
	return func(n int) error {
		if n < least || n > most {
			return fmt.Errorf("it must be from %d to %d", least, most)
		}
		return nil
	}
}

func limited(n *int64) error {
	if n != nil && (*n < 0 || *n > maxLimit) {
		return fmt.Errorf("it must be from 0 to %d", maxLimit)
	}
	return nil
}

func labelled(text string) error {
	if len(text) > maxLabel || !plain(text) {
		return fmt.Errorf("it must be one line of %d bytes at most", maxLabel)
	}
	return nil
}

func grouped(groups []string) error {
	if len(groups) > maxGroups {
		return fmt.Errorf("it must have %d groups at most", maxGroups)
	}
	for _, g := range groups {
		if g == "" || len(g) > maxGroup || !plain(g) || strings.TrimSpace(g) != g {
			return fmt.Errorf("a group must be one line of 1 to %d bytes without space around it", maxGroup)
		}
	}
	return nil
}

// plain tells text without control characters.
func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// proxied reads a proxy. One that is masked is judged when it meets the one there is. Errors never
// quote it.
func proxied(v json.RawMessage) (change, error) {
	var proxy string
	if json.Unmarshal(v, &proxy) != nil {
		return nil, errors.New("it must be text, or null for the default")
	}
	proxy = strings.TrimSpace(proxy)
	if !pool.MaskedProxy(proxy) {
		if err := new(pool.Wish).SetProxy(proxy); err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "proxy: "))
		}
	}
	return func(w *pool.Wish) error { return w.SetProxy(proxy) }, nil
}
