package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gcli2api/store"
)

//go:embed lua
var sources embed.FS

// script is one of the files in lua.
type script struct{ text, hash string }

func scripts() (map[string]script, error) {
	files, err := sources.ReadDir("lua")
	if err != nil {
		return nil, err
	}
	all := map[string]script{}
	for _, f := range files {
		text, err := sources.ReadFile("lua/" + f.Name())
		if err != nil {
			return nil, err
		}
		sum := sha1.Sum(text)
		all[strings.TrimSuffix(f.Name(), ".lua")] = script{string(text), hex.EncodeToString(sum[:])}
	}
	return all, nil
}

// task is a script with what it is given.
type task struct {
	script string
	keys   []string
	args   []any
	again  bool // may be done twice
}

// once is a command that the driver does not send again by itself: nobody knows whether it was done.
type once struct{ *redis.Cmd }

// NoRetry is asked by the driver.
func (once) NoRetry() bool { return true }

// run calls a script. Nothing has run where the server does not know it, and then the text is sent.
func (db *DB) run(ctx context.Context, t task) (any, error) {
	answer, err := db.ask(ctx, t, "evalsha", db.scripts[t.script].hash)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		answer, err = db.ask(ctx, t, "eval", db.scripts[t.script].text)
	}
	if err != nil && strings.Contains(err.Error(), "WRONGTYPE") {
		return nil, db.foreign(ctx, t.keys, err)
	}
	return answer, db.told(err)
}

func (db *DB) ask(ctx context.Context, t task, command, which string) (any, error) {
	args := append(make([]any, 0, 3+len(t.keys)+len(t.args)), command, which, len(t.keys))
	for _, k := range t.keys {
		args = append(args, k)
	}
	args = append(args, t.args...)
	for tries := 0; ; tries++ {
		answer, err := db.send(ctx, args)
		if !t.again || tries > 0 || !retriable(err) {
			return answer, err
		}
	}
}

// send makes one round trip, which ends after the time that one may take.
func (db *DB) send(ctx context.Context, args []any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, db.timeout)
	defer cancel()
	cmd := redis.NewCmd(ctx, args...)
	_ = db.client.Process(ctx, once{cmd})
	return cmd.Result()
}

// foreign names the key that is not what we keep under its name.
func (db *DB) foreign(ctx context.Context, all []string, err error) error {
	for _, k := range all {
		is, failed := db.client.Type(ctx, k).Result()
		if failed == nil && is != "none" && is != db.keys.kind(k) {
			return fmt.Errorf("the key %s in Redis is a %s and not ours: nothing was changed; move it away, or set another store.prefix", k, is)
		}
	}
	return db.told(err)
}

// result is what a call comes back with.
type result[T any] struct {
	value T
	err   error
}

// call makes one call of the waist. Whoever gives up is let go at once, whatever the driver is waiting for.
func call[T any](ctx context.Context, db *DB, do func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if !db.enter() {
		return none, store.ErrClosed
	}
	done := make(chan result[T], 1)
	go func() {
		defer db.calls.Done()
		v, err := do(undated{ctx})
		done <- result[T]{v, err}
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			return none, ctx.Err() // it may have given up because of that, and says so in other words
		}
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// undated ends when its context ends, but has no time for it: the driver would break a connection off then.
type undated struct{ context.Context }

// Deadline is none.
func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

// enter lets a call in, until Close.
func (db *DB) enter() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.shut {
		return false
	}
	db.calls.Add(1)
	return true
}

func (db *DB) closed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.shut
}
