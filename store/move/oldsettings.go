package move

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"gcli2api/pipeline/config"
	"gcli2api/store"
	panel "gcli2api/store/settings"
)

// Entries of the old configuration that are no settings.
const (
	oldCosts = "model_costs"
	oldOrder = "_credential_order"
)

// settings makes settings of the panel of those that the old product kept.
func (t *Taker) settings(ctx context.Context, old map[string][]byte, r *OldReport) error {
	part := &r.Settings
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if name == oldCosts {
			continue
		}
		value, p, err := t.setting(name, old[name])
		mark := "setting/" + p.Key
		switch {
		case err != nil:
			part.leave(name, err)
			continue
		case t.marks[mark] || t.Live().Origin(p.Key).Source == config.FromPanel:
			part.Known++
		case t.Dry:
			changes, err := t.Live().Changes(map[string]any{p.Key: value})
			part.count(len(changes) > 0, name, err)
		default:
			saved, err := t.Panel.Save(ctx, map[string]any{p.Key: value}, store.Any)
			if part.count(len(saved.Changes) > 0, name, err); err != nil {
				if refused := (*panel.RefusedError)(nil); !errors.As(err, &refused) {
					return err
				}
				continue
			}
		}
		if err := t.mark(ctx, []string{mark}); err != nil {
			return err
		}
	}
	return nil
}

func (p *OldPart) count(fresh bool, name string, err error) {
	switch {
	case err != nil:
		p.leave(name, err)
	case fresh:
		p.Taken++
	default:
		p.Known++ // it is what counts here anyway
	}
}

// setting is what one value of the old configuration is here. The error says why it is nothing.
func (t *Taker) setting(name string, body []byte) (value any, p config.Param, err error) {
	if name == oldOrder {
		return nil, p, errors.New("the order of the rotation is not kept: here it begins with the order of names")
	}
	p, known := t.Live().Resolve(name)
	if !known {
		return nil, p, errors.New("there is no such setting here")
	}
	set := "set it in config.toml (" + p.Key + ")"
	if len(p.Env) > 0 {
		set = "set " + p.Env[0] + ", or " + p.Key + " in config.toml"
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil, p, errors.New("its value cannot be read")
	}
	origin := t.Live().Origin(p.Key)
	switch {
	case p.Secret:
		return nil, p, errors.New("a secret is not copied into the settings: to go on with it, " + set)
	case p.AfterRestart:
		return nil, p, errors.New("it is read at the start only: to go on with it, " + set)
	case p.Type == config.Path:
		return nil, p, errors.New("files would be written where it says: if you trust it, " + set)
	case p.Waits != "":
		return nil, p, errors.New(p.Waits)
	case origin.Source == config.FromEnvironment || origin.Source == config.FromFile:
		return nil, p, errors.New("this gateway's own " + cmp.Or(origin.Env, "config.toml") + " says what it is")
	case strings.HasPrefix(p.Key, "google.") && p.Type == config.URL && !googles(value):
		return nil, p, errors.New("tokens would go through that address: if you trust it, " + set)
	}
	return value, p, nil
}

// googles tells that an address is Google's own.
func googles(value any) bool {
	text, _ := value.(string)
	host, is := strings.CutPrefix(strings.TrimRight(text, "/"), "https://")
	return text == "" || is && !strings.ContainsAny(host, "/@:?#\\") && strings.HasSuffix(host, ".googleapis.com")
}
