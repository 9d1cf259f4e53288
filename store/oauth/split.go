package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is one object of a text that may hold several: text[from:to].
type piece struct {
	mark     string // what its id has behind the name of the source: "" for the first, "#2", "#name"
	from, to int
	top      fields
}

// split finds the credentials of a text: one object, a list of objects, an object of named objects,
// or objects one behind the other (NDJSON). Each counts from 1 by its place, whether the ones before
// it can be read or not. broken says which of them cannot.
func split(text []byte) (pieces []piece, broken []string, err error) {
	pieces, broken, err = whole(text)
	switch {
	case err != nil:
		return nil, nil, err
	case len(pieces) == 0 && len(broken) > 0:
		return nil, nil, errNoJSON()
	case len(pieces) == 1 && len(broken) == 0:
		if named := named(text, pieces[0]); named != nil {
			pieces = named
		}
	}
	if len(pieces) > maxPiecesOf {
		return nil, nil, errTooMany()
	}
	for i := range pieces {
		pieces[i] = unwrapped(text, pieces[i])
	}
	return pieces, broken, nil
}

// whole gives the objects as they stand in a text, with all that is around a credential in them.
func whole(text []byte) (pieces []piece, broken []string, err error) {
	if begin(text) == '[' {
		return list(text)
	}
	return sequence(text)
}

// maxPiecesOf bounds what one text may hold: each costs memory many times its length, and empty ones
// are written in three bytes.
const maxPiecesOf = 20_000

func errTooMany() error {
	return fmt.Errorf("there are more than %d entries in it: divide it among several files", maxPiecesOf)
}

func place(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("#%d", n)
}

func list(text []byte) (pieces []piece, broken []string, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	_, _ = d.Token() // the bracket that the caller saw
	n := 0
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil, nil, errNoJSON()
		}
		if n++; n > maxPiecesOf {
			return nil, nil, errTooMany()
		}
		if p, ok := pieceOf(raw, int(d.InputOffset()), place(n)); ok {
			pieces = append(pieces, p)
		} else {
			broken = append(broken, fmt.Sprintf("#%d is not an object", n))
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, errNoJSON()
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("there is text behind the end of the list")
	}
	if n == 0 {
		return nil, nil, errors.New("the list is empty")
	}
	return pieces, broken, nil
}

// pieceOf makes a piece of a value that ends at to, if it is an object.
func pieceOf(raw json.RawMessage, to int, mark string) (piece, bool) {
	p := piece{mark: mark, from: to - len(raw), to: to}
	return p, json.Unmarshal(raw, &p.top) == nil && p.top != nil
}

// maxBroken bounds the new starts behind something broken. Each may read on to the end, so what is read
// in vain for them is bounded too: by maxAnew, and by the length of the text.
const (
	maxBroken = 100
	maxAnew   = 1 << 20
)

// sequence reads objects one behind the other. Behind one that is broken it goes on at the next line
// that begins one: a damaged line of a thousand must not cost the others.
func sequence(text []byte) (pieces []piece, broken []string, err error) {
	n, spent := 0, 0
	for from := 0; from < len(text); {
		counted := &counter{r: bytes.NewReader(text[from:])}
		d := json.NewDecoder(counted)
		end := from
		for {
			var raw json.RawMessage
			if err = d.Decode(&raw); err != nil {
				break
			}
			if n++; n > maxPiecesOf {
				return nil, nil, errTooMany()
			}
			end = from + int(d.InputOffset())
			if p, ok := pieceOf(raw, end, place(n)); ok {
				pieces = append(pieces, p)
			} else {
				broken = append(broken, fmt.Sprintf("#%d is not an object", n))
			}
		}
		if err == io.EOF {
			break
		}
		n++
		broken = append(broken, fmt.Sprintf("#%d is not JSON", n))
		rest := bytes.TrimLeft(text[end:], " \t\r\n")
		next := bytes.Index(rest, []byte("\n{"))
		spent += from + counted.n - end
		if next < 0 || len(broken) >= maxBroken || spent > maxAnew+2*len(text) {
			break
		}
		from = len(text) - len(rest) + next + 1
	}
	return pieces, broken, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// named gives the members of an object that names credentials, nil when it is one itself.
func named(text []byte, p piece) (pieces []piece) {
	if p.top.credential() {
		return nil
	}
	some := false
	for _, m := range members(text, p) {
		if m.top == nil {
			continue
		}
		some = some || m.top.credential() || m.top.object("credential").credential()
		m.mark = "#" + nameable(m.mark)
		pieces = append(pieces, m)
	}
	if !some {
		return nil
	}
	return pieces
}

// maxMark bounds the part of an id that stands in a text: with the name of its file it is the name of
// a document of the store.
const maxMark = 200

// nameable is a name that a text gives a credential, or a hash in its place where it could not be part
// of an id: it is a line in lists, logs and the store.
func nameable(name string) string {
	if name != "" && len(name) <= maxMark && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:6])
}

// unwrapped takes the credential out of an entry of the old product's databases, where its state and
// its statistics stand beside it.
func unwrapped(text []byte, p piece) piece {
	if p.top.credential() || !p.top.object("credential").credential() {
		return p
	}
	for _, m := range members(text, p) {
		if m.mark == "credential" {
			m.mark = p.mark
			return m
		}
	}
	return p
}

// members are those of an object, marked with their names; top is nil for those that are no objects. Of
// more than are taken there is one too many.
func members(text []byte, p piece) (all []piece) {
	d := json.NewDecoder(bytes.NewReader(text[p.from:p.to]))
	_, _ = d.Token() // the brace; the object was read before
	for d.More() && len(all) <= maxPiecesOf {
		name, _ := d.Token()
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return all
		}
		m, _ := pieceOf(raw, p.from+int(d.InputOffset()), fmt.Sprint(name))
		all = append(all, m)
	}
	return all
}

// credential tells that the members are those of a credential, usable or not, and not names.
func (f fields) credential() bool {
	for _, name := range []string{"refresh_token", "refreshToken", "access_token", "accessToken", "token", "api_key", "client_id", "client_secret", "private_key", "installed", "web"} {
		if _, has := f[name]; has {
			return true
		}
	}
	return f.text("type") != ""
}
