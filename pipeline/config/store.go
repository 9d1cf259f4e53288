package config

// storeParams are where everything is kept. Of several addresses the first of Redis, Postgres and
// MongoDB counts (behaviour 10.1).
func storeParams() []Param {
	address := func(key, flat, help string, env ...string) Param {
		return Param{Key: "store." + key, Flat: flat, Env: env, Type: String, Default: "", Secret: true, AfterRestart: true, Help: help}
	}
	return []Param{
		address("redis_uri", "", "Redis to keep everything in: redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// with TLS; a cluster and sentinels are in store/README.md", "REDIS_URI", "REDIS_URL"),
		{Key: "store.redis_database", Env: []string{"REDIS_DATABASE"}, Type: Int, Default: 0, Min: new(0.0), Max: new(15.0), AfterRestart: true,
			Help: "number of the database in Redis, where the address names none"},
		address("postgres_dsn", "", "Postgres to keep everything in: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or keyword=value pairs, where host may be the folder of a socket", "POSTGRES_DSN", "POSTGRESQL_URI"),
		address("mongodb_uri", "mongodb_uri", "MongoDB to keep everything in: mongodb://USER:PASSWORD@HOST/ with all members of a replica set, or mongodb+srv://", "MONGODB_URI"),
		{Key: "store.mongodb_database", Flat: "mongodb_database", Env: []string{"MONGODB_DATABASE"}, Type: String, Default: "gcli2api", Min: new(1.0), Max: new(63.0), AfterRestart: true,
			Help: "name of the database in MongoDB, where the address names none"},
		{Key: "store.prefix", Env: []string{"STORE_PREFIX"}, Type: String, Default: "gcli2api", Min: new(1.0), Max: new(40.0), AfterRestart: true,
			Help: "what sets this gateway's data apart from others in the same database: the beginning of keys in Redis, the schema in Postgres, the beginning of collections in MongoDB; small letters, digits and _"},
		{Key: "store.wait", Env: []string{"STORE_WAIT"}, Type: Duration, Default: "60s", Max: new(3600.0), AfterRestart: true,
			Help: "how long a start tries to reach the database before it ends with exit code 1"},
		{Key: "store.timeout", Env: []string{"STORE_TIMEOUT"}, Type: Duration, Default: "5s", Min: new(0.1), Max: new(60.0), AfterRestart: true,
			Help: "how long one call to the database may take"},
		{Key: "store.connections", Env: []string{"STORE_CONNECTIONS"}, Type: Int, Default: 20, Min: new(2.0), Max: new(1000.0), AfterRestart: true,
			Help: "connections of this gateway to the database at a time, at most"},
		{Key: "store.grace", Env: []string{"STORE_GRACE"}, Type: Duration, Default: "0s", Max: new(3600.0),
			Help: "how long callers with API keys go on being served while the database is away, from units that this gateway had taken before; 0 refuses them with 503"},
	}
}
