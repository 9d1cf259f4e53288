package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gcli2api/pipeline/server"
	"gcli2api/store/move"
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// The limits of an upload. Files beyond them are refused alone, while they arrive; a request beyond
// maxUpload is cut off.
const (
	maxFiles  = 100      // in a request
	maxUpload = 1 << 30  // bytes of a request
	maxText   = 16 << 20 // of one credential file, unpacked
	maxTexts  = 64 << 20 // of all together, unpacked
	maxPacked = 64 << 20 // of one archive
	maxWork   = 8 * maxTexts
)

// row is one file of an upload and what becomes of it.
type row struct {
	name  string
	offer []byte // nil where it is refused already
	why   string
}

// intake collects what an upload holds.
type intake struct {
	rows []row
	left int64 // bytes that may still be kept
	work int64 // bytes that may still be unpacked, whatever becomes of them
}

func (in *intake) refuse(name, why string) { in.rows = append(in.rows, row{name: name, why: why}) }

// text keeps a credential file. It is read no further than its limit.
func (in *intake) text(name string, r io.Reader) error {
	limit := min(int64(maxText), in.left)
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	in.left -= min(int64(len(data)), in.left)
	switch {
	case err != nil:
		return err
	case int64(len(data)) > maxText:
		in.refuse(name, fmt.Sprintf("it is larger than %d MB, which no credential file is", maxText>>20))
	case int64(len(data)) > limit:
		in.refuse(name, tooMuch())
	default:
		in.rows = append(in.rows, row{name: name, offer: data})
	}
	return nil
}

func tooMuch() string {
	return fmt.Sprintf("the files of the request hold more than %d MB together: upload them in parts", maxTexts>>20)
}

// upload takes files and archives in (behaviour 1.5.1). Each file stands for itself.
func (s Services) upload(c *fiber.Ctx) error {
	kind, params, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return refuse(c, fiber.StatusBadRequest, `the body must be multipart/form-data with the files in the field "files"`)
	}
	if !s.enter() {
		c.Set(fiber.HeaderRetryAfter, "5")
		return refuse(c, fiber.StatusServiceUnavailable, "other uploads are under way; try again")
	}
	defer s.leave()
	body, err := server.OpenUpload(c.Context(), maxUpload)
	if err != nil {
		return notTaken(c, err, maxUpload)
	}
	defer body.Close()
	in := &intake{left: maxTexts, work: maxWork}
	if err := in.form(multipart.NewReader(body, params["boundary"])); err != nil {
		return notTaken(c, err, maxUpload)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 4<<10)) // what may stand behind the last boundary
	if len(in.rows) == 0 {
		return refuse(c, fiber.StatusBadRequest, `there is no file in the form: send the files in the field "files"`)
	}
	return s.importRows(c, in.rows)
}

// uploadsAtOnce bounds what uploads hold in memory together; uploadWait is how long one waits for its
// turn.
const (
	uploadsAtOnce = 2
	uploadWait    = 20 * time.Second
)

func (s Services) enter() bool {
	t := time.NewTimer(uploadWait)
	defer t.Stop()
	select {
	case s.uploads <- struct{}{}:
		return true
	case <-t.C:
		return false
	}
}

func (s Services) leave() { <-s.uploads }

var errTooMany = fmt.Errorf("more than %d files in one request: upload them in parts, or as a ZIP", maxFiles)

// notTaken answers a request that could not be read to its end. Nothing of it was imported.
func notTaken(c *fiber.Ctx, err error, limit int) error {
	switch {
	case errors.Is(err, server.ErrUploadTooLarge):
		return refuse(c, fiber.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d MB; nothing was imported", limit>>20))
	case errors.Is(err, server.ErrUploadCoding), errors.Is(err, errTooMany):
		return refuse(c, fiber.StatusBadRequest, err.Error()+"; nothing was imported")
	}
	return refuse(c, fiber.StatusBadRequest, "the form could not be read to its end; nothing was imported")
}

// form reads the parts of a form as they arrive.
func (in *intake) form(parts *multipart.Reader) error {
	for n := 0; ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if _, file := params["filename"]; !file && err == nil {
			continue // a field of the form
		}
		if n++; n > maxFiles {
			return errTooMany
		}
		if err != nil {
			in.refuse("?", "its name cannot be read")
			continue
		}
		if err := in.file(params["filename"], part); err != nil {
			return err
		}
	}
}

// file takes one file of a form. The error is that of the connection.
func (in *intake) file(given string, r io.Reader) error {
	name, why := move.FlatName(given)
	switch {
	case why != "":
		in.refuse(shown(given), why)
	case strings.EqualFold(path.Ext(name), ".zip"):
		data, err := io.ReadAll(io.LimitReader(r, maxPacked+1))
		switch {
		case err != nil:
			return err
		case len(data) > maxPacked:
			in.refuse(name, fmt.Sprintf("the archive is larger than %d MB", maxPacked>>20))
		default:
			in.archive(name, data)
		}
	case !credentialFile(name):
		in.refuse(name, "only .json and .zip files are taken, and .jsonl and .ndjson")
	default:
		if err := in.text(name, r); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, r) // what was refused while it arrived
	return err
}

func credentialFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".jsonl", ".ndjson":
		return true
	}
	return false
}

// shown is a name that was refused, cut to what can be shown.
func shown(name string) string {
	name = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, name), "?")
	if utf8.RuneCountInString(name) > 100 {
		name = string([]rune(name)[:100]) + "..."
	}
	return name
}

// verdict is the answer for one file (behaviour 1.5.1).
type verdict struct {
	Filename string   `json:"filename"`
	Status   string   `json:"status"` // success or error
	Message  string   `json:"message"`
	StoredAs string   `json:"stored_as,omitempty"` // where that is another name
	IDs      []string `json:"credentials,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// importRows hands the files to the pool and answers.
func (s Services) importRows(c *fiber.Ctx, rows []row) error {
	var offers []pool.Offer
	for _, r := range rows {
		if r.offer != nil {
			offers = append(offers, pool.Offer{Name: r.name, Data: r.offer})
		}
	}
	came := s.Pool.ImportAll(offers)
	results, good := make([]verdict, 0, len(rows)), 0
	gone := slices.ContainsFunc(came, func(in pool.Imported) bool { return errors.Is(in.Err, pool.ErrAway) })
	for i, r := range rows {
		v := verdict{Filename: shown(r.name), Status: "error", Message: r.why}
		if r.offer != nil {
			v.take(came[0])
			came = came[1:]
		}
		if v.Filename == "" {
			v.Filename = fmt.Sprintf("#%d", i+1)
		}
		if v.Status == "success" {
			good++
		}
		results = append(results, v)
	}
	s.changes(c, several(filenames(results)), nil, map[string]any{"taken": taken(results), "refused": len(rows) - good})
	answer := fiber.Map{"uploaded_count": good, "total_count": len(rows), "message": fmt.Sprintf("%d/%d", good, len(rows)), "results": results}
	if good == 0 {
		answer["detail"] = "nothing could be imported: results says why"
		if gone {
			c.Set(fiber.HeaderRetryAfter, awayFor)
			return c.Status(fiber.StatusServiceUnavailable).JSON(answer)
		}
		return c.Status(fiber.StatusBadRequest).JSON(answer)
	}
	return c.JSON(answer)
}

// take says what the pool made of a file.
func (v *verdict) take(in pool.Imported) {
	v.Warnings = in.Warnings
	if in.Err != nil {
		v.Message = in.Err.Error()
		return
	}
	v.Status, v.Message, v.IDs = "success", "ok", in.IDs
	if v.Filename == "" {
		v.Filename = in.File
	} else if in.File != v.Filename {
		v.StoredAs = in.File
	}
	switch {
	case len(in.Replaced) > 0:
		v.Message = "replaces the sign-in that was there: " + strings.Join(in.Replaced, ", ")
	case len(in.Kept) == len(in.IDs) && len(in.Warnings) > 0:
		v.Message = in.Warnings[len(in.Warnings)-1]
	}
}

// add takes one credential or a list in as a body of JSON, each named after what is in it.
func (s Services) add(c *fiber.Ctx) error {
	body, err := server.OpenUpload(c.Context(), maxText)
	if err != nil {
		return notTaken(c, err, maxText)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return notTaken(c, err, maxText)
	}
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		list = []json.RawMessage{data}
	}
	if len(list) == 0 || !json.Valid(data) {
		return refuse(c, fiber.StatusBadRequest, `the body must be a credential as a JSON object, such as {"type": "gemini_api_key", "api_key": "..."}, or a list of such`)
	}
	rows := make([]row, len(list))
	for i, one := range list {
		rows[i].offer = one
	}
	return s.importRows(c, rows)
}
