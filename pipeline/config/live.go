package config

import "sync/atomic"

// Live is the configuration in force. Stages and console ask it at each request, so that a change
// counts at once. The zero value must be Set before it is asked.
type Live struct{ now atomic.Pointer[inForce] }

// inForce keeps what is costly to work out at each request.
type inForce struct {
	c         *Snapshot
	passwords Passwords
	chat      bool
	public    bool
	sse       bool
	assist    string
	gemini    string
	vertex    string
	location  string
	agent     string
}

// Set puts a snapshot into force.
func (l *Live) Set(c *Snapshot) {
	l.now.Store(&inForce{c: c, passwords: c.Passwords(), chat: c.ChatOpen(), public: c.Bool("server.public_models"),
		sse: c.String("server.gemini_stream_default") == "sse", assist: c.String("google.code_assist_endpoint"),
		gemini: c.String("google.gemini_api_base_url"), vertex: c.String("google.vertex_base_url"),
		location: c.String("google.vertex_location"), agent: c.String("google.user_agent")})
}

// Snapshot is what is in force now.
func (l *Live) Snapshot() *Snapshot { return l.now.Load().c }

// Password opens the chat side.
func (l *Live) Password() string { return l.now.Load().passwords.API }

// PanelPassword opens the operator's routes.
func (l *Live) PanelPassword() string { return l.now.Load().passwords.Panel }

// PanelOpen tells whether anybody chose the panel's password; until then it answers loopback only.
func (l *Live) PanelOpen() bool { return l.now.Load().passwords.PanelChosen }

// ChatOpen is Snapshot.ChatOpen of what is in force.
func (l *Live) ChatOpen() bool { return l.now.Load().chat }

// PublicModels tells whether the model list needs no password.
func (l *Live) PublicModels() bool { return l.now.Load().public }

// GeminiSSE tells whether a Gemini stream without alt= is SSE instead of a JSON array.
func (l *Live) GeminiSSE() bool { return l.now.Load().sse }

// CodeAssist is the base address of Code Assist.
func (l *Live) CodeAssist() string { return l.now.Load().assist }

// Gemini is the base address of the Gemini API.
func (l *Live) Gemini() string { return l.now.Load().gemini }

// Vertex is the base address of Vertex AI.
func (l *Live) Vertex() string { return l.now.Load().vertex }

// VertexLocation is where on Vertex AI projects are served.
func (l *Live) VertexLocation() string { return l.now.Load().location }

// AgentTemplate is the User-Agent with its places unfilled.
func (l *Live) AgentTemplate() string { return l.now.Load().agent }
