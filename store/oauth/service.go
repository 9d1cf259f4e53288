package oauth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// service reads the key file of a service account as the Google Cloud console gives it out.
func (p *parser) service() (Credential, error) {
	top := p.top
	c := Credential{
		ID: p.id, Kind: Vertex, Label: top.text("label"), Email: top.text("client_email"),
		ProjectID: first(top.text("project_id"), top.text("projectId"), top.text("quota_project_id")),
		KeyID:     top.text("private_key_id"), TokenURI: top.text("token_uri"),
	}
	if err := universe(top.text("universe_domain")); err != nil {
		return c, err
	}
	if err := p.rules.tokenURI(c.TokenURI); err != nil {
		return c, err
	}
	switch {
	case c.Email == "":
		return c, errors.New(`"client_email" is missing`)
	case !strings.Contains(c.Email, "@") || !plain(c.Email):
		return c, errors.New(`"client_email" is not an e-mail address`)
	case c.ProjectID == "":
		return c, errors.New(`"project_id" is missing: a service account works with the project that its file names`)
	case !plain(c.ProjectID) || strings.ContainsAny(c.ProjectID, ",/") || strings.EqualFold(c.ProjectID, AllProjects):
		return c, errors.New(`"project_id" is not the id of one project`)
	}
	text, err := pemOf(top.text("private_key"))
	if err != nil {
		return c, err
	}
	c.PrivateKey = text
	return c, nil
}

// plain tells a text without spaces, control characters and the like.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// pemOf checks a private key and gives it back in the one way to write it, so that copies of a file
// are known as such.
func pemOf(text string) (string, error) {
	if !strings.Contains(text, "\n") { // escaped twice on its way through a shell or a settings page
		text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", errors.New(`"private_key" is missing`)
	}
	if _, err := privateKey(text); err != nil {
		return "", err
	}
	block, _ := pem.Decode([]byte(text))
	return string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})), nil
}

// leastBits is the shortest key that can be signed with.
const leastBits = 1024

// privateKey reads a key in either of its two forms. No error quotes a byte of it.
func privateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New(`"private_key" is no PEM: it begins with -----BEGIN PRIVATE KEY----- and is copied whole`)
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New(`"private_key" is locked with a passphrase: the file of the Google Cloud console has one without`)
	}
	var k *rsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		is := false
		if k, is = parsed.(*rsa.PrivateKey); !is {
			return nil, errors.New(`"private_key" is not an RSA key`)
		}
	} else if k, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		if _, ec := x509.ParseECPrivateKey(block.Bytes); ec == nil {
			return nil, errors.New(`"private_key" is not an RSA key`)
		}
		return nil, errors.New(`"private_key" is damaged: it is neither PKCS #8 nor PKCS #1`)
	}
	if k.N.BitLen() < leastBits {
		return nil, errors.New(`"private_key" is too short to be one of Google's`)
	}
	return k, nil
}
