package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// A message of the protocol: its length with itself, two numbers, and what kind it is.
const (
	head    = 16
	message = 2013 // OP_MSG
	most    = 48_000_000
	alone   = 1 << 1 // of the flags of an OP_MSG: no answer comes
)

// door lets one request through at a time, with its answer.
type door struct {
	behind string // the server's socket
	one    sync.Mutex
}

func (d *door) open(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go d.serve(c)
	}
}

func (d *door) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", d.behind)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := read(client)
		if err != nil {
			return
		}
		answer, err := d.exchange(server, request)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func (d *door) exchange(server net.Conn, request []byte) ([]byte, error) {
	d.one.Lock()
	defer d.one.Unlock()
	if _, err := server.Write(request); err != nil || unanswered(request) {
		return nil, err
	}
	return read(server)
}

func unanswered(m []byte) bool {
	return binary.LittleEndian.Uint32(m[12:]) == message && len(m) >= head+4 && binary.LittleEndian.Uint32(m[head:])&alone != 0
}

func read(c net.Conn) ([]byte, error) {
	m := make([]byte, head)
	if _, err := io.ReadFull(c, m); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(m)
	if n < head || n > most {
		return nil, io.ErrUnexpectedEOF
	}
	m = append(m, make([]byte, n-head)...)
	_, err := io.ReadFull(c, m[head:])
	return m, err
}
