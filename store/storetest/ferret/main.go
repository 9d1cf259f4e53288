// Ferret is a server that speaks MongoDB's protocol, for tests on machines without a mongod: FerretDB in one
// process, on SQLite. It writes its address to file 3, or prints it where there is none, and ends when its
// input does.
//
// FerretDB's findAndModify is not atomic: of 960 conditional decrements of a budget of 500 it grants 960. So
// clients come through a door that lets one request through at a time. What passes here proves the logic of
// an engine, and nothing about its concurrency.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	dir, err := os.MkdirTemp("", "ferret")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever started us
		end()
	}()
	behind := dir + "/ferret.sock"
	f, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: behind},
		Handler:   "sqlite",
		SQLiteURL: "file:" + dir + "/?_pragma=synchronous(off)", // it is thrown away
	})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	d := &door{behind: behind}
	go d.open(ln)
	if err := say(fmt.Sprintf("mongodb://%s/\n", ln.Addr())); err != nil {
		return err
	}
	return f.Run(ctx)
}

func say(line string) error {
	to := os.NewFile(3, "address")
	if _, err := to.Stat(); err != nil {
		to = os.Stdout
	}
	_, err := to.WriteString(line)
	return err
}
