package open

import (
	"fmt"
	"regexp"
	"strings"

	"gcli2api/pipeline/config"
)

// Check refuses settings that name no place. Nothing is opened.
func Check(c *config.Snapshot) error {
	if prefix := c.String("store.prefix"); !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(prefix) {
		return fmt.Errorf("%s: store.prefix: %q has something else than small letters, digits and _, or does not begin with a letter", c.Place("store.prefix"), prefix)
	}
	for _, a := range addresses() {
		text := c.String(a.key)
		p, err := ParsePlace(text, Place{})
		pairs := a.engine == Postgres && !strings.Contains(text, "://") // any of keyword=value
		if text != "" && !pairs && (err != nil || p.Engine != a.engine) {
			return fmt.Errorf("%s: %s: is no address of %s, which begins with %s", c.Place(a.key), a.key, a.engine, a.begins)
		}
	}
	return nil
}

// address is the setting of one engine.
type address struct{ engine, key, begins string }

// addresses are in the order in which they count.
func addresses() []address {
	return []address{
		{Redis, "store.redis_uri", "redis:// or rediss://"},
		{Postgres, "store.postgres_dsn", "postgres://, or is made of pairs such as host=..."},
		{MongoDB, "store.mongodb_uri", "mongodb:// or mongodb+srv://"},
	}
}

// Unused are the addresses that another one keeps from counting: data of the operator may be there.
func Unused(c *config.Snapshot) (all config.Problems) {
	p, err := PlaceOf(c)
	if err != nil {
		return nil
	}
	for _, a := range addresses() {
		if a.engine != p.Engine && c.String(a.key) != "" {
			all = append(all, c.Problem(strings.Split(a.key, "."), "is not used: everything is kept in "+p.Engine+", which comes first"))
		}
	}
	return all
}

// Overview says in a line where everything is kept.
func Overview(c *config.Snapshot) string {
	p, err := PlaceOf(c)
	if err != nil {
		return ""
	}
	return "\nEverything is kept in " + p.String() + ".\n"
}
