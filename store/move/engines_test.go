package move

import (
	"fmt"
	"sync/atomic"
	"testing"

	"gcli2api/store/storetest/servers"
)

// engines are where a move can come from and go to.
func engines(t testing.TB) map[string]address {
	redis, postgres := servers.Redis(t), servers.Postgres(t)
	var n atomic.Int64
	return map[string]address{
		"file":  folder,
		"Redis": func(testing.TB) string { return fmt.Sprintf("%s/%d", redis.Address(), n.Add(1)%16) },
		"Postgres": func(testing.TB) string {
			return postgres.Address()
		},
	}
}
