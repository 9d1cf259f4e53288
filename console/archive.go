package console

import (
	"archive/zip"
	"errors"
	"fmt"

	"gcli2api/store/move"
)

// maxEntries is how many credential files may be in an archive.
const maxEntries = 1000

// archive takes the credential files out of a ZIP. An entry that is refused costs no other; a bomb
// costs the whole archive.
func (in *intake) archive(name string, data []byte) {
	files, err := move.ZIP(data, maxEntries)
	if err != nil {
		in.refuse(name, err.Error())
		return
	}
	before, left := len(in.rows), in.left
	budget := min(left, move.MaxRatio*int64(len(data))+move.RatioFrom, in.work)
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
		in.refuse(name, fmt.Sprintf("the archive unpacks to more than %d times its size, or the request to more than %d MB together", move.MaxRatio, maxTexts>>20))
	}
	in.left = left
	for _, r := range in.rows[before:] {
		in.left -= int64(len(r.offer))
	}
}

// entry takes one file of an archive.
func (in *intake) entry(archive string, f *zip.File) {
	label := archive + "/" + shown(move.EntryName(f))
	name, r, err := move.Entry(f, func(name string) error {
		if !credentialFile(name) {
			return errors.New("only .json files are taken out of an archive")
		}
		return nil
	})
	if err != nil {
		in.refuse(label, err.Error())
		return
	}
	defer r.Close()
	switch err := in.text(name, r); {
	case errors.Is(err, move.ErrRatio):
		in.refuse(label, err.Error())
	case err != nil:
		in.refuse(label, "it is damaged")
	}
}
