package move

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/mongo"
	"gcli2api/store/open"
	"gcli2api/store/postgres"
	"gcli2api/store/redis"
)

// oldFolder is where the first versions of the old product kept their credentials.
const oldFolder = "./geminicli/creds"

// NameOld names, at the start of a gateway, data of the old product that nobody has taken over yet, with the
// command that does: they are never used in silence.
func NameOld(ctx context.Context, c *config.Snapshot, s store.Store, log *slog.Logger) {
	if own := c.String("pool.credentials_dir"); realPath(oldFolder) != realPath(own) && hasOldFiles(oldFolder) && !takenOver(ctx, s, oldPathID(oldFolder)) {
		log.Warn("a folder of the old product is here and not in use: its credentials, API keys and settings are taken over by the command",
			"folder", oldFolder, "command", "gcli2api import -from "+oldFolder)
	}
	p, err := open.PlaceOf(c)
	if err != nil || p.Engine == open.File || takenOver(ctx, s, oldID(p)) {
		return
	}
	there, err := hasOldDatabase(ctx, p)
	switch {
	case err != nil:
		log.Info("whether the database has data of the old product could not be asked", "place", p.String(), "error", err)
	case there:
		log.Warn("the database has data of the old product, which are not in use: they are taken over by the command",
			"place", p.String(), "command", "gcli2api import -from "+OldHere)
	}
}

// takenOver tells that a place was imported.
func takenOver(ctx context.Context, s store.Store, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, oldWait)
	defer cancel()
	_, err := s.Get(ctx, store.Imports, "old/"+id)
	return err == nil || !errors.Is(err, store.ErrNotFound) // who cannot read marks says nothing of them
}

// oldWait is how long a start looks for data of the old product.
const oldWait = 5 * time.Second

func hasOldFiles(folder string) bool {
	dir, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, d := range dir {
		if isOldFile(d.Name()) || d.Name() == oldDatabase {
			return true
		}
	}
	return false
}

func hasOldDatabase(ctx context.Context, p open.Place) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, oldWait)
	defer cancel()
	switch p.Engine {
	case open.Redis:
		return redis.HasOld(ctx, redis.Options{Address: p.Address, Database: p.Database, Connections: 1, Timeout: p.Timeout, Log: p.Log})
	case open.Postgres:
		return postgres.HasOld(ctx, postgres.Options{Address: p.Address, Database: p.Database, Connections: 1, Timeout: p.Timeout, Log: p.Log})
	}
	return mongo.HasOld(ctx, mongo.Options{Address: p.Address, Database: p.Database, Connections: 1, Timeout: p.Timeout, Log: p.Log})
}
