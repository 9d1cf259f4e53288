package move

import (
	"context"
	"fmt"
)

// pages reads what comes behind after, in the order of the bytes of ids; an empty page is the end.
type pages[T any] func(ctx context.Context, after string) ([]T, error)

// cursor goes through pages one by one.
type cursor[T any] struct {
	read  pages[T]
	id    func(*T) string
	page  []T
	after string
	over  bool
}

// head is the next one, nil behind the last. It reads on when it has to.
func (c *cursor[T]) head(ctx context.Context) (*T, error) {
	if len(c.page) == 0 && !c.over {
		page, err := c.read(ctx, c.after)
		if err != nil {
			return nil, err
		}
		last := c.after
		for i := range page {
			// An order of another kind would make the two sides look different.
			if id := c.id(&page[i]); id <= last {
				return nil, fmt.Errorf("%q does not come behind %q, as the order of bytes wants it", id, last)
			} else {
				last = id
			}
		}
		c.page, c.over = page, len(page) == 0
	}
	if c.over {
		return nil, nil
	}
	return &c.page[0], nil
}

// pop goes behind the head.
func (c *cursor[T]) pop() {
	c.after = c.id(&c.page[0])
	c.page = c.page[1:]
}

// sideBySide goes through both in the order of ids and hands over what has the same one together; nil
// stands for what one side does not have.
func sideBySide[T any](ctx context.Context, a, b *cursor[T], each func(a, b *T) error) error {
	for {
		x, err := a.head(ctx)
		if err != nil {
			return err
		}
		y, err := b.head(ctx)
		switch {
		case err != nil:
			return err
		case x == nil && y == nil:
			return nil
		case y != nil && (x == nil || b.id(y) < a.id(x)):
			x = nil
		case x != nil && (y == nil || a.id(x) < b.id(y)):
			y = nil
		}
		if err := each(x, y); err != nil {
			return err
		}
		if x != nil {
			a.pop()
		}
		if y != nil {
			b.pop()
		}
	}
}
