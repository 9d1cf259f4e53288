package oauth

import (
	"bytes"
	"errors"
	"slices"

	"gcli2api/pipeline/wire"
)

// Change is what a credential file has to remember. Empty members change nothing. Access tokens are
// none of it: they never go into a file.
type Change struct {
	RefreshToken string
	ProjectID    string
	Email        string
}

// Amend writes a change of one item into the text of a sheet that is InPlace. Everything else stays
// as it is written, other items and members that nobody knows included.
func (s Sheet) Amend(id string, c Change) ([]byte, error) {
	item := s.Find(id)
	if item == nil || !s.InPlace {
		return nil, errors.New("this credential cannot be changed in its place")
	}
	changed, err := amend(slices.Clone(s.text[item.from:item.to]), c)
	if err != nil {
		return nil, err
	}
	return splice(s.text, item.from, item.to, changed), nil
}

// amend changes an object.
func amend(data []byte, c Change) ([]byte, error) {
	var err error
	if c.RefreshToken != "" {
		if data, err = amendToken(data, c.RefreshToken); err != nil {
			return nil, err
		}
	}
	for _, m := range []struct{ name, value string }{{"project_id", c.ProjectID}, {"email", c.Email}} {
		if m.value == "" {
			continue
		}
		if data, err = set(data, m.name, m.value); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// amendToken replaces a refresh token in each place where the layouts have it.
func amendToken(data []byte, token string) ([]byte, error) {
	members, err := wire.Scan(data, nil)
	if err != nil {
		return nil, err
	}
	nested := last(members, "token")
	if nested < 0 || wire.KindOf(members[nested].Value) != wire.KindObject {
		return set(data, "refresh_token", token)
	}
	inner, err := set(slices.Clone(members[nested].Value), "refresh_token", token)
	if err != nil {
		return nil, err
	}
	value := members[nested].Value
	from := members[nested].End - len(value)
	data = splice(data, from, members[nested].End, inner)
	if wire.Find(members, "refresh_token") < 0 {
		return data, nil
	}
	return set(data, "refresh_token", token)
}

// set gives the member of an object a text, in its place or behind the last one.
func set(object []byte, name, value string) ([]byte, error) {
	members, err := wire.Scan(object, nil)
	if err != nil {
		return nil, err
	}
	text := wire.AppendQuoted(nil, value)
	if i := last(members, name); i >= 0 {
		m := members[i]
		return splice(object, m.End-len(m.Value), m.End, text), nil
	}
	if len(members) == 0 {
		return nil, errors.New("the object is empty")
	}
	end := members[len(members)-1]
	// The new member is laid out like the last one: same line, or a line of its own as far in.
	from := end.Start
	for from > 0 && bytes.IndexByte([]byte(" \t\r\n"), object[from-1]) >= 0 {
		from--
	}
	add := append([]byte{','}, object[from:end.Start]...)
	add = append(wire.AppendQuoted(add, name), ':')
	if bytes.Contains(object[end.Start:end.End], []byte(`": `)) {
		add = append(add, ' ')
	}
	return splice(object, end.End, end.End, append(add, text...)), nil
}

// last finds a member; of members of one name the last one counts, as it does for Parse.
func last(members []wire.Member, name string) int {
	for i := len(members) - 1; i >= 0; i-- {
		if string(members[i].Key) == name {
			return i
		}
	}
	return -1
}

func splice(data []byte, from, to int, with []byte) []byte {
	return slices.Concat(data[:from], with, data[to:])
}
