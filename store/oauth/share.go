package oauth

import "unique"

// share lets credentials have one copy of what nearly all of them say: thousands were made with the
// same client and for the same permissions.
func (c *Credential) share() {
	for _, text := range []*string{&c.ClientID, &c.ClientSecret, &c.TokenURI} {
		*text = unique.Make(*text).Value()
	}
	for i, scope := range c.Scopes {
		c.Scopes[i] = unique.Make(scope).Value()
	}
}
