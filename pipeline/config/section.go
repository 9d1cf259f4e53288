package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Section decodes one table ("stage.retry", "models") into a pointer to a struct with koanf tags.
// The struct comes filled with defaults; keys that are set anywhere, or declare a default,
// replace its fields, lists and maps as a whole. A key that the struct does not have is a
// Problems error with line and the name that was probably meant. The switch "enabled" of a stage
// is the engine's and left out.
func (s *Snapshot) Section(key string, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode section %s: want a pointer to a struct, got %T", key, into)
	}
	tree, err := s.section(key)
	if err != nil {
		return err
	}
	v := verifier{s: s}
	v.check(target.Elem().Type(), tree.Raw(), strings.Split(key, "."))
	if len(v.problems) > 0 {
		return v.problems.Sorted()
	}
	err = tree.UnmarshalWithConf("", into, koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: decoding()})
	if err != nil {
		return fmt.Errorf("decode section %s: %w", key, err)
	}
	return nil
}

// Decode gives a setting of the type Table or Tables as a pointer to a map or a slice of structs takes it,
// with the errors of Section. Where nobody has set it, into stays as it is.
func (s *Snapshot) Decode(key string, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer {
		return fmt.Errorf("decode %s: want a pointer, got %T", key, into)
	}
	if s.values[key] == nil {
		return nil
	}
	v := verifier{s: s}
	v.check(target.Elem().Type(), s.values[key], strings.Split(key, "."))
	if len(v.problems) > 0 {
		return v.problems.Sorted()
	}
	c := decoding()
	c.TagName, c.Result = "koanf", into
	d, err := mapstructure.NewDecoder(c)
	if err == nil {
		err = d.Decode(s.values[key])
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", key, err)
	}
	return nil
}

func decoding() *mapstructure.DecoderConfig {
	return &mapstructure.DecoderConfig{
		ErrorUnused: true,
		ZeroFields:  true, // else a short list keeps the tail of the default, in the default's own memory
		DecodeHook:  mapstructure.ComposeDecodeHookFunc(durationHook, mapstructure.TextUnmarshallerHookFunc()),
	}
}

// section gathers the values of one table, nested as they are written.
func (s *Snapshot) section(key string) (*koanf.Koanf, error) {
	flat := map[string]any{}
	if whole, ok := s.values[key].(map[string]any); ok {
		flat = whole
	} else {
		for place, value := range s.values {
			rest, ok := strings.CutPrefix(place, key+".")
			if ok && !(rest == "enabled" && strings.HasPrefix(key, "stage.")) {
				flat[rest] = value
			}
		}
		flat = unflatten(flat)
	}
	// The delimiter never occurs: names of models have dots and slashes.
	k := koanf.New("\x1f")
	if err := k.Load(confmap.Provider(flat, ""), nil); err != nil {
		return nil, fmt.Errorf("read section %s: %w", key, err)
	}
	return k, nil
}

func unflatten(flat map[string]any) map[string]any {
	root := map[string]any{}
	for key, value := range flat {
		at := root
		parts := strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			below, ok := at[part].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[part] = below
			}
			at = below
		}
		at[parts[len(parts)-1]] = value
	}
	return root
}

// durationHook reads durations inside a Table, where they are still as written.
func durationHook(_, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	return toDuration(data)
}

// SectionHash changes when, and only when, what Section gives for the table changes. It is for
// comparing within the process: it covers secrets, so it must not be shown.
func (s *Snapshot) SectionHash(key string) uint64 {
	tree, err := s.section(key)
	if err != nil {
		return 0
	}
	h := sum(tree.Raw())
	return binary.BigEndian.Uint64(h[:])
}

// Revision is equal for two snapshots that configure the same, whatever comments or order of
// lines: equal content is no reload. Like SectionHash it must not be shown.
func (s *Snapshot) Revision() string {
	all := make(map[string]any, len(s.values))
	for key, value := range s.values {
		from := s.origins[key]
		all[key] = []any{value, string(from.Source), from.Env}
	}
	h := sum(all)
	return hex.EncodeToString(h[:8])
}

func sum(value any) [sha256.Size]byte {
	h := sha256.New()
	feed(h, value)
	return [sha256.Size]byte(h.Sum(nil))
}

// feed writes a value so that different values never write the same bytes.
func feed(w io.Writer, value any) {
	switch v := value.(type) {
	case map[string]any:
		fmt.Fprintf(w, "{%d", len(v))
		for _, key := range sortedKeys(v) {
			feed(w, key)
			feed(w, v[key])
		}
	case []any:
		feedList(w, v)
	case []string:
		feedList(w, v)
	case []int:
		feedList(w, v)
	default:
		text := fmt.Sprintf("%T %v", v, v)
		fmt.Fprintf(w, "%d:%s", len(text), text)
	}
}

func feedList[T any](w io.Writer, list []T) {
	fmt.Fprintf(w, "[%d", len(list))
	for _, one := range list {
		feed(w, one)
	}
}
