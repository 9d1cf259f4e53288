package redis

import "context"

// HasOld tells that there is something for ReadOld.
func HasOld(ctx context.Context, o Options) (bool, error) {
	db, err := connect(ctx, o)
	if err != nil {
		return false, err
	}
	defer db.client.Close()
	for _, key := range []string{"gcli2api:credentials", "gcli2api:api_keys", "gcli2api:config"} {
		is, err := db.client.Type(ctx, key).Result() // one by one: in a cluster they lie on several servers
		if err != nil || is == "hash" {
			return err == nil, db.told(err)
		}
	}
	return false, nil
}
