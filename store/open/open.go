// Package open chooses the engine that keeps everything, and opens it.
package open

import (
	"errors"
	"fmt"
	"path/filepath"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
)

// file is the embedded engine's, beside the credentials: so the one volume of a container has it all.
const file = ".gcli2api.db"

// Check refuses settings that no engine of this version can follow. Falling back to the file would
// look like an empty gateway to somebody whose data is in a database.
func Check(c *config.Snapshot) error {
	for _, key := range []string{"store.redis_uri", "store.postgres_dsn", "store.mongodb_uri"} {
		if c.String(key) != "" {
			return fmt.Errorf("%s: %s: this version keeps its data in the credentials folder only; unset it to go on", c.Place(key), key)
		}
	}
	return nil
}

// Store opens the engine that the settings choose. The error is one line for the operator.
func Store(c *config.Snapshot) (store.Store, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	dir := c.String("pool.credentials_dir")
	if dir == "" {
		return nil, errors.New("pool.credentials_dir names no folder")
	}
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(dir, file)})
	if err != nil {
		return nil, err // not a nil *DB, which would be no nil Store
	}
	return db, nil
}
