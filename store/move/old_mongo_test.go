package move

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gcli2api/store/storetest/servers"
)

// oldMongo is a collection as the old product wrote it, put there without a driver: ours is the engine's own.
func oldMongo(t testing.TB) oldPlace {
	s := servers.Mongo(t)
	u, err := url.Parse(s.Address())
	ok(t, err)
	name := s.Name()
	for part, key := range map[string]string{"credentials": "all_credentials", "config": "config_data", "api_keys": "api_keys_data"} {
		data := map[string]any{}
		for id, body := range inDatabase(t)[part] {
			var v any
			ok(t, json.Unmarshal(body, &v))
			if !s.Real {
				id, v = strings.TrimSuffix(id, ".json"), dotless(v)
			}
			data[id] = v
		}
		mongoSays(t, u.Host, pairs{{"insert", "credentials_data"}, {"documents", []any{pairs{{"_id", key}, {"key", key}, {"data", data}}}}, {"$db", name}})
	}
	u.Path = "/" + name
	return oldPlace{from: u.String(), dotless: !s.Real, dump: func() string {
		return mongoSays(t, u.Host, pairs{{"find", "credentials_data"}, {"filter", pairs{}}, {"$db", name}})
	}}
}

// dotless leaves out what FerretDB does not take: members with a dot in their name.
func dotless(v any) any {
	all, is := v.(map[string]any)
	if !is {
		return v
	}
	out := map[string]any{}
	for name, one := range all {
		if !strings.Contains(name, ".") {
			out[name] = dotless(one)
		}
	}
	return out
}

// pairs is a document with an order.
type pairs []struct {
	name  string
	value any
}

// mongoSays gives one command and returns the answer as it came.
func mongoSays(t testing.TB, host string, command pairs) string {
	t.Helper()
	conn, err := net.Dial("tcp", host)
	ok(t, err)
	defer conn.Close()
	body := append([]byte{0, 0, 0, 0, 0}, bson(command)...) // flags, and a section of the first kind
	head := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	head = append(head, 1, 0, 0, 0, 0, 0, 0, 0)
	head = binary.LittleEndian.AppendUint32(head, 2013)
	_, err = conn.Write(append(head, body...))
	ok(t, err)
	size := make([]byte, 4)
	_, err = io.ReadFull(conn, size)
	ok(t, err)
	said := make([]byte, binary.LittleEndian.Uint32(size)-4)
	_, err = io.ReadFull(conn, said)
	ok(t, err)
	said = said[17:]
	if !bytes.Contains(said, []byte("\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f")) {
		t.Fatalf("MongoDB says %.300q", said)
	}
	return string(said)
}

// bson writes a document.
func bson(doc any) []byte {
	var all pairs
	switch v := doc.(type) {
	case pairs:
		all = v
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, pairs{{name, v[name]}}...)
		}
	case []any:
		for i, one := range v {
			all = append(all, pairs{{strconv.Itoa(i), one}}...)
		}
	}
	out := []byte{0, 0, 0, 0}
	element := func(kind byte, name string, value []byte) {
		out = append(append(append(append(out, kind), name...), 0), value...)
	}
	for _, p := range all {
		switch v := p.value.(type) {
		case string:
			element(2, p.name, append(append(binary.LittleEndian.AppendUint32(nil, uint32(len(v)+1)), v...), 0))
		case bool:
			element(8, p.name, []byte{map[bool]byte{true: 1}[v]})
		case int32:
			element(16, p.name, binary.LittleEndian.AppendUint32(nil, uint32(v)))
		case float64:
			element(1, p.name, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
		case nil:
			element(10, p.name, nil)
		case []any:
			element(4, p.name, bson(v))
		default:
			element(3, p.name, bson(v))
		}
	}
	out = append(out, 0)
	binary.LittleEndian.PutUint32(out, uint32(len(out)))
	return out
}
