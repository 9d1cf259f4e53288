package config

import (
	"net"
	"slices"
)

// ChatOpen tells whether the chat side may answer other machines: somebody chose its password, or
// said in so many words that it needs none (stage auth off and pipeline.open).
func (s *Snapshot) ChatOpen() bool {
	return s.Passwords().APIChosen || s.Bool("pipeline.open") && !s.Enabled("auth") && slices.Contains(s.Order(), "auth")
}

// Listening is where the gateway listens.
type Listening struct {
	Host       string
	Loopback   bool // only this machine reaches it
	Restricted bool // that is so although server.host says otherwise, because nobody chose any password
}

// Listening resolves server.host.
func (s *Snapshot) Listening() Listening {
	host := s.String("server.host")
	at := Listening{Host: host, Loopback: isLoopback(host)}
	if !at.Loopback && !s.ChatOpen() && !s.Passwords().PanelChosen {
		return Listening{Host: "127.0.0.1", Loopback: true, Restricted: true}
	}
	return at
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
