package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"gcli2api/store"
)

// layout is the version of how we keep things. Raise it when an older gateway could not read them.
const layout = 1

// get reads a key; "" where there is none.
func (db *DB) get(ctx context.Context, key string) (string, error) {
	text, err := db.client.Get(ctx, key).Result()
	if retriable(err) {
		text, err = db.client.Get(ctx, key).Result()
	}
	switch {
	case err == redis.Nil: // in another error it would be somebody else's, as a sentinel's
		return "", nil
	case err != nil && strings.Contains(err.Error(), "WRONGTYPE"):
		return "", db.foreign(ctx, []string{key}, err)
	}
	return text, db.told(err)
}

// begin looks at what is there before anything else is done with it.
func (db *DB) begin(ctx context.Context) error {
	version, err := db.get(ctx, db.keys.version())
	if err != nil {
		return err
	}
	if version != "" { // of another layout nothing is touched
		if err := db.readable(version); err != nil {
			return err
		}
	}
	k := db.keys
	answer, err := db.run(ctx, task{script: "open", keys: []string{k.version(), k.revision(), k.counts(), k.names(), k.probe("hash"), k.probe("set"), k.probe("text")},
		args: []any{layout, db.channel}})
	if errors.Is(err, errFull) && version != "" { // what is there can be read all the same
		db.log.Error("the database takes no more data", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	text, _ := answer.(string)
	if err := db.readable(text); err != nil {
		return err
	}
	db.advise(ctx)
	return nil
}

// readable tells whether we know a layout.
func (db *DB) readable(version string) error {
	n, err := strconv.Atoi(version)
	switch {
	case version == "":
		return fmt.Errorf("the data in Redis have lost their version (key %s): nothing was changed; put back a copy of them, or set another store.prefix", db.keys.version())
	case err != nil || n < 1:
		return fmt.Errorf("the version of the data in Redis cannot be read (key %s): nothing was changed; put back a copy of them, or set another store.prefix", db.keys.version())
	case n > layout:
		return fmt.Errorf("the data in Redis are of version %d, written by a newer gateway; this one knows %d: nothing was changed; run the newer one, or set another store.prefix", n, layout)
	}
	return nil
}

// inCluster asks a single server whether it is a part of a cluster. Where it may not be asked it is none.
func (db *DB) inCluster(ctx context.Context) (bool, error) {
	text, err := db.client.Info(ctx, "cluster").Result()
	if err = db.told(err); errors.As(err, new(*store.Away)) {
		return false, err
	}
	return strings.Contains(text, "cluster_enabled:1"), nil
}

// advise warns of a server that may lose what it has promised to keep. Some do not let themselves be asked.
func (db *DB) advise(ctx context.Context) {
	memory := db.info(ctx, "memory")
	if p := memory["maxmemory_policy"]; p != "" && p != "noeviction" {
		db.log.Warn("Redis may throw away data when it is full: set maxmemory-policy noeviction", "policy", p, "maxmemory", memory["maxmemory"])
	}
	saves, err := db.client.ConfigGet(ctx, "save").Result()
	if err == nil && saves["save"] == "" && db.info(ctx, "persistence")["aof_enabled"] == "0" {
		db.log.Warn("Redis keeps everything in memory alone, and loses it when it restarts: set appendonly yes")
	}
}

// info is a part of what the server says about itself, or nothing.
func (db *DB) info(ctx context.Context, section string) map[string]string {
	text, err := db.client.Info(ctx, section).Result()
	if err != nil {
		return nil
	}
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[key] = value
		}
	}
	return found
}
