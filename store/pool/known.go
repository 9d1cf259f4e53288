package pool

import (
	"fmt"
	"slices"
	"strings"

	"gcli2api/store/oauth"
)

// known is what is in the pool, or about to be, by what a credential can be known by.
type known struct {
	secrets map[string][]*holder // kind and secret
	people  map[string]*holder   // kind, e-mail and project
	names   map[string]*holder   // of files that hold one credential
}

// holder is an item that is there: a sign-in with its projects, or a key.
type holder struct {
	from    *source // nil for a key of the settings
	item    string
	ids     []string
	entries []*entry
	creds   []oauth.Credential // with the project and e-mail that are known by now
	reason  string             // why it is switched off
	draft   *draft             // the file that it will be in: it came in the same import
}

// known takes stock, but for some files. The caller holds disk.
func (p *Pool) known(but map[string]bool) known {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := known{secrets: map[string][]*holder{}, people: map[string]*holder{}, names: map[string]*holder{}}
	at := map[string]*holder{}
	var all []*holder
	note := func(e *entry) {
		if e.from != nil && e.from.variable == nil && but[e.from.name] {
			return
		}
		key := e.from.String() + "\x00" + e.item()
		h := at[key]
		if h == nil {
			h = &holder{from: e.from, item: e.item()}
			at[key], all = h, append(all, h)
		}
		c := e.cred
		c.ProjectID, c.Email = e.project, e.email
		h.ids, h.entries, h.creds = append(h.ids, c.ID), append(h.entries, e), append(h.creds, c)
		if e.disabled {
			h.reason = e.reason
		}
	}
	for _, list := range [][]*entry{p.queue, p.idle, p.inFiles(), p.inEnviron()} { // whoever is in use comes first
		for _, e := range list {
			if h := at[e.from.String()+"\x00"+e.item()]; h == nil || !slices.Contains(h.entries, e) {
				note(e)
			}
		}
	}
	for _, h := range all {
		k.index(h)
	}
	return k
}

// add notes what an import will put there.
func (k *known) add(h holder, creds []oauth.Credential) *holder {
	h.creds = creds
	k.index(&h)
	return &h
}

func (k *known) index(h *holder) {
	for _, c := range h.creds {
		secret := secretKey(c, c.Secret())
		k.secrets[secret] = append(k.secrets[secret], h)
		if who := person(c); who != "" && (k.people[who] == nil || h.draft != nil) {
			k.people[who] = h
		}
	}
	for _, e := range h.entries { // the one that the source has, where Google gave a newer one since
		if origin := e.origin(); origin != e.cred.Secret() {
			secret := secretKey(e.cred, origin)
			k.secrets[secret] = append(k.secrets[secret], h)
		}
	}
	if h.from != nil && h.from.variable == nil && h.item == h.from.name {
		k.names[strings.ToLower(h.item)] = h
	}
}

func secretKey(c oauth.Credential, secret string) string { return c.Kind + "\x00" + secret }

// person is the account and project of a credential, "" where one of them is not known.
func person(c oauth.Credential) string {
	if c.Email == "" || c.ProjectID == "" || c.ProjectID == oauth.AllProjects {
		return ""
	}
	return c.Kind + "\x00" + strings.ToLower(c.Email) + "\x00" + c.ProjectID
}

// find gives who holds an item already; same tells that it is the very same secret. A sign-in that is
// there for another project is another credential.
func (k *known) find(item oauth.Item, name string) (h *holder, same bool) {
	for _, c := range item.Creds {
		for _, h := range k.secrets[secretKey(c, c.Secret())] {
			if h.serves(c.ProjectID) {
				return h, true
			}
		}
	}
	if len(item.Creds) > 1 {
		return nil, false
	}
	c := item.Creds[0]
	if h := k.people[person(c)]; h != nil && person(c) != "" {
		return h, false
	}
	if h := k.names[strings.ToLower(name)]; h != nil && h.draft == nil && h.looksLike(c) {
		return h, false
	}
	return nil, false
}

func (h *holder) serves(project string) bool {
	for _, c := range h.creds {
		if project == "" || project == oauth.AllProjects || c.ProjectID == "" || c.ProjectID == oauth.AllProjects || c.ProjectID == project {
			return true
		}
	}
	return false
}

// looksLike tells whether a file of the same name is a newer one of the same account, as far as
// anybody can know: the same project, and no other e-mail.
func (h *holder) looksLike(c oauth.Credential) bool {
	if len(h.creds) != 1 || c.Kind != oauth.CodeAssist {
		return false
	}
	o := h.creds[0]
	return o.Kind == c.Kind && c.ProjectID != "" && o.ProjectID == c.ProjectID && (o.Email == "" || c.Email == "" || strings.EqualFold(o.Email, c.Email))
}

// wants tells whether an item with the same secret says more than the one that is there.
func (h *holder) wants(item oauth.Item) bool {
	if len(h.creds) != 1 || h.from == nil || h.from.variable != nil {
		return false
	}
	o, c := h.creds[0], item.Creds[0]
	return len(item.Creds) > 1 || c.ClientID != o.ClientID || c.ClientSecret != o.ClientSecret || c.Label != "" && c.Label != o.Label ||
		o.ProjectID == "" && c.ProjectID != ""
}

// there says where it is.
func (h *holder) there() string {
	switch {
	case h.draft != nil:
		return fmt.Sprintf("this credential, or another sign-in of its account and project, is in the same import as %s", h.item)
	case h.reason != "":
		return fmt.Sprintf("it is in the pool already: %s (%s). It is switched off: %s", h.item, h.from, h.reason)
	}
	return fmt.Sprintf("it is in the pool already: %s (%s)", h.item, h.from)
}

// file is where it is, "" for what is in no file.
func (h *holder) file() string {
	switch {
	case h.draft != nil:
		return h.draft.name
	case h.from != nil:
		return h.from.name
	}
	return ""
}

func (h *holder) entry(id string) *entry {
	for _, e := range h.entries {
		if e.cred.ID == id {
			return e
		}
	}
	return nil
}
