package move

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"gcli2api/pipeline/server"
	"gcli2api/store/open"
)

// FolderHeader names the folder that an archive of a running gateway is of.
const FolderHeader = "X-Gcli2api-Folder"

// answerWait is how long a gateway may take to begin with an archive.
const answerWait = time.Minute

// fetch asks the gateway that holds a folder for an archive, and verifies it while it is written.
func (d *command) fetch(ctx context.Context, p open.Place, w io.Writer) (Manifest, error) {
	at := d.c.Listening()
	held := fmt.Errorf("a gateway holds the folder %s", p.Folder)
	var resp *http.Response
	var err error
	for _, address := range server.Addresses(at.Host, d.c.Int("server.port")) {
		if resp, err = d.ask(ctx, address); err == nil {
			break
		}
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("%w, and does not answer where this configuration says that it listens: %w", held, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Manifest{}, fmt.Errorf("%w, and answers %s: %s", held, resp.Status, detail(resp.Body))
	}
	if folder := resp.Header.Get(FolderHeader); folder != realPath(p.Folder) {
		return Manifest{}, fmt.Errorf("%w, but another one answers at %s, which has the folder %q", held, resp.Request.URL.Host, printable(folder))
	}
	a := &archive{secrets: d.secrets()}
	all := io.TeeReader(resp.Body, w)
	if err := a.verify(all); err != nil {
		return Manifest{}, fmt.Errorf("the archive of the running gateway: %w", err)
	}
	_, err = io.Copy(io.Discard, all)
	return a.manifest, err
}

func (d *command) ask(ctx context.Context, address string) (*http.Response, error) {
	url := "http://" + address + "/storage/backup"
	if d.in.Plain {
		url += "?plain=true"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.c.Passwords().Panel)
	client := &http.Client{
		// No proxy of the environment gets to see the password.
		Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true, DisableCompression: true, ResponseHeaderTimeout: answerWait,
			DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.Do(req)
}

// detail is why a gateway refuses.
func detail(body io.Reader) string {
	var said struct {
		Detail string `json:"detail"`
	}
	data, _ := io.ReadAll(io.LimitReader(body, 4096))
	if json.Unmarshal(data, &said) != nil || said.Detail == "" {
		return "no gateway of this version"
	}
	return printable(said.Detail)
}
