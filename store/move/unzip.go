package move

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// The limits of a ZIP archive, held while it is unpacked: what its headers say of sizes is not believed.
const (
	MaxRatio  = 100      // unpacked to packed
	RatioFrom = 64 << 10 // bytes that an entry may have in any case
	listed    = 8        // entries for each file: folders and what other systems add
)

// ErrRatio is of an entry that unpacks to too much.
var ErrRatio = fmt.Errorf("it unpacks to more than %d times its size", MaxRatio)

// ZIP gives the files of an archive that a stranger may have made: at most so many. The error says why it is
// refused as a whole.
func ZIP(data []byte, most int) ([]*zip.File, error) {
	many := fmt.Errorf("the archive has more than %d entries", most)
	// Every entry of the directory costs the reader memory before anybody can count them.
	if bytes.Count(data, []byte("PK\x01\x02")) > listed*most {
		return nil, many
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, errors.New("it is no ZIP archive, or a damaged one")
	}
	var files []*zip.File
	for _, f := range z.File {
		if !f.FileInfo().IsDir() && !strings.HasPrefix(f.Name, "__MACOSX/") && path.Base(f.Name) != ".DS_Store" {
			files = append(files, f)
		}
	}
	switch {
	case len(files) > most:
		return nil, many
	case len(files) == 0:
		return nil, errors.New("there is no file in the archive")
	}
	return files, nil
}

// Entry opens a file of an archive. name is that without its folders. A reader that goes beyond what the
// file may unpack to fails with ErrRatio.
func Entry(f *zip.File, wanted func(name string) error) (name string, r io.ReadCloser, err error) {
	name, why := FlatName(EntryName(f))
	switch {
	case why != "":
		err = errors.New(why)
	case f.Flags&1 != 0:
		err = errors.New("it is encrypted")
	case !f.Mode().IsRegular():
		err = errors.New("it is no file")
	case strings.EqualFold(path.Ext(name), ".zip"):
		err = errors.New("it is an archive in an archive")
	default:
		err = wanted(name)
	}
	if err != nil {
		return name, nil, err
	}
	plain, err := f.Open()
	if err != nil {
		return name, nil, errors.New("it is packed in a way that is not supported")
	}
	return name, &ratio{src: plain, packed: int64(f.CompressedSize64)}, nil
}

// EntryName is the name of an entry as text.
func EntryName(f *zip.File) string {
	if f.NonUTF8 {
		return strings.ToValidUTF8(f.Name, "_")
	}
	return f.Name
}

// ratio is an entry that is held to its share while it is unpacked. A false size in the header does
// not help it: no more is read of the archive than that.
type ratio struct {
	src    io.ReadCloser
	packed int64
	got    int64
}

func (r *ratio) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	if r.got += int64(n); r.got > max(MaxRatio*r.packed, RatioFrom) {
		return n, ErrRatio
	}
	return n, err
}

func (r *ratio) Close() error { return r.src.Close() }

// FlatName is the name of a file without its folders; why tells what is wrong with the path.
func FlatName(given string) (name, why string) {
	switch {
	case given == "":
		return "", "it has no name"
	case strings.ContainsRune(given, 0):
		return "", "there is a NUL in its name"
	case strings.Contains(given, `\`) || len(given) > 1 && given[1] == ':':
		return "", "its name is a path of Windows: a name or a path with slashes is taken"
	case strings.HasPrefix(given, "/"):
		return "", "its name is an absolute path"
	}
	for part := range strings.SplitSeq(given, "/") {
		if part == ".." {
			return "", `there is ".." in its name`
		}
		name = part
	}
	return name, ""
}

const (
	maxOldPacked  = 256 << 20 // bytes of an archive
	maxOldEntries = 100_000   // files in it
)

// archive reads the files of a ZIP that the old product's panel made, or somebody out of its folder. Two of
// the same name in different folders both count.
func (f *found) archive(path string) (map[string][]byte, error) {
	data, err := readUpTo(path, maxOldPacked)
	if err != nil {
		return nil, err
	}
	all, err := ZIP(data, maxOldEntries)
	if err != nil {
		return nil, err
	}
	files, left := map[string][]byte{}, min(int64(maxOldPlace), MaxRatio*int64(len(data))+RatioFrom)
	for _, z := range all {
		name, body, err := oldMember(z, left)
		if errors.Is(err, errRoom) {
			return nil, fmt.Errorf("it unpacks to more than %d times its size, or to more than %d MB", MaxRatio, maxOldPlace>>20)
		}
		if err != nil {
			f.wrong.Credentials.leave(EntryName(z), err)
			continue
		}
		left -= int64(len(body))
		files[free(files, name)] = body
	}
	return files, nil
}

// errRoom is when an archive as a whole has unpacked to too much.
var errRoom = errors.New("no room is left")

// oldMember unpacks a file.
func oldMember(z *zip.File, left int64) (string, []byte, error) {
	name, r, err := Entry(z, func(name string) error {
		if !isOldFile(name) {
			return errors.New("it is no file of the old product")
		}
		return nil
	})
	if err != nil {
		return name, nil, err
	}
	defer r.Close()
	most := min(maxFile, left)
	body, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case errors.Is(err, ErrRatio):
		return name, nil, err
	case err != nil:
		return name, nil, errors.New("it is damaged")
	case int64(len(body)) > most && most == left:
		return name, nil, errRoom
	case int64(len(body)) > most:
		return name, nil, errors.New("it is larger than 16 megabytes")
	}
	return name, body, nil
}

// free is a name that no file has yet.
func free(files map[string][]byte, name string) string {
	ext := path.Ext(name)
	try := name
	for n := 2; files[try] != nil; n++ {
		try = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), n, ext)
	}
	return try
}
