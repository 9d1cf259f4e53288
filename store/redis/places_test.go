package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/store"
	"gcli2api/store/redis"
	"gcli2api/store/storetest"
	"gcli2api/store/storetest/servers"
)

// TestCluster runs the whole suite on a cluster: a script whose keys did not lie together would be refused.
func TestCluster(t *testing.T) {
	s := servers.Redis(t, "cluster-enabled", "yes")
	c := admin(t, s)
	ok(t, c.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	eventually(t, "a cluster", func() bool { return strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	storetest.Run(t, engine(s))
}

// TestClusterMoves: the calls follow where the keys are, on a cluster of two.
func TestClusterMoves(t *testing.T) {
	one, two := servers.Redis(t, "cluster-enabled", "yes"), servers.Redis(t, "cluster-enabled", "yes")
	a, b := admin(t, one), admin(t, two)
	slot := a.ClusterKeySlot(t.Context(), "{gcli2api}:version").Val()
	ok(t, a.ClusterMeet(t.Context(), "127.0.0.1", fmt.Sprint(two.Port)).Err())
	ok(t, a.ClusterAddSlotsRange(t.Context(), 0, int(slot)-1).Err())
	ok(t, b.ClusterAddSlotsRange(t.Context(), int(slot), 16383).Err())
	for _, c := range []string{one.Address(), two.Address()} {
		eventually(t, "a cluster", func() bool {
			db, err := redis.Open(t.Context(), redis.Options{Address: c})
			if err == nil {
				_ = db.Close()
			}
			return err == nil
		})
		db := use(t, redis.Options{Address: c})
		hints, err := db.Watch(t.Context())
		ok(t, err)
		put(t, db, "a")
		<-hints
	}
	if n := a.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys where none belongs", n)
	}
	both := use(t, redis.Options{Address: fmt.Sprintf("%s?addr=127.0.0.1:%d", one.Address(), two.Port)})
	if d, err := both.Get(t.Context(), table, "a"); err != nil || d.Rev != 2 {
		t.Errorf("%+v %v", d, err)
	}
}

// authority makes a CA and a certificate of 127.0.0.1.
func authority(t *testing.T, dir string) (ca, cert, key string) {
	make := func(name string, is, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, string, string) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ok(t, err)
		if byKey == nil {
			by, byKey = is, own
		}
		der, err := x509.CreateCertificate(rand.Reader, is, by, &own.PublicKey, byKey)
		ok(t, err)
		raw, err := x509.MarshalPKCS8PrivateKey(own)
		ok(t, err)
		certFile, keyFile := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
		ok(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
		ok(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
		return own, certFile, keyFile
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ours"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootKey, ca, _ := make("ca", root, nil, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	_, cert, key = make("server", leaf, root, rootKey)
	return ca, cert, key
}

// TestTLS: a server is trusted by its certificate, and no parameter of the address changes that.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca, cert, key := authority(t, dir)
	port := servers.Port(t)
	s := servers.Redis(t, "tls-port", fmt.Sprint(port), "tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file", ca, "tls-auth-clients", "no",
		"appendonly", "yes", "appendfsync", "always")
	address := fmt.Sprintf("rediss://127.0.0.1:%d", port)
	db := use(t, redis.Options{Address: address + "?cacert=" + ca})
	crowd(t, db, 8)
	s.Kill()
	s.Start(t)
	c := admin(t, s)
	eventually(t, "loaded", func() bool { return c.Ping(t.Context()).Err() == nil })
	crowd(t, db, 8) // idle connections are looked at under TLS as well
	if n, err := db.Counters(t.Context(), ""); err != nil || n["n"] != 16 {
		t.Errorf("%v %v", n, err)
	}
	refused(t, redis.Options{Address: address}, "Redis is not trusted", false)
	refused(t, redis.Options{Address: address + "?skip_verify=true"}, "Redis is not trusted", false)
	refused(t, redis.Options{Address: strings.Replace(address, "127.0.0.1", "localhost", 1) + "?cacert=" + ca}, "Redis is not trusted", false)
	plain := fmt.Sprintf("rediss://127.0.0.1:%d?cacert=%s", s.Port, ca)
	refused(t, redis.Options{Address: plain, Timeout: 200 * time.Millisecond}, "no answer within 200ms", true)
	refused(t, redis.Options{Address: address + "?cacert=" + filepath.Join(dir, "none")}, "cacert of the address", false)
	refused(t, redis.Options{Address: address + "?cacert=" + key}, "holds no certificate", false)
}

// TestSentinel: the address of a sentinel leads to the server that it watches.
func TestSentinel(t *testing.T) {
	s := servers.Redis(t)
	guard := servers.Sentinel(t, "mine", s.Port)
	db := use(t, redis.Options{Address: fmt.Sprintf("redis://127.0.0.1:%d?master_name=mine", guard.Port)})
	put(t, db, "a")
	if n := admin(t, s).Exists(t.Context(), "{gcli2api}:version").Val(); n != 1 {
		t.Error("it went somewhere else")
	}
	refused(t, redis.Options{Address: fmt.Sprintf("redis://127.0.0.1:%d?master_name=other", guard.Port)}, "knows no server by its master_name", false)
}

// TestSweep: what has expired goes for good, and nothing else.
func TestSweep(t *testing.T) {
	s := servers.Redis(t)
	db, c := use(t, redis.Options{Address: s.Address()}), admin(t, s)
	for i := range 450 {
		for _, life := range []time.Duration{50 * time.Millisecond, time.Hour} {
			d := store.Doc{ID: fmt.Sprint(life, "/", i), Body: []byte("1"), Expires: time.Now().Add(life)}
			_, err := db.Put(t.Context(), table+store.Table(fmt.Sprint(i%3)), d, store.New)
			ok(t, err)
		}
	}
	put(t, db, "stays")
	time.Sleep(60 * time.Millisecond)
	before, err := db.Revision(t.Context())
	ok(t, err)
	rounds := 0
	for more := true; more; rounds++ {
		more, err = db.Sweep(t.Context())
		ok(t, err)
	}
	if now, err := db.Revision(t.Context()); err != nil || now != before {
		t.Errorf("the revision went from %d to %d, %v", before, now, err)
	}
	left := map[string]int64{}
	for _, k := range c.Keys(t.Context(), "*").Val() {
		switch c.Type(t.Context(), k).Val() {
		case "hash":
			left[k] = c.HLen(t.Context(), k).Val()
		case "zset":
			left[k] = c.ZCard(t.Context(), k).Val()
		}
	}
	want := map[string]int64{"{gcli2api}:due": 450}
	for i, t := range []string{"test0", "test1", "test2", "test"} {
		for _, k := range []string{"head", "body", "ids"} {
			want["{gcli2api}:"+k+":"+t] = []int64{150, 150, 150, 1}[i]
		}
	}
	if !maps.Equal(left, want) || rounds != 3 {
		t.Errorf("after %d rounds: %v, want %v", rounds, left, want)
	}
	other := use(t, redis.Options{Address: s.Address()})
	_, err = db.Put(t.Context(), table, store.Doc{ID: "late", Body: []byte("1"), Expires: time.UnixMilli(5)}, store.New)
	ok(t, err)
	if _, err := other.Sweep(t.Context()); err != nil || c.ZCard(t.Context(), "{gcli2api}:due").Val() != 451 {
		t.Errorf("two sweep at a time: %v", err)
	}
}

func TestReadOld(t *testing.T) {
	s := servers.Redis(t)
	c := admin(t, s)
	o := redis.Options{Address: s.Address(), Database: "2", Prefix: "whatever"}
	old, err := redis.ReadOld(t.Context(), o)
	if err != nil || len(old.Credentials)+len(old.Config)+len(old.Keys) != 0 {
		t.Errorf("%+v %v", old, err)
	}
	pipe := c.Pipeline()
	pipe.Select(t.Context(), 2)
	for i := range 1200 {
		pipe.HSet(t.Context(), "gcli2api:credentials", fmt.Sprint(i, ".json"), fmt.Sprintf(`{"credential":{"n":%d}}`, i))
	}
	pipe.HSet(t.Context(), "gcli2api:config", "calls_per_rotation", "100", "_credential_order", `["a.json"]`)
	pipe.HSet(t.Context(), "gcli2api:api_keys", "sk-1", `{"limit":5}`)
	_, err = pipe.Exec(t.Context())
	ok(t, err)
	old, err = redis.ReadOld(t.Context(), o)
	if err != nil || len(old.Credentials) != 1200 || string(old.Credentials["7.json"]) != `{"credential":{"n":7}}` || string(old.Keys["sk-1"]) != `{"limit":5}` ||
		!slices.Equal(slices.Sorted(maps.Keys(old.Config)), []string{"_credential_order", "calls_per_rotation"}) {
		t.Errorf("%d, %v, %v, %v", len(old.Credentials), old.Config, old.Keys, err)
	}
	pipe = c.Pipeline()
	pipe.Select(t.Context(), 2)
	size := pipe.DBSize(t.Context())
	pipe.Set(t.Context(), "gcli2api:config", "what", 0)
	_, err = pipe.Exec(t.Context())
	ok(t, err)
	if size.Val() != 3 {
		t.Errorf("reading left %d keys", size.Val())
	}
	_, err = redis.ReadOld(t.Context(), o)
	says(t, err, "gcli2api:config in Redis is a string", false)
	if _, err = redis.ReadOld(t.Context(), redis.Options{Address: fmt.Sprintf("redis://:%s@127.0.0.1:%d", secret, servers.Port(t))}); err == nil {
		t.Error("nobody is there")
	} else {
		says(t, err, "cannot be reached", true)
	}
}
