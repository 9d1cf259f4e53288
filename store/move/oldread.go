package move

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/mongo"
	"gcli2api/store/open"
	"gcli2api/store/postgres"
	"gcli2api/store/redis"
)

// Files of the old product.
const (
	oldCreds    = "creds.toml"
	oldStates   = "creds_state.toml"
	oldKeys     = "api_keys.toml"
	oldSettings = "config.toml"
	oldDatabase = "credentials.db" // of its later versions
)

// OldHere names, in place of an address, the database of the configuration.
const OldHere = "old"

// found is what the old product left in a place.
type found struct {
	store.Old
	name  string // of the place, without a password
	id    string // the same for the same place
	wrong OldReport
}

// readOld reads a place of the old product; nothing in it is changed.
func (d *command) readOld(ctx context.Context) (*found, error) {
	text, err := fromEnv(d.in.From)
	if err != nil {
		return nil, err
	}
	database := text == OldHere || strings.Contains(text, "://") && !strings.HasPrefix(text, "file:") ||
		strings.Contains(text, "host=") || strings.Contains(text, "dbname=")
	if !database {
		path := strings.TrimPrefix(strings.TrimPrefix(text, "file:"), "//")
		if _, err := os.Stat(path); err != nil && path == text && strings.Contains(text, "@") {
			return nil, usage{open.ErrNoScheme} // not named: it may have a password
		}
		return readOldPath(path)
	}
	if text == OldHere {
		text = ""
	}
	p, err := d.place(text)
	if err != nil {
		return nil, err
	}
	if p.Engine == open.File {
		return nil, usage{errors.New("-from old is the database of this configuration, which names none: say its address, or a folder")}
	}
	f := &found{name: "the old product's data in " + p.String(), id: oldID(p)}
	f.Old, err = readOldDatabase(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return f, nil
}

// oldPathID is of a folder or a file.
func oldPathID(path string) string {
	sum := sha256.Sum256([]byte("path\n" + realPath(path)))
	return hex.EncodeToString(sum[:16])
}

// oldID is of a database, whatever part of it is ours.
func oldID(p open.Place) string {
	p.Prefix = ""
	return idOf(p)
}

func readOldDatabase(ctx context.Context, p open.Place) (store.Old, error) {
	switch p.Engine {
	case open.Redis:
		return redis.ReadOld(ctx, redis.Options{Address: p.Address, Database: p.Database, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log})
	case open.Postgres:
		return postgres.ReadOld(ctx, postgres.Options{Address: p.Address, Database: p.Database, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log})
	}
	return mongo.ReadOld(ctx, mongo.Options{Address: p.Address, Database: p.Database, Connections: p.Connections, Timeout: p.Timeout, Log: p.Log})
}

// maxOldPlace bounds what is read of a folder or an archive: it is in memory as a whole.
const maxOldPlace = 512 << 20

// readOldPath reads a folder, an archive or a single file.
func readOldPath(path string) (*found, error) {
	f := &found{name: path, id: oldPathID(path), Old: store.Old{
		Credentials: map[string][]byte{}, Config: map[string][]byte{}, Keys: map[string][]byte{}}}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file or folder %s", path)
	}
	if err != nil {
		return nil, err
	}
	var files map[string][]byte
	switch {
	case info.IsDir():
		files, err = f.folder(path)
	case strings.EqualFold(filepath.Ext(path), ".zip"):
		files, err = f.archive(path)
	default:
		body, wrong := readFile(path)
		files, err = map[string][]byte{filepath.Base(path): body}, wrong
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.files(files)
	return f, nil
}

// folder reads the files of a folder that may be the old product's.
func (f *found) folder(path string) (map[string][]byte, error) {
	dir, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	files, size := map[string][]byte{}, 0
	for _, d := range dir {
		name := d.Name()
		switch {
		case d.IsDir() || strings.HasPrefix(name, "."):
		case name == oldDatabase:
			f.wrong.Credentials.leave(name, errors.New("the file of a later version is not read: take all credentials out of its panel as a ZIP, and import that"))
		case isOldFile(name):
			body, err := readFile(filepath.Join(path, name))
			if err != nil {
				f.wrong.Credentials.leave(name, err)
				continue
			}
			if size += len(body); size > maxOldPlace {
				return nil, fmt.Errorf("there are more than %d MB of files: import them in parts", maxOldPlace>>20)
			}
			files[name] = body
		}
	}
	return files, nil
}

// isOldFile goes by the name.
func isOldFile(name string) bool {
	return slices.Contains([]string{oldCreds, oldStates, oldKeys, oldSettings}, name) || strings.EqualFold(filepath.Ext(name), ".json")
}

// files makes of them what a database would have.
func (f *found) files(files map[string][]byte) {
	states := f.tables(oldStates, files, &f.wrong.Credentials)
	f.Credentials = f.tables(oldCreds, files, &f.wrong.Credentials)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".toml") || !isOldFile(name) {
			continue
		}
		entry := map[string]json.RawMessage{"credential": files[name]}
		if !json.Valid(files[name]) { // in a layout of somebody else, or broken
			entry["credential"], _ = json.Marshal(string(files[name]))
		}
		if state := first(f.Credentials[name], states[name]); state != nil {
			entry["state"] = state
		}
		if body, err := json.Marshal(entry); err == nil {
			f.Credentials[name] = body
		}
	}
	f.Keys = f.tables(oldKeys, files, &f.wrong.Keys)
	if text := files[oldSettings]; text != nil {
		tables, plain, broken := apikey.OldTables(text)
		f.Config = plain
		for name, table := range tables {
			f.Config[name] = table
		}
		for name, why := range broken {
			f.wrong.Settings.leave(oldSettings+", "+name, errors.New(why))
		}
	}
}

func first(texts ...[]byte) json.RawMessage {
	for _, t := range texts {
		if t != nil {
			return t
		}
	}
	return nil
}

// tables reads a TOML file that has nothing but tables.
func (f *found) tables(name string, files map[string][]byte, part *OldPart) map[string][]byte {
	if files[name] == nil {
		return map[string][]byte{}
	}
	tables, plain, broken := apikey.OldTables(files[name])
	for _, one := range slices.Sorted(maps.Keys(plain)) {
		part.leave(name+", "+one, errors.New("it is no table"))
	}
	for _, one := range slices.Sorted(maps.Keys(broken)) {
		shown := one
		if name == oldKeys {
			shown = apikey.Mask(one)
		}
		part.leave(name+", "+shown, errors.New(broken[one]))
	}
	return tables
}

// empty tells that there is nothing of the old product.
func (f *found) empty() bool {
	return len(f.Credentials)+len(f.Config)+len(f.Keys)+len(f.wrong.Credentials.Left)+len(f.wrong.Keys.Left)+len(f.wrong.Settings.Left) == 0
}
