package move

import (
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"gcli2api/store/storetest/servers"
)

// engines are where a move can come from and go to.
func engines(t testing.TB) map[string]address {
	redis, postgres := servers.Redis(t), servers.Postgres(t)
	var n atomic.Int64
	return map[string]address{
		"file":     folder,
		"Redis":    func(testing.TB) string { return fmt.Sprintf("%s/%d", redis.Address(), n.Add(1)%16) },
		"Postgres": func(t testing.TB) string { return named(postgres.Address(), another(t, postgres, n.Add(1))) },
		"MongoDB": func(t testing.TB) string { // skips only those tests where there is none
			m := servers.Mongo(t)
			return named(m.Address(), m.Name())
		},
	}
}

// another makes a database.
func another(t testing.TB, s *servers.PostgresServer, n int64) string {
	t.Helper()
	db, err := pgx.Connect(t.Context(), s.Address())
	ok(t, err)
	defer db.Close(t.Context())
	name := fmt.Sprint("place_", n)
	_, err = db.Exec(t.Context(), "CREATE DATABASE "+name)
	ok(t, err)
	return name
}

// named is the address with a database.
func named(address, database string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Path = "/" + database
	return u.String()
}
