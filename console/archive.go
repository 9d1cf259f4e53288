package console

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The limits of an archive, held while it is unpacked: what its headers say of sizes is not believed.
const (
	maxEntries = 1000 // credential files in it
	maxListed  = 8000 // anything in it: folders and what other systems add
	maxRatio   = 100  // unpacked to packed
	ratioFrom  = 64 << 10
)

// archive takes the credential files out of a ZIP. An entry that is refused costs no other; a bomb
// costs the whole archive.
func (in *intake) archive(name string, data []byte) {
	// Every entry of the directory costs the reader memory before anybody can count them.
	if bytes.Count(data, []byte("PK\x01\x02")) > maxListed {
		in.refuse(name, fmt.Sprintf("the archive has more than %d entries", maxEntries))
		return
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		in.refuse(name, "it is no ZIP archive, or a damaged one")
		return
	}
	var files []*zip.File
	for _, f := range z.File {
		if !f.FileInfo().IsDir() && !strings.HasPrefix(f.Name, "__MACOSX/") && path.Base(f.Name) != ".DS_Store" {
			files = append(files, f)
		}
	}
	switch {
	case len(files) > maxEntries:
		in.refuse(name, fmt.Sprintf("the archive has more than %d entries", maxEntries))
		return
	case len(files) == 0:
		in.refuse(name, "there is no file in the archive")
		return
	}
	before, left := len(in.rows), in.left
	budget := min(left, maxRatio*int64(len(data))+ratioFrom, in.work)
	in.left = budget
	for _, f := range files {
		in.entry(name, f)
		if in.left == 0 {
			break
		}
	}
	in.work -= budget - in.left
	if in.left == 0 {
		in.rows = in.rows[:before]
		in.refuse(name, fmt.Sprintf("the archive unpacks to more than %d times its size, or the request to more than %d MB together", maxRatio, maxTexts>>20))
	}
	in.left = left
	for _, r := range in.rows[before:] {
		in.left -= int64(len(r.offer))
	}
}

// entry takes one file of an archive.
func (in *intake) entry(archive string, f *zip.File) {
	given := f.Name
	if f.NonUTF8 {
		given = strings.ToValidUTF8(given, "_")
	}
	name, why := flat(given)
	switch {
	case why != "":
	case f.Flags&1 != 0:
		why = "it is encrypted"
	case !f.Mode().IsRegular():
		why = "it is no file"
	case strings.EqualFold(path.Ext(name), ".zip"):
		why = "it is an archive in an archive"
	case !credentialFile(name):
		why = "only .json files are taken out of an archive"
	}
	label := archive + "/" + shown(given)
	if why != "" {
		in.refuse(label, why)
		return
	}
	r, err := f.Open()
	if err != nil {
		in.refuse(label, "it is packed in a way that is not supported")
		return
	}
	defer r.Close()
	bounded := &ratio{src: r, packed: int64(f.CompressedSize64)}
	switch err := in.text(name, bounded); {
	case errors.Is(err, errRatio):
		in.refuse(label, fmt.Sprintf("it unpacks to more than %d times its size", maxRatio))
	case err != nil:
		in.refuse(label, "it is damaged")
	}
}

var errRatio = errors.New("unpacks to too much")

// ratio is an entry that is held to its share while it is unpacked. A false size in the header does
// not help it: no more is read of the archive than that.
type ratio struct {
	src    io.Reader
	packed int64
	got    int64
}

func (r *ratio) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	if r.got += int64(n); r.got > max(maxRatio*r.packed, ratioFrom) {
		return n, errRatio
	}
	return n, err
}
