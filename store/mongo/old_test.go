package mongo_test

import (
	"math"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"gcli2api/store/mongo"
	"gcli2api/store/storetest/servers"
)

func TestReadOld(t *testing.T) {
	s := servers.Mongo(t)
	o := at(s, s.Name())
	old, err := mongo.ReadOld(t.Context(), o)
	if err != nil || len(old.Credentials)+len(old.Config)+len(old.Keys) != 0 {
		t.Fatalf("nothing is there: %v %v", old, err)
	}
	c := raw(t, s, o.Database).Collection("credentials_data")
	id, err := bson.ObjectIDFromHex("0123456789abcdef01234567")
	fine(t, id, err)
	name := "a.json"
	if !s.Real {
		name = "a" // FerretDB has no dots in names of fields
	}
	did, err := c.InsertOne(t.Context(), bson.M{"key": "all_credentials", "updated_at": time.Now(), "data": bson.D{
		{Key: name, Value: bson.D{
			{Key: "credential", Value: bson.D{{Key: "refresh_token", Value: "1//\"quoted\" 中"}, {Key: "expiry", Value: time.UnixMilli(1_700_000_000_123)}}},
			{Key: "state", Value: bson.D{{Key: "disabled", Value: false}, {Key: "error_codes", Value: bson.A{int32(429), int64(1) << 60}}, {Key: "id", Value: id}, {Key: "none", Value: nil}}},
			{Key: "stats", Value: bson.D{{Key: "call_timestamps", Value: bson.A{1700000000.25, 5.0, 1e300}}}},
		}},
	}})
	fine(t, did, err)
	did, err = c.InsertOne(t.Context(), bson.M{"key": "config_data", "data": bson.D{{Key: "rate", Value: 0.5}, {Key: "text", Value: "a\nb"}}})
	fine(t, did, err)
	if old, err = mongo.ReadOld(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	const want = `{"credential":{"refresh_token":"1//\"quoted\" 中","expiry":"2023-11-14T22:13:20.123Z"},` +
		`"state":{"disabled":false,"error_codes":[429,1152921504606846976],"id":"0123456789abcdef01234567","none":null},` +
		`"stats":{"call_timestamps":[1700000000.25,5.0,1e+300]}}`
	if got := string(old.Credentials[name]); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if string(old.Config["rate"]) != "0.5" || string(old.Config["text"]) != `"a\nb"` || len(old.Keys) != 0 {
		t.Errorf("%s %s", old.Config, old.Keys)
	}
	did2, err := c.UpdateOne(t.Context(), bson.M{"key": "config_data"}, bson.M{"$set": bson.M{"data": math.Pi}})
	fine(t, did2, err)
	_, err = mongo.ReadOld(t.Context(), o)
	says(t, err, `"config_data"`, false)
}
