package config

// What settings of old versions wait for. They are accepted, so that nobody has to edit a file or
// an environment twice.
const forEngines = "Redis, Postgres and MongoDB have not landed yet; serve does not start with the address of one"

func storeParams() []Param {
	address := func(key, flat, help string, env ...string) Param {
		return Param{Key: "store." + key, Flat: flat, Env: env, Type: String, Default: "", Secret: true, AfterRestart: true, Waits: forEngines, Help: help}
	}
	return []Param{
		address("redis_uri", "", "Redis to keep everything in; redis:// or rediss://", "REDIS_URI", "REDIS_URL"),
		{Key: "store.redis_database", Env: []string{"REDIS_DATABASE"}, Type: Int, Default: 0, Min: new(0.0), Max: new(15.0), AfterRestart: true, Waits: forEngines,
			Help: "number of the database in Redis"},
		address("postgres_dsn", "", "Postgres to keep everything in; a URL or keyword=value pairs", "POSTGRES_DSN", "POSTGRESQL_URI"),
		address("mongodb_uri", "mongodb_uri", "MongoDB to keep everything in", "MONGODB_URI"),
		{Key: "store.mongodb_database", Flat: "mongodb_database", Env: []string{"MONGODB_DATABASE"}, Type: String, Default: "gcli2api", Min: new(1.0), Max: new(63.0), AfterRestart: true, Waits: forEngines,
			Help: "name of the database in MongoDB"},
	}
}

// Waiting lists the settings whose feature has not landed yet.
func (s *Snapshot) Waiting() []Param {
	var out []Param
	for _, p := range s.table.params {
		if p.Waits != "" {
			out = append(out, p)
		}
	}
	return out
}

// useless warns of settings that somebody made and that have no effect yet.
func (s *Snapshot) useless() []string {
	var out []string
	for _, p := range s.Waiting() {
		if s.origins[p.Key].Source != "" && !s.isDefault(p.Key) {
			out = append(out, s.origins[p.Key].problem(p.Key, "has no effect: "+p.Waits).String())
		}
	}
	return out
}
