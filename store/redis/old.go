package redis

import (
	"context"
	"fmt"

	"gcli2api/store"
)

// oldPage is how many entries of a hash are read at a time.
const oldPage = 500

// ReadOld reads what the product before this one kept in a database: three hashes, of which nothing is
// changed. Where there are none, all is empty.
func ReadOld(ctx context.Context, o Options) (old store.Old, err error) {
	db, err := connect(ctx, o)
	if err != nil {
		return old, err
	}
	defer db.client.Close()
	for key, into := range map[string]*map[string][]byte{
		"gcli2api:credentials": &old.Credentials, "gcli2api:config": &old.Config, "gcli2api:api_keys": &old.Keys,
	} {
		if *into, err = db.hash(ctx, key); err != nil {
			return store.Old{}, err
		}
	}
	return old, nil
}

// hash reads a hash of somebody else.
func (db *DB) hash(ctx context.Context, key string) (map[string][]byte, error) {
	is, err := db.client.Type(ctx, key).Result()
	switch {
	case err != nil:
		return nil, db.told(err)
	case is != "none" && is != "hash":
		return nil, fmt.Errorf("the key %s in Redis is a %s, and no hash as the old product wrote it", key, is)
	}
	found := map[string][]byte{}
	for cursor := uint64(0); ; {
		page, next, err := db.client.HScan(ctx, key, cursor, "", oldPage).Result()
		if err != nil {
			return nil, db.told(err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			found[page[i]] = []byte(page[i+1])
		}
		if cursor = next; cursor == 0 {
			return found, nil
		}
	}
}
