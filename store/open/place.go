package open

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	"gcli2api/store/embedded"
	"gcli2api/store/mongo"
	"gcli2api/store/postgres"
	"gcli2api/store/redis"
)

// Place is where data lie.
type Place struct {
	Engine   string // "Redis", "Postgres", "MongoDB" or "file"
	Address  string // of a database, with its password
	Folder   string // of the file, where the credentials are too
	Database string
	Prefix   string

	Connections int
	Timeout     time.Duration
	Log         *slog.Logger // nil logs nothing

	setting string // that has the address
}

// Engines by what they are called here.
const (
	Redis    = "Redis"
	Postgres = "Postgres"
	MongoDB  = "MongoDB"
	File     = "file"
)

// PlaceOf is what the settings choose: the first of Redis, Postgres and MongoDB that has an address,
// else the file in the credentials folder.
func PlaceOf(c *config.Snapshot) (Place, error) {
	p := Place{Engine: File, Folder: c.String("pool.credentials_dir"), Prefix: c.String("store.prefix"),
		Connections: c.Int("store.connections"), Timeout: c.Duration("store.timeout")}
	for _, one := range []struct{ engine, key, database string }{
		{Redis, "store.redis_uri", fmt.Sprint(c.Int("store.redis_database"))},
		{Postgres, "store.postgres_dsn", ""},
		{MongoDB, "store.mongodb_uri", c.String("store.mongodb_database")},
	} {
		if address := c.String(one.key); address != "" {
			p.Engine, p.Address, p.Database, p.setting = one.engine, address, one.database, one.key
			return p, nil
		}
	}
	if p.Folder == "" {
		return p, errors.New("pool.credentials_dir names no folder")
	}
	return p, nil
}

// ErrNoScheme is of what may be an address with a password, and has no beginning that says of what.
var ErrNoScheme = errors.New("an address begins with redis://, rediss://, postgres://, mongodb:// or mongodb+srv://; a folder with an @ in its name is given as file:FOLDER")

// ParsePlace reads the address of a place: redis://, rediss://, postgres://, postgresql://, keyword=value
// pairs, mongodb://, mongodb+srv://, file:FOLDER or a folder. What the address does not say is as in like.
func ParsePlace(text string, like Place) (Place, error) {
	p := like
	p.Address, p.Folder = text, ""
	scheme, rest, _ := strings.Cut(text, ":")
	pairs := regexp.MustCompile(`(^|\s)(host|hostaddr|port|user|password|passfile|dbname|database|service|sslmode)\s*=`) // of Postgres
	switch scheme = strings.ToLower(scheme); {
	case scheme == "redis" || scheme == "rediss":
		p.Engine = Redis
	case scheme == "postgres" || scheme == "postgresql" || pairs.MatchString(text):
		p.Engine = Postgres
	case scheme == "mongodb" || scheme == "mongodb+srv":
		p.Engine = MongoDB
	case scheme == "file":
		p.Engine, p.Address, p.Folder = File, "", strings.TrimPrefix(rest, "//")
	case strings.Contains(text, "://"):
		return p, fmt.Errorf("%s:// is no place for data: redis://, rediss://, postgres://, mongodb://, mongodb+srv:// and file: are", scheme)
	case strings.Contains(text, "@"): // its password would be named in an error as that of a folder
		return p, ErrNoScheme
	default:
		p.Engine, p.Address, p.Folder = File, "", text
	}
	if p.Engine == File && p.Folder == "" {
		return p, errors.New("file: names no folder")
	}
	return p, nil
}

// String names the place without a password.
func (p Place) String() string {
	switch u, err := url.Parse(p.Address); {
	case p.Engine == File:
		return "the file in " + p.Folder
	case err == nil && u.Host != "":
		return p.Engine + " at " + u.Host
	}
	return p.Engine
}

// Open opens the place once. An error that is worth another try is a *store.Away.
func (p Place) Open(ctx context.Context) (store.Store, error) {
	switch p.Engine {
	case Redis:
		return opened(redis.Open(ctx, redis.Options{Address: p.Address, Database: p.Database, Prefix: p.Prefix, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log}))
	case Postgres:
		return opened(postgres.Open(ctx, postgres.Options{Address: p.Address, Database: p.Database, Prefix: p.Prefix, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log}))
	case MongoDB:
		return opened(mongo.Open(ctx, mongo.Options{Address: p.Address, Database: p.Database, Prefix: p.Prefix, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log}))
	}
	return opened(embedded.Open(embedded.Options{Path: p.File()}))
}

// opened keeps a nil engine from becoming a Store that is not nil.
func opened[T store.Store](db T, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}

// File is the path of the embedded engine's file.
func (p Place) File() string { return filepath.Join(p.Folder, file) }
