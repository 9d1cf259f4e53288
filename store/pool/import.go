package pool

import (
	"errors"
	"fmt"
	"path/filepath"

	"gcli2api/store/oauth"
)

// Offer is a text with credentials that somebody hands in: an upload, a form, a sign-in.
type Offer struct {
	Name string // of the file that it becomes; its folder does not count
	Data []byte // in any layout that oauth.Parse reads
}

// Imported says what became of an offer.
type Imported struct {
	File     string   // name in the folder
	IDs      []string // of the credentials in it, in order
	Warnings []string // what was odd about it, without a secret
}

// Import takes an offer into the folder and into rotation. It is the one door for whatever does not
// come as a file or variable. When it returns without an error the file is durable and its
// credentials are lent from now on; the error says, without a secret, why nothing was taken.
func (p *Pool) Import(o Offer) (Imported, error) {
	name := filepath.Base(filepath.ToSlash(o.Name))
	if p.dir == "" {
		return Imported{}, errors.New("this gateway has no credentials folder")
	}
	if !holdsCredentials(name) || name == oldCreds {
		return Imported{}, errors.New("the name of a credential file must end in .json")
	}
	p.disk.Lock()
	defer p.disk.Unlock()
	sheet, err := oauth.Parse(name, o.Data, p.rules)
	if err != nil {
		return Imported{}, err
	}
	if err := write(filepath.Join(p.dir, name), o.Data); err != nil {
		return Imported{}, fmt.Errorf("keep the file: %w", err)
	}
	p.scan(true)
	in := Imported{File: name, Warnings: sheet.Warnings}
	for _, item := range sheet.Items {
		for _, c := range item.Creds {
			in.IDs = append(in.IDs, c.ID)
		}
	}
	return in, nil
}
