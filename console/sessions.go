package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gcli2api/store"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// sessionID is the document of the table of the panel that makes sessions.
	sessionID = "session"
	// sessionLife is how long a session lasts.
	sessionLife = 12 * time.Hour
	// sessionSlack is how far the clocks of the node that began a session and of the one that looks at it may
	// be apart.
	sessionSlack = 10 * time.Minute
	// sessionLook is the pause between two looks for what no hint told of: with it a session that was ended on
	// one node is over on all within a second.
	sessionLook = 500 * time.Millisecond
	// mostEnded bounds the sessions that were ended by themselves and would still last.
	mostEnded = 1000
	// maxToken bounds what is looked at as a session.
	maxToken = 1000
	// secretBytes is what sessions are signed with.
	secretBytes = 32
)

// door is the document that all nodes share. Its revision is the store's; what it says is never guessed.
type door struct {
	Epoch  int64            `json:"epoch"`           // raising it ends all sessions
	Secret string           `json:"secret"`          // in Base64, as Options.Seal wrote it
	Ended  map[string]int64 `json:"ended,omitempty"` // sessions that were ended, until when they would last
}

// opened is a door with its secret.
type opened struct {
	door
	secret []byte
}

// Sealer encrypts a text that lies in the store, and reads it again.
type Sealer interface {
	Seal(text string) (string, error)
	Open(sealed string) (string, error)
}

// plainly seals nothing.
type plainly struct{}

func (plainly) Seal(text string) (string, error)   { return text, nil }
func (plainly) Open(sealed string) (string, error) { return sealed, nil }

// SessionOptions are what sessions need.
type SessionOptions struct {
	Store store.Store
	Log   *slog.Logger
	Seal  Sealer           // nil leaves the secret as it is
	Now   func() time.Time // nil is time.Now
}

// Sessions begin with the panel's password on any node and hold on all of them: what they are signed with is in
// the store, once for all. It is kept here too, so that sessions go on while the store is away.
type Sessions struct {
	opt   SessionOptions
	docs  store.Docs[door]
	now   atomic.Pointer[opened] // nil while the document cannot be read
	stop  context.CancelFunc
	ended chan struct{}

	looking sync.Mutex // one look at a time: an older one must not come behind a newer one
	said    bool       // that the document cannot be read
}

// OpenSessions reads what sessions are signed with, or makes it. A document that cannot be read means no
// sessions until it can; the password opens the panel all the same.
func OpenSessions(ctx context.Context, o SessionOptions) (*Sessions, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seal == nil {
		o.Seal = plainly{}
	}
	s := &Sessions{opt: o, docs: store.Docs[door]{Store: o.Store, Table: store.Panel}, ended: make(chan struct{})}
	if err := s.make(ctx); err != nil {
		return nil, err
	}
	s.look(ctx)
	follow, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.ended)
		store.Follow(follow, o.Store, store.Panel, sessionLook, s.look)
	}()
	return s, nil
}

// make writes the document where there is none: of all nodes that start at a time, one does.
func (s *Sessions) make(ctx context.Context) error {
	if _, err := s.docs.Store.Get(ctx, store.Panel, sessionID); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	sealed, err := s.opt.Seal.Seal(base64.StdEncoding.EncodeToString(b[:]))
	if err != nil {
		return fmt.Errorf("seal the secret of sessions: %w", err)
	}
	_, err = s.docs.Put(ctx, sessionID, door{Epoch: 1, Secret: sealed}, store.New)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Close ends following.
func (s *Sessions) Close() error {
	s.stop()
	<-s.ended
	return nil
}

// look takes over what another node changed. A store that is away changes nothing.
func (s *Sessions) look(ctx context.Context) {
	s.looking.Lock()
	defer s.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	doc, err := s.docs.Store.Get(ctx, store.Panel, sessionID)
	if errors.Is(err, store.ErrNotFound) { // somebody took it out: all sessions are over
		err = s.make(ctx)
		if err == nil {
			doc, err = s.docs.Store.Get(ctx, store.Panel, sessionID)
		}
	}
	if err != nil {
		return
	}
	d, err := s.read(doc)
	if err != nil && !s.said {
		s.opt.Log.Error("nobody can have a session in the panel: what sessions are signed with cannot be read (take the document out, and one is made)",
			"table", string(store.Panel), "document", sessionID, "error", err)
	}
	s.said = err != nil
	s.now.Store(d)
}

// read opens a document.
func (s *Sessions) read(doc store.Doc) (*opened, error) {
	d, err := decodeDoor(doc.Body)
	if err != nil {
		return nil, err
	}
	text, err := s.opt.Seal.Open(d.Secret)
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(secret) < secretBytes {
		return nil, errors.New("its secret is not 32 bytes in Base64")
	}
	return &opened{d, secret}, nil
}

// claims are what a session says of itself.
type claims struct {
	jwt.RegisteredClaims
	Epoch    int64  `json:"epoch"`
	Password string `json:"pw"` // shows which password began it, to those who have the secret
}

// errNoSessions is of a node that cannot read what sessions are signed with.
var errNoSessions = errors.New("there are no sessions on this gateway now: its log says why; the panel password itself works as Bearer")

// Begin is the token of a new session, for somebody who has given the password.
func (s *Sessions) Begin(password string) (token string, life time.Duration, err error) {
	d := s.now.Load()
	if d == nil {
		return "", 0, errNoSessions
	}
	now := s.opt.Now()
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims{Epoch: d.Epoch, Password: d.mark(password), RegisteredClaims: jwt.RegisteredClaims{
		ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(sessionLife))}}).SignedString(d.secret)
	return token, sessionLife, err
}

// mark tells passwords apart. It is of no use to somebody who has a token only.
func (d *opened) mark(password string) string {
	h := hmac.New(sha256.New, d.secret)
	h.Write([]byte("password of the panel\x00" + password))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Holds tells whether a token is of a session that lasts, begun with the password that counts now.
func (s *Sessions) Holds(token, password string) bool {
	_, ok := s.session(token, password)
	return ok
}

// session reads a token. When it was begun is not looked at: that clock may be ahead of ours.
func (s *Sessions) session(token, password string) (c claims, ok bool) {
	d := s.now.Load()
	if d == nil || len(token) > maxToken {
		return c, false
	}
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return d.secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(sessionSlack), jwt.WithTimeFunc(s.opt.Now))
	if err != nil || c.Epoch != d.Epoch || !hmac.Equal([]byte(c.Password), []byte(d.mark(password))) {
		return c, false
	}
	_, over := d.Ended[c.ID]
	return c, !over
}
