package console

import (
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// How often one address may look a key up: so many tries at once, and as many in a minute from then on.
const (
	triesAtOnce = 20
	tryEvery    = time.Minute / triesAtOnce
	maxTriers   = 10_000 // addresses in one generation
)

// throttle counts tries by address. An address has one time: when the last of its tries would be due, if one
// was due every tryEvery. It is kept in two generations, so that it is bounded and never gone through: an
// address is forgotten when 10,000 others have come after it.
type throttle struct {
	now func() time.Time

	mu         sync.Mutex
	young, old map[string]time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, young: map[string]time.Time{}}
}

// try counts a try. wait is how long the address has to wait before the next one, 0 lets it in.
func (t *throttle) try(from string) (wait time.Duration) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	due, known := t.young[from]
	if !known {
		due = t.old[from]
	}
	if due.Before(now) {
		due = now
	}
	if due = due.Add(tryEvery); due.Sub(now) > triesAtOnce*tryEvery {
		return due.Sub(now) - triesAtOnce*tryEvery
	}
	if len(t.young) >= maxTriers && !known {
		t.old, t.young = t.young, make(map[string]time.Time, maxTriers)
	}
	t.young[from] = due
	return 0
}

// tooOften refuses.
func tooOften(c *fiber.Ctx, wait time.Duration) error {
	unread(c)
	seconds := strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
	c.Set(fiber.HeaderRetryAfter, seconds)
	return refuse(c, fiber.StatusTooManyRequests, "too many tries from this address: wait "+seconds+" s")
}
