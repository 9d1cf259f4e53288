package move

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"gcli2api/pipeline/server"
	"gcli2api/store"
	"gcli2api/store/open"
)

// ImportPath is the route that takes over what the old product kept.
const ImportPath = "/storage/import"

// MaxImport bounds what that route takes.
const MaxImport = 64 << 20

// oldLetter is what the old product kept on its way to a gateway at work: texts, because what lies there may
// be no JSON.
type oldLetter struct {
	Place       string            `json:"place"` // marks it as taken over
	Credentials map[string]string `json:"credentials"`
	Config      map[string]string `json:"config"`
	Keys        map[string]string `json:"keys"`
}

// ReadImport reads the body of the route. place is what it is remembered by.
func ReadImport(body []byte) (old store.Old, place string, err error) {
	var l oldLetter
	if json.Unmarshal(body, &l) != nil {
		return old, "", errors.New("the body must be an object of the objects credentials, config and keys, with texts in them by name")
	}
	if l.Place != "" && store.CheckName("old/"+l.Place) != nil {
		return old, "", errors.New("place is no name")
	}
	bytesOf := func(texts map[string]string) map[string][]byte {
		all := make(map[string][]byte, len(texts))
		for name, text := range texts {
			all[name] = []byte(text)
		}
		return all
	}
	return store.Old{Credentials: bytesOf(l.Credentials), Config: bytesOf(l.Config), Keys: bytesOf(l.Keys)}, l.Place, nil
}

func letter(old *found) ([]byte, error) {
	textsOf := func(all map[string][]byte) map[string]string {
		texts := make(map[string]string, len(all))
		for name, body := range all {
			texts[name] = string(body)
		}
		return texts
	}
	body, err := json.Marshal(oldLetter{Place: old.id, Credentials: textsOf(old.Credentials), Config: textsOf(old.Config), Keys: textsOf(old.Keys)})
	if err == nil && len(body) > MaxImport {
		err = fmt.Errorf("there are more than %d MB of it: stop the gateway, give the command again, and start it", MaxImport>>20)
	}
	return body, err
}

// askImport has the gateway that holds the folder do it. First it only says what it would do, which tells whether it
// is the one.
func (d *command) askImport(ctx context.Context, p open.Place, old *found) (OldReport, error) {
	held := fmt.Errorf("a gateway holds the folder %s", p.Folder)
	body, err := letter(old)
	if err != nil {
		return OldReport{}, fmt.Errorf("%w: %w", held, err)
	}
	var r OldReport
	for _, address := range server.Addresses(d.c.Listening().Host, d.c.Int("server.port")) {
		if r, err = d.postImport(ctx, address, body, true); err != nil {
			continue
		}
		if r.Folder != realPath(p.Folder) {
			return OldReport{}, fmt.Errorf("%w, but another one answers at %s, which has the folder %q", held, address, printable(r.Folder))
		}
		if !d.in.DryRun {
			r, err = d.postImport(ctx, address, body, false)
		}
		if err != nil {
			break
		}
		return r, nil
	}
	return OldReport{}, fmt.Errorf("%w, and cannot be asked to do it (stop it to do it without): %w", held, err)
}

func (d *command) postImport(ctx context.Context, address string, body []byte, dry bool) (r OldReport, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s%s?dry_run=%t", address, ImportPath, dry), bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer "+d.c.Passwords().Panel)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{
		// No proxy of the environment gets to see the password.
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("it answers %s: %s", resp.Status, detail(resp.Body))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxImport))
	if err == nil && json.Unmarshal(data, &r) != nil {
		err = errors.New("it is no gateway of this version")
	}
	for _, one := range r.parts() {
		for i, line := range one.part.Left {
			one.part.Left[i] = printable(line)
		}
	}
	return r, err
}
