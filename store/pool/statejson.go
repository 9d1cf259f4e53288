package pool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gcli2api/store/seal"
)

// decode reads a state and keeps what it does not know, and what it cannot open.
func (m *Memory) decode(body []byte) (s State, err error) {
	if body, err = m.sealed.Open("", body); err != nil {
		return s, fmt.Errorf("it is no state: %w", err)
	}
	if s, err = m.read(body); err == nil {
		s.keepClosed()
	}
	return s, err
}

// refreshToken is the member of State.RefreshToken.
const refreshToken = "refresh_token"

// keepClosed keeps a refresh token that stays sealed for whoever has the key. An access token is asked for
// anew.
func (s *State) keepClosed() {
	if seal.Is(s.AccessToken) {
		s.AccessToken, s.TokenUntil = "", time.Time{}
	}
	if seal.Is(s.RefreshToken) {
		more := map[string]json.RawMessage{refreshToken: json.RawMessage(strconv.Quote(s.RefreshToken))}
		maps.Copy(more, s.more)
		s.RefreshToken, s.more = "", more
	}
}

// closed tells that the state has a refresh token that stays sealed.
func (s State) closed() bool { return s.more[refreshToken] != nil }

func (m *Memory) read(body []byte) (s State, err error) {
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if strict.Decode(&s) == nil && strict.InputOffset() == int64(len(body)) {
		return s, nil // what we write has nothing unknown in it
	}
	s = State{}
	if err = json.Unmarshal(body, &s); err != nil {
		return State{}, fmt.Errorf("it is no state: %w", err)
	}
	var all map[string]json.RawMessage
	if err = json.Unmarshal(body, &all); err != nil {
		return State{}, fmt.Errorf("it is no state: %w", err)
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return m.names[name] })
	if len(all) > 0 {
		s.more = all
	}
	return s, nil
}

// stateNames are the members that State has in JSON.
func stateNames() map[string]bool {
	names := map[string]bool{}
	for f := range reflect.TypeFor[State]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// Hours are ascending. They are written as pairs of numbers, hours since the one before and calls: there are 24 of them in
// the state of every credential.
type Hours []Hour

// MarshalJSON writes them in a row.
func (h Hours) MarshalJSON() ([]byte, error) {
	b, last := []byte{'['}, int64(0)
	for i, hour := range h {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(hour.At)-last, 10)
		b = append(b, ',')
		b, last = strconv.AppendInt(b, int64(hour.N), 10), int64(hour.At)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads them.
func (h *Hours) UnmarshalJSON(text []byte) error {
	var row []int32
	if err := json.Unmarshal(text, &row); err != nil {
		return fmt.Errorf("hours: %w", err)
	}
	if len(row)%2 != 0 {
		return errors.New("hours: an hour without its calls")
	}
	*h = make(Hours, 0, len(row)/2)
	last := int32(0)
	for i := 0; i < len(row); i += 2 {
		last += row[i]
		*h = append(*h, Hour{last, row[i+1]})
	}
	return nil
}

// MarshalJSON writes a state with what a newer version has in it.
func (s State) MarshalJSON() ([]byte, error) {
	type plain State
	body, err := json.Marshal(plain(s))
	if err != nil || len(s.more) == 0 {
		return body, err
	}
	rest := s.more
	if s.RefreshToken != "" && s.closed() { // by now there is another one
		rest = maps.Clone(rest)
		if delete(rest, refreshToken); len(rest) == 0 {
			return body, nil
		}
	}
	more, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	return append(append(bytes.TrimSuffix(body, []byte("}")), ','), more[1:]...), nil
}
