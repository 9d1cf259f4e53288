package oauth

import "gcli2api/store/seal"

// altered is a sign-in whose secrets have gone through do, as they do on their way to the store and back.
func (f flow) altered(do func(string) (string, error)) (flow, error) {
	secrets := []*string{&f.Verifier, &f.Code}
	if f.Grant != nil {
		g := *f.Grant
		f.Grant = &g
		secrets = append(secrets, &g.Access, &g.Refresh)
	}
	for _, s := range secrets {
		text, err := do(*s)
		if err != nil {
			return f, err
		}
		*s = text
	}
	return f, nil
}

func (s *SignIns) box() seal.Box { return seal.Box{Ring: s.ring, For: seal.SignIn} }
