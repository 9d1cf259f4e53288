package console

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"gcli2api/store/move"
	"gcli2api/store/oauth"
	"gcli2api/store/pool"
	"gcli2api/store/stats"

	"github.com/gofiber/fiber/v2"
)

// panelWith is a panel over a folder of its own.
func panelWith(t testing.TB, o pool.Options) (*fiber.App, *pool.Pool, string) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Poll = time.Hour
	o.OAuth = oauth.New(oauth.Options{HTTP: func() *http.Client { return http.DefaultClient }, Settings: func() oauth.Settings { return oauth.Settings{} }})
	p, err := pool.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	app := fiber.New(fiber.Config{StreamRequestBody: true, DisablePreParseMultipartForm: true, BodyLimit: 1})
	Services{Access: access{"right", true}, Pool: p, Stats: stats.New(), Log: slog.New(slog.DiscardHandler)}.Mount(app)
	return app, p, o.Dir
}

type file struct{ name, text string }

func form(files ...file) (body *bytes.Buffer, kind string) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range files {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", `form-data; name="files"; filename="`+f.name+`"`)
		part, _ := w.CreatePart(h)
		_, _ = io.WriteString(part, f.text)
	}
	w.Close()
	return body, w.FormDataContentType()
}

type uploaded struct {
	Good    int `json:"uploaded_count"`
	Total   int `json:"total_count"`
	Detail  string
	Message string
	Results []verdict
}

func ask(t testing.TB, app *fiber.App, method, path string, body io.Reader, kind string) (int, []byte) {
	t.Helper()
	req := httptest.NewRequest(method, path, body)
	req.Header.Set("Authorization", "Bearer right")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, got
}

func send(t testing.TB, app *fiber.App, files ...file) (int, uploaded) {
	t.Helper()
	body, kind := form(files...)
	status, got := ask(t, app, "POST", "/auth/upload", body, kind)
	var u uploaded
	if err := json.Unmarshal(got, &u); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	return status, u
}

// account is a whole credential file.
func account(n int) string {
	return fmt.Sprintf(`{"client_id":"c","client_secret":"CLIENT-SECRET","refresh_token":"1//refresh-%d","project_id":"proj-%d"}`, n, n)
}

func archive(t testing.TB, files ...file) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	packed := map[string]string{} // what many files hold is compressed once: the race detector makes it slow
	for _, f := range files {
		if strings.HasSuffix(f.name, "/") { // a folder, which holds nothing
			if _, err := z.Create(f.name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, there := packed[f.text]; !there {
			packed[f.text] = deflated(t, f.text)
		}
		enter(t, z, packed[f.text], zip.FileHeader{Name: f.name, CRC32: crc32.ChecksumIEEE([]byte(f.text)), UncompressedSize64: uint64(len(f.text))})
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func deflated(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// enter adds a file that is compressed already.
func enter(t testing.TB, z *zip.Writer, packed string, h zip.FileHeader) {
	t.Helper()
	h.Method, h.CompressedSize64 = zip.Deflate, uint64(len(packed))
	w, err := z.CreateRaw(&h)
	if err == nil {
		_, err = io.WriteString(w, packed)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func inUTF16(s string, mark bool) string {
	var b []byte
	if mark {
		b = []byte("\xff\xfe")
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// TestUploadOfBadFiles sends each bad file between two good ones: it is refused alone, with a reason,
// and nothing of it is left in the folder.
func TestUploadOfBadFiles(t *testing.T) {
	for _, row := range []struct{ name, text, says string }{
		{"a.txt", account(9), "only .json and .zip"},
		{"a.json", `{"refresh_token": `, "not a JSON object"},
		{"a.json", ``, "empty"},
		{"a.json", `[]`, "the list is empty"},
		{"a.json", `[1,"HIDDEN"]`, "not a JSON object"},
		{"a.json", `{"hello":"world"}`, `"refresh_token" is missing`},
		{"a.json", `{"type":"external_account","refresh_token":"HIDDEN"}`, "not supported"},
		{"a.json", `{"client_id":"c","client_secret":"s","refresh_token":"HIDDEN","token_uri":"http://169.254.169.254/token"}`, "token_uri"},
		{"a.json", `{"client_id":"c","client_secret":"s","refresh_token":"HIDDEN","token_uri":"http://localhost:7861/"}`, "token_uri"},
		{"a.json", `{"refresh_token":"HIDDEN"}`, "needs OAUTH_CLIENT_SECRET"},
		{"a.json", inUTF16(account(9), false), "UTF-8"},
		{"../a.json", account(9), `".."`},
		{"x/../../a.json", account(9), `".."`},
		{"/etc/a.json", account(9), "absolute"},
		{`C:\\creds\\a.json`, account(9), "Windows"},
		{`..\\a.json`, account(9), "Windows"},
		{"C:a.json", account(9), "Windows"},
		{".a.json", account(9), "hidden"},
		{"con.json", account(9), "file system"},
		{"LPT1.json", account(9), "file system"},
		{"a?.json", account(9), "file system"},
		{strings.Repeat("n", 300) + ".json", account(9), "longer"},
		{"a.zip", "PK not at all", "no ZIP archive"},
		{"a.zip", archive(t), "no file"},
		{"a.json", strings.Repeat(" ", maxText+1), "larger than 16 MB"},
	} {
		app, p, dir := panelWith(t, pool.Options{})
		status, got := send(t, app, file{"first.json", account(1)}, file{row.name, row.text}, file{"last.json", account(2)})
		if status != 200 || got.Good != 2 || got.Total != 3 || len(got.Results) != 3 {
			t.Errorf("%s %.40q: %d %+v", row.name, row.text, status, got)
			continue
		}
		if r := got.Results[1]; r.Status != "error" || !strings.Contains(r.Message, row.says) || strings.Contains(r.Message+r.Filename, "HIDDEN") {
			t.Errorf("%s %.40q: %+v", row.name, row.text, r)
		}
		if n := len(p.Status()); n != 2 {
			t.Errorf("%s %.40q: %d credentials", row.name, row.text, n)
		}
		if names := filesOf(t, dir); names != "first.json last.json" {
			t.Errorf("%s %.40q: the folder has %s", row.name, row.text, names)
		}
		status, got = send(t, app, file{row.name, row.text})
		if status != 400 || got.Good != 0 || got.Total != 1 || got.Detail == "" {
			t.Errorf("%s %.40q alone: %d %+v", row.name, row.text, status, got)
		}
	}
}

func filesOf(t testing.TB, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return strings.Join(names, " ")
}

// TestUploadOfLayouts has what is taken, in whatever form.
func TestUploadOfLayouts(t *testing.T) {
	two := account(1) + "\n" + account(2)
	for _, row := range []struct{ name, text, ids string }{
		{"a.json", account(1), "a.json"},
		{"a.JSON", account(1), "a.json"},
		{"dir/a.json", account(1), "a.json"},
		{"账号.json", account(1), "账号.json"},
		{"a.json", "\xef\xbb\xbf" + account(1), "a.json"},
		{"a.json", inUTF16(account(1), true), "a.json"},
		{"a.json", base64.StdEncoding.EncodeToString([]byte(account(1))), "a.json"},
		{"a.json", "[" + account(1) + "," + account(2) + "]", "a-2.json a.json"},
		{"a.json", "[" + account(1) + ",7," + account(1) + "]", "a.json"},
		{"a.ndjson", two, "a-2.ndjson a.ndjson"},
		{"a.json", two, "a-2.json a.json"},
		{"a.json", `{"one":` + account(1) + `,"two":{"credential":` + account(2) + `,"state":{}}}`, "a-2.json a.json"},
		{"a.json", `{"type":"gemini_api_key","api_key":"AIza-one","label":"mine"}`, "a.json"},
		{"a.zip", archive(t, file{"x.json", account(1)}, file{"d/x.json", account(2)}, file{"__MACOSX/._x.json", "rubbish"}, file{"d/.DS_Store", "x"}), "x-2.json x.json"},
	} {
		app, p, _ := panelWith(t, pool.Options{})
		status, got := send(t, app, file{row.name, row.text})
		var ids []string
		for _, s := range p.Status() {
			ids = append(ids, s.ID)
		}
		if status != 200 || strings.Join(ids, " ") != row.ids {
			t.Errorf("%s %.60q: %d %v, %+v", row.name, row.text, status, ids, got)
		}
	}
}

// TestUploadOfArchives has entries that are refused alone, and archives that are refused whole.
func TestUploadOfArchives(t *testing.T) {
	t.Parallel()
	good := file{"good.json", account(1)}
	var many []file
	for i := range maxEntries + 1 {
		many = append(many, file{fmt.Sprintf("%d.json", i), "{}"})
	}
	zeros := strings.Repeat("0", 12<<20)
	var bomb []file
	for i := range 10 {
		bomb = append(bomb, file{fmt.Sprintf("%d.json", i), zeros})
	}
	for _, row := range []struct {
		name, data string
		says       string
		whole      bool
	}{
		{"path", archive(t, good, file{"../../evil.json", account(2)}), `".."`, false},
		{"absolute", archive(t, good, file{"/etc/evil.json", account(2)}), "absolute", false},
		{"backslash", archive(t, good, file{`..\evil.json`, account(2)}), "Windows", false},
		{"NUL", archive(t, good, file{"evil\x00.json", account(2)}), "NUL", false},
		{"hidden", archive(t, good, file{".evil.json", account(2)}), "hidden", false},
		{"long", archive(t, good, file{strings.Repeat("x", 300) + ".json", account(2)}), "longer", false},
		{"device", archive(t, good, file{"aux.json", account(2)}), "file system", false},
		{"other file", archive(t, good, file{"notes.txt", "x"}), "only .json", false},
		{"link", marked(t, good, zip.FileHeader{Name: "evil.json", ExternalAttrs: 0o120777 << 16, CreatorVersion: 3 << 8}), "it is no file", false},
		{"encrypted", marked(t, good, zip.FileHeader{Name: "evil.json", Flags: 1}), "it is encrypted", false},
		{"archive inside", archive(t, good, file{"x.zip", archive(t, good)}), "archive in an archive", false},
		{"inner token_uri", archive(t, good, file{"evil.json", `{"client_id":"c","client_secret":"s","refresh_token":"r","token_uri":"http://10.0.0.1/"}`}), "token_uri", false},
		{"one that unpacks to too much", archive(t, good, file{"evil.json", zeros}), "100 times", false},
		{"one with a false size", lying(t, good, "evil.json", zeros), "", false},
		{"too many", archive(t, many...), "more than 1000", true},
		{"bomb", archive(t, append(bomb, good)...), "100 times", true},
		{"big bomb", archive(t, bigBomb()...), "100 times", true},
		{"cut", archive(t, good)[:100], "damaged", true},
	} {
		app, p, _ := panelWith(t, pool.Options{})
		status, got := send(t, app, file{"a.zip", row.data}, file{"beside.json", account(7)})
		want := 2
		if row.whole {
			want = 1
		}
		if status != 200 || got.Good != want || len(p.Status()) != want {
			t.Errorf("%s: %d, %d good, %d credentials, %+v", row.name, status, got.Good, len(p.Status()), got.Results[:min(4, len(got.Results))])
			continue
		}
		found := false
		for _, r := range got.Results {
			found = found || r.Status == "error" && strings.Contains(r.Message, row.says)
			if len(r.Filename) > 200 {
				t.Errorf("%s: shown as %q", row.name, r.Filename)
			}
		}
		if !found {
			t.Errorf("%s: nothing says %q: %+v", row.name, row.says, got.Results)
		}
	}
}

// bigBomb stays below the ratio entry by entry, and is more than 64 MB together.
func bigBomb() (files []file) {
	noise := make([]byte, 120<<10)
	for i := range noise {
		noise[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	text := string(noise) + strings.Repeat("0", 10<<20)
	for i := range 10 {
		files = append(files, file{fmt.Sprintf("%d.json", i), text})
	}
	return files
}

// lying is an archive whose second entry says that it unpacks to a few bytes.
func lying(t testing.TB, good file, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	enter(t, z, deflated(t, good.text), zip.FileHeader{Name: good.name, CRC32: crc32.ChecksumIEEE([]byte(good.text)), UncompressedSize64: uint64(len(good.text))})
	enter(t, z, deflated(t, text), zip.FileHeader{Name: name, CRC32: crc32.ChecksumIEEE([]byte("x")), UncompressedSize64: 10})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// marked is an archive whose second entry would be a credential but for what its header says.
func marked(t testing.TB, good file, h zip.FileHeader) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	enter(t, z, deflated(t, good.text), zip.FileHeader{Name: good.name, CRC32: crc32.ChecksumIEEE([]byte(good.text)), UncompressedSize64: uint64(len(good.text))})
	text := account(2)
	h.CRC32, h.UncompressedSize64 = crc32.ChecksumIEEE([]byte(text)), uint64(len(text))
	enter(t, z, deflated(t, text), h)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Archives that are refused cost work all the same: what a request may let be unpacked is bounded, however
// many bombs it brings.
func TestWorkForBombsIsBounded(t *testing.T) {
	in := &intake{left: maxTexts, work: 3 << 20}
	one := archive(t, file{"a.json", strings.Repeat("0", 2<<20)}) // more than 100 times its size
	for range 4 {
		in.archive("bomb.zip", []byte(one))
	}
	if in.work < 0 || in.work > 3<<20-4*(64<<10) {
		t.Errorf("%d bytes of work are left", in.work)
	}
	in.work = 10 // next to nothing is left, then an honest archive is not unpacked either
	in.archive("good.zip", []byte(archive(t, file{"good.json", account(1)})))
	if last := in.rows[len(in.rows)-1]; last.offer != nil || last.why == "" {
		t.Errorf("%+v", last)
	}
}

func TestUploadOfTooManyFiles(t *testing.T) {
	app, p, _ := panelWith(t, pool.Options{})
	var files []file
	for i := range maxFiles + 1 {
		files = append(files, file{fmt.Sprintf("%d.json", i), account(i)})
	}
	if status, got := send(t, app, files...); status != 400 || !strings.Contains(got.Detail, "more than 100 files") || len(p.Status()) != 0 {
		t.Errorf("%d %+v, %d credentials", status, got, len(p.Status()))
	}
	if status, got := send(t, app, files[:maxFiles]...); status != 200 || got.Good != maxFiles || got.Message != "100/100" {
		t.Errorf("%d %+v", status, got)
	}
}

func TestUploadThatIsNone(t *testing.T) {
	app, _, _ := panelWith(t, pool.Options{})
	whole, kind := form(file{"a.json", account(1)})
	for _, row := range []struct{ body, kind string }{
		{"{}", "application/json"}, {"", ""}, {"x", "multipart/form-data"}, {"", kind}, {whole.String()[:60], kind}, {whole.String()[:whole.Len()-60], kind},
	} {
		if status, got := ask(t, app, "POST", "/auth/upload", strings.NewReader(row.body), row.kind); status != 400 || !strings.Contains(string(got), `"detail"`) {
			t.Errorf("%q: %d %s", row.body, status, got)
		}
	}
}

func TestAdd(t *testing.T) {
	app, p, dir := panelWith(t, pool.Options{Settings: pool.Settings{APIKeys: []string{"AIza-settings"}}})
	add := func(body string) (int, uploaded) {
		status, got := ask(t, app, "POST", "/creds/add", strings.NewReader(body), "application/json")
		var u uploaded
		if err := json.Unmarshal(got, &u); err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		if strings.Contains(string(got), "AIza") || strings.Contains(string(got), "1//") {
			t.Errorf("a secret: %s", got)
		}
		return status, u
	}
	if status, got := add(`{"type":"gemini_api_key","api_key":"AIza-one","label":"mine"}`); status != 200 || got.Good != 1 || !strings.HasPrefix(got.Results[0].Filename, "gemini-key-") {
		t.Errorf("%d %+v", status, got)
	}
	status, got := add(`[{"type":"gemini_api_key","api_key":"AIza-one","label":"mine"},{"type":"gemini_api_key","api_key":"AIza-settings"},` + account(3) + `,7]`)
	if status != 200 || got.Good != 3 || got.Total != 4 || len(got.Results[0].Warnings) != 1 || got.Results[3].Status != "error" || !strings.HasPrefix(got.Results[2].Filename, "proj-3-") {
		t.Errorf("%d %+v", status, got)
	}
	if n := len(p.Status()); n != 3 {
		t.Errorf("%d credentials", n)
	}
	if names := strings.Fields(filesOf(t, dir)); len(names) != 2 {
		t.Errorf("%v", names)
	}
	// The same text is a key of Google AI Studio and one of Vertex AI: two credentials.
	if status, got := add(`{"type":"vertex_express_key","api_key":"AIza-one"}`); status != 200 || !strings.HasPrefix(got.Results[0].Filename, "vertex-key-") || len(p.Status()) != 4 {
		t.Errorf("%d %+v", status, got)
	}
	for _, bad := range []string{"", "[]", "{", `"x"`, "AIza-one"} {
		if status, got := add(bad); status != 400 || got.Detail == "" {
			t.Errorf("%q: %d %+v", bad, status, got)
		}
	}
}

// Import of 1,000 files has three seconds, and one upload is a ZIP of as many.
func BenchmarkUpload1000(b *testing.B) {
	var files []file
	for i := range 1000 {
		files = append(files, file{fmt.Sprintf("%d.json", i), account(i)})
	}
	data := archive(b, files...)
	for b.Loop() {
		b.StopTimer()
		app, _, _ := panelWith(b, pool.Options{Dir: filepath.Join(b.TempDir(), "creds")})
		b.StartTimer()
		if status, got := send(b, app, file{"all.zip", data}); status != 200 || got.Good != 1000 {
			b.Fatalf("%d, %d good", status, got.Good)
		}
	}
}

// FuzzArchive: whatever bytes come, no panic, nothing beyond the limits, no name with a path.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(archive(f, file{"a.json", account(1)}, file{"../b.json", account(2)}, file{"d/", ""})))
	f.Add([]byte(archive(f, file{"a.json", strings.Repeat("0", 1<<20)})))
	f.Add([]byte(archive(f, file{"a.json", ""})[:40]))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &intake{left: maxTexts, work: maxWork}
		in.archive("a.zip", data)
		if len(in.rows) == 0 || in.left < 0 || in.left > maxTexts {
			t.Fatalf("%d rows, %d left", len(in.rows), in.left)
		}
		kept := 0
		for _, r := range in.rows {
			kept += len(r.offer)
			if r.offer != nil && strings.ContainsAny(r.name, `/\`) || r.offer == nil && r.why == "" {
				t.Fatalf("%q %q", r.name, r.why)
			}
		}
		if kept > move.MaxRatio*len(data)+move.RatioFrom {
			t.Fatalf("%d bytes of %d", kept, len(data))
		}
	})
}

// FuzzForm does the same with a whole form.
func FuzzForm(f *testing.F) {
	body, kind := form(file{"a.json", account(1)}, file{"b.zip", archive(f, file{"c.json", account(2)})}, file{"../d.json", "x"})
	f.Add(strings.TrimPrefix(kind, "multipart/form-data; boundary="), body.Bytes())
	f.Add("x", []byte("--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.json\"\r\n\r\n{}\r\n--x--"))
	f.Fuzz(func(t *testing.T, boundary string, data []byte) {
		if boundary == "" {
			return
		}
		in := &intake{left: maxTexts, work: maxWork}
		if in.form(multipart.NewReader(bytes.NewReader(data), boundary)) == nil && len(in.rows) > 0 {
			for _, r := range in.rows {
				if r.offer == nil && r.why == "" {
					t.Fatalf("%q has no reason", r.name)
				}
			}
		}
	})
}
