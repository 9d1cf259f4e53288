package move

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gcli2api/store"
	"gcli2api/store/open"
)

// job is one move to a place.
type job struct {
	from     source
	id, name string // of the source
	to       *Side
	dry      bool
	force    bool // replace what is there
	live     bool // although gateways use one of the places
	silence  time.Duration
	silent   map[*Side]map[string]string // gateways that are in the list and do not live
	say      io.Writer
	progress func(*Count)
}

// Refusal is why a move does not begin. Nothing was changed.
type Refusal struct{ Why string }

// Error is why.
func (r *Refusal) Error() string { return r.Why }

func refusal(form string, args ...any) error { return &Refusal{fmt.Sprintf(form, args...)} }

// errLost says that somebody else writes to the target.
var errLost = errors.New("another move writes to the same place")

// errDiffers says that the two sides are not the same at the end. What differs has been printed.
var errDiffers = errors.New("not everything is there: see above; where it is only different, the same command again goes on from here")

// run moves, and compares both sides at the end.
func (j *job) run(ctx context.Context) error {
	l := newLevel(j.from, j.to)
	l.dry, l.tell = j.dry, j.progress
	if j.dry {
		return j.plan(ctx, l)
	}
	lease := &lease{s: j.to.Store, owner: rand.Text(), say: j.say}
	defer lease.drop(ctx)
	l.hold = lease.hold
	if err := lease.hold(ctx); err != nil {
		return err
	}
	resumed, err := j.admit(ctx)
	if err != nil {
		return err
	}
	if resumed {
		fmt.Fprintln(j.say, "going on with a move that was interrupted")
	}
	m := &open.Mark{From: j.id, Name: j.name, Begun: time.Now().UTC()}
	before, err := j.begin(ctx, m)
	if err != nil {
		return err
	}
	if err := j.still(ctx); err != nil {
		return errors.Join(err, j.unmark(ctx, before))
	}
	if counts, err := l.tables(ctx); err != nil {
		return j.end(l.wrong, counts, err, true)
	}
	check := newLevel(j.from, j.to)
	check.dry, check.hold, check.tell = true, lease.hold, j.progress
	counts, err := check.tables(ctx)
	if err == nil && (j.live || !differ(counts)) { // else the same command goes on from here
		m.Done = time.Now().UTC()
		err = patiently(ctx, func() error { return m.Save(ctx, j.to.Store) })
	}
	check.wrong.merge(l.wrong)
	printCounts(j.say, counts)
	return j.end(check.wrong, counts, err, j.live)
}

// begin writes the mark, and gives the one before it.
func (j *job) begin(ctx context.Context, m *open.Mark) (before *open.Mark, err error) {
	if before, err = j.marked(ctx); err == nil {
		err = patiently(ctx, func() error { return m.Save(ctx, j.to.Store) })
	}
	if err != nil {
		return nil, fmt.Errorf("write to %s: %w", j.to.Name, err)
	}
	return before, nil
}

// unmark puts back what was there before the mark: nothing was moved.
func (j *job) unmark(ctx context.Context, before *open.Mark) error {
	return patiently(ctx, func() error {
		if before != nil {
			return before.Save(ctx, j.to.Store)
		}
		return open.Unmark(ctx, j.to.Store)
	})
}

// plan says what a move would do.
func (j *job) plan(ctx context.Context, l *level) error {
	_, refused := j.admit(ctx)
	if why := (*Refusal)(nil); refused != nil && !errors.As(refused, &why) {
		return refused
	}
	counts, err := l.tables(ctx)
	printPlan(j.say, counts)
	if err = j.end(l.wrong, counts, err, true); err == nil && refused != nil {
		err = fmt.Errorf("it would be refused: %w", refused)
	}
	return err
}

// end says what is wrong, and whether that makes the move a failure.
func (j *job) end(wrong *problems, counts []*Count, err error, mayDiffer bool) error {
	wrong.print(j.say)
	if err != nil {
		return err
	}
	if len(wrong.all) > 0 {
		return errDiffers
	}
	if differ(counts) && !mayDiffer {
		return errDiffers
	}
	return nil
}

// differ tells that the sides are not the same.
func differ(counts []*Count) bool {
	return slices.ContainsFunc(counts, func(c *Count) bool { return c.differs > 0 })
}

// admit says whether the move may begin, and whether it is one that was interrupted.
func (j *job) admit(ctx context.Context) (resumed bool, err error) {
	for _, side := range []any{j.from, j.to} {
		s, is := side.(*Side)
		if !is || j.live {
			continue
		}
		if err := j.idle(ctx, s); err != nil {
			return false, err
		}
	}
	if from, is := j.from.(*Side); is && from.ID == j.to.ID {
		return false, refusal("%s is both ends of the move", j.to.Name)
	}
	m, err := j.marked(ctx)
	if err != nil || m != nil && m.Done.IsZero() && m.From == j.id {
		return err == nil, err
	}
	switch {
	case j.force:
		return false, nil
	case m != nil && m.Done.IsZero():
		return false, refusal("%s has half of what a move from %s was to bring: give that command again to go on with it, or say -force to replace what is there", j.to.Name, m.Name)
	}
	found, err := j.to.empty(ctx)
	if err != nil {
		return false, err
	}
	if found != "" {
		return false, refusal("%s is not empty (%s): name an empty place, or say -force to replace all that is there", j.to.Name, found)
	}
	return false, nil
}

func (j *job) marked(ctx context.Context) (*open.Mark, error) {
	if j.to.Store == nil {
		return nil, nil
	}
	return patient(ctx, func() (*open.Mark, error) { return open.MarkOf(ctx, j.to.Store) })
}

// lease keeps two moves from writing to one place.
type lease struct {
	s     store.Store
	owner string
	say   io.Writer
	until time.Time
}

const (
	leaseName = "move"
	leaseTime = 15 * time.Second
)

// hold takes the lease or renews it. One that was killed a moment ago still holds it: the first time waits
// for that.
func (l *lease) hold(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if time.Until(l.until) > leaseTime/2 {
		return nil
	}
	late := time.Now().Add(leaseTime + 5*time.Second)
	for told := false; ; told = true {
		now := time.Now()
		mine, err := patient(ctx, func() (bool, error) { return l.s.Claim(ctx, leaseName, l.owner, leaseTime) })
		switch {
		case err != nil:
			return fmt.Errorf("hold the target: %w", err)
		case mine:
			l.until = now.Add(leaseTime)
			return nil
		case !l.until.IsZero() || now.After(late):
			return errLost
		case !told:
			fmt.Fprintln(l.say, "waiting for a move that writes to the same place, or was killed a moment ago")
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *lease) drop(ctx context.Context) {
	_, _ = l.s.Claim(context.WithoutCancel(ctx), leaseName, l.owner, 0) // else it runs out
}
