package apikey

import (
	"context"

	"gcli2api/pipeline/apierror"
)

// windows holds the limits of keys that are not money: requests and tokens a minute, requests at a time.
type windows struct{}

// pass is the place of one request in them.
type pass struct{}

// enter lets a request in, or says which limit it is beyond and when to come back. Nothing is taken then.
func (w *windows) enter(context.Context, *Key, Tokens) (*pass, *apierror.Error) { return &pass{}, nil }

// drop takes back all that enter took: the request was refused for another reason.
func (p *pass) drop() {}

// leave ends the request with what it came to.
func (p *pass) leave(Tokens) {}

// tell gives the response headers that tell clients how near to the limits they are.
func (p *pass) tell(func(name, value string)) {}
