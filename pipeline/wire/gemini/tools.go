package gemini

import (
	"strconv"
	"strings"

	"gcli2api/pipeline/wire"
)

// maxToolName is how long a function's name may be (protocol 3.4).
const maxToolName = 64

// Tools is what a client calls its functions and what Google is told instead, for one exchange.
//
// A name in a namespace is joined with it. A name that Google takes stays as it is; any other one is made fit, with a digest of the original
// behind it, so that two names never become one and a name is the same in every turn.
type Tools struct {
	Single bool     // the client takes at most one call an answer
	Legacy bool     // the client speaks of functions, OpenAI's first form: it hears function_call
	Signed []Signed // the remembered signatures that the request carries
	Hosted []Hosted // the tools that Google runs itself

	list   []Function
	client map[identity]int
	google map[string]int
}

// Function is one function of a client.
type Function struct {
	Client    string // its name
	Namespace string // in which the name stands, "" for none; two functions may differ in nothing else
	Kind      string // the type of a tool that has no other name, "" for functions: "local_shell"
	Google    string // what Google is told
	Custom    bool   // takes a text instead of an object: declared with the one parameter "input"
}

// identity is what tells the functions of a client apart.
type identity struct{ namespace, kind, client string }

func (f *Function) identity() identity { return identity{f.Namespace, f.Kind, f.Client} }

// whole is the name with its namespace.
func (f *Function) whole() string {
	if f.Namespace == "" {
		return f.Client
	}
	return strings.TrimRight(f.Namespace, "_") + "__" + strings.TrimLeft(f.Client, "_")
}

// Signed is a signature and the kind of credential that it was made for; another kind refuses it.
type Signed struct {
	Signature string // as it stands between quotes
	Kind      string
}

// Declare takes a function of the client's list; false when the name is there already.
func (t *Tools) Declare(client string, custom bool) (google string, fresh bool) {
	return t.DeclareAs(Function{Client: client, Custom: custom})
}

// DeclareAs is Declare for functions that a name alone does not tell apart.
func (t *Tools) DeclareAs(f Function) (google string, fresh bool) {
	if i, there := t.client[f.identity()]; there {
		return t.list[i].Google, false
	}
	return t.add(f), true
}

// Google is the name for a function of the client, which need not be declared: histories name
// functions that are gone by now.
func (t *Tools) Google(client string) string { return t.GoogleOf(Function{Client: client}) }

// GoogleOf is Google for functions that a name alone does not tell apart.
func (t *Tools) GoogleOf(f Function) string {
	google, _ := t.DeclareAs(f)
	return google
}

// Client finds the function that Google called; false for a name that was never given to it. A nil
// t knows none.
func (t *Tools) Client(google []byte) (Function, bool) {
	if t == nil {
		return Function{}, false
	}
	i, there := t.google[string(google)]
	if !there {
		return Function{}, false
	}
	return t.list[i], true
}

// Known finds the function that the client calls so, outside of namespaces.
func (t *Tools) Known(client string) (Function, bool) { return t.Within("", client) }

// Within finds the function that the client calls so in this namespace.
func (t *Tools) Within(namespace, client string) (Function, bool) {
	if t == nil {
		return Function{}, false
	}
	i, there := t.client[identity{namespace: namespace, client: client}]
	if !there {
		return Function{}, false
	}
	return t.list[i], true
}

// Len is how many functions were named.
func (t *Tools) Len() int {
	if t == nil {
		return 0
	}
	return len(t.list)
}

func (t *Tools) add(f Function) string {
	if t.client == nil {
		t.client, t.google = map[identity]int{}, map[string]int{}
	}
	whole := f.whole()
	f.Google = fit(whole)
	for n := uint64(1); ; n++ { // a client may have declared the very name that another one becomes
		if _, taken := t.google[f.Google]; !taken {
			break
		}
		f.Google = marked(whole, n)
	}
	t.client[f.identity()], t.google[f.Google] = len(t.list), len(t.list)
	t.list = append(t.list, f)
	return f.Google
}

// fit is the name itself where Google takes it.
func fit(name string) string {
	if name == "" || len(name) > maxToolName || !opens(name[0]) {
		return marked(name, 0)
	}
	for i := range len(name) {
		if !allowed(name[i]) {
			return marked(name, 0)
		}
	}
	return name
}

func opens(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func allowed(c byte) bool {
	return opens(c) || c >= '0' && c <= '9' || c == '.' || c == ':' || c == '-'
}

// marked writes what of the name may stay and a digest of all of it.
func marked(name string, salt uint64) string {
	b := make([]byte, 0, maxToolName)
	if name == "" || !opens(name[0]) {
		b = append(b, '_')
	}
	for _, r := range name {
		if len(b) >= maxToolName-10 {
			break
		}
		if r < 0x80 && allowed(byte(r)) {
			b = append(b, byte(r))
		} else if b[len(b)-1] != '_' {
			b = append(b, '_')
		}
	}
	b = append(b, '_')
	digest := strconv.FormatUint(Mix(Hash(name)+salt)>>28, 36)
	return string(append(b, digest...))
}

// Remembered is what the gateway keeps of a call that Google made, under the id that the client
// knows it by (protocol 6.4).
type Remembered struct {
	ID        string // Google's own, "" when it gave none
	Signature string // between quotes, "" when it gave none
	Kind      string // of the credential
	Model     string // base name
	Before    string // parts in front of the call in its step, of tools that Google runs itself: raw, with commas between them
}

// Append writes what Recollect reads.
func (m Remembered) Append(dst []byte) []byte {
	dst = wire.AppendQuoted(append(dst, `{"id":`...), m.ID)
	dst = wire.AppendQuoted(append(dst, `,"signature":`...), m.Signature)
	dst = wire.AppendQuoted(append(dst, `,"kind":`...), m.Kind)
	dst = wire.AppendQuoted(append(dst, `,"model":`...), m.Model)
	if len(m.Before) > 0 {
		dst = append(append(append(dst, `,"before":[`...), m.Before...), ']')
	}
	return append(dst, '}')
}

// Recollect reads what Append wrote.
func Recollect(doc []byte) (m Remembered) {
	for o := wire.ObjectOf(doc); o.Next(); {
		text, _ := wire.Text(o.Value)
		switch string(o.Key) {
		case "id":
			m.ID = text
		case "signature":
			m.Signature = text
		case "kind":
			m.Kind = text
		case "model":
			m.Model = text
		case "before":
			if n := len(o.Value); wire.KindOf(o.Value) == wire.KindArray && n > 2 {
				m.Before = string(o.Value[1 : n-1])
			}
		}
	}
	return m
}
