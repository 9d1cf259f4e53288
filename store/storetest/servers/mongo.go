package servers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// MongoServer speaks MongoDB's protocol.
type MongoServer struct {
	*Process        // nil where somebody else has started it
	Real     bool   // a mongod; else FerretDB behind a door that lets one request through at a time
	address  string // without a database
}

// Mongo is the server that GCLI_TEST_MONGODB_URI names, else a private mongod where there is one in PATH, else
// FerretDB (GCLI_TEST_FERRETDB, built by .ci/test). What passes on FerretDB proves logic and nothing about
// concurrency.
func Mongo(t testing.TB) *MongoServer {
	t.Helper()
	s := &MongoServer{Real: true}
	if s.address = os.Getenv("GCLI_TEST_MONGODB_URI"); s.address != "" {
		t.Log("MongoDB: the real server of GCLI_TEST_MONGODB_URI")
		return s
	}
	if bin, err := exec.LookPath("mongod"); err == nil {
		port := Port(t)
		s.address = fmt.Sprintf("mongodb://127.0.0.1:%d/?directConnection=true", port)
		s.Process = Start(t, exec.Command(bin, "--port", fmt.Sprint(port), "--bind_ip", "127.0.0.1", "--dbpath", t.TempDir()), func() bool { return listens(port) })
		t.Log("MongoDB: a private mongod")
		return s
	}
	bin := os.Getenv("GCLI_TEST_FERRETDB")
	if bin == "" {
		why := os.Getenv("GCLI_TEST_MONGODB_MISSING")
		if why == "" {
			why = ".ci/test builds one; GCLI_TEST_FERRETDB or GCLI_TEST_MONGODB_URI name one"
		}
		Missing(t, "there is no server for MongoDB: "+why)
	}
	s.ferret(t, bin)
	t.Log("MongoDB: FerretDB, one request at a time: this proves logic, not concurrency")
	return s
}

// ferret starts it with an input that stays open as long as the test runs.
func (s *MongoServer) ferret(t testing.TB, bin string) {
	s.Real = false
	in, keep, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = keep.Close(), in.Close() })
	cmd := exec.Command(bin)
	cmd.Stdin = in
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir()) // what it leaves behind when it is killed goes with the test
	cmd.ExtraFiles = []*os.File{say}
	var address atomic.Value
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		address.Store(strings.TrimSpace(line))
		_ = out.Close()
	}()
	s.Process = Start(t, cmd, func() bool {
		_ = say.Close() // it has its own by now
		is, _ := address.Load().(string)
		return is != ""
	})
	s.address = address.Load().(string)
}

// Address is its URL, which names no database.
func (s *MongoServer) Address() string { return s.address }

// Name is the name of a database of its own for a test.
func (s *MongoServer) Name() string { return fmt.Sprintf("test%d", time.Now().UnixNano()) }
