package gemini

import "gcli2api/pipeline/apierror"

// TooLarge is why Google would refuse data, after all of it was sent.
const TooLarge = "is larger than the 20 MB that Google takes"

// Refuse is a bad_request that names the member; a too_large when that is why.
func Refuse(param, why string) *apierror.Error {
	code := apierror.BadRequest
	if why == TooLarge {
		code = apierror.TooLarge
	}
	return apierror.New(code, param+" "+why).Naming(param)
}

// Broken is the error for an answer of Google's that cannot be read.
func Broken(cause error) *apierror.Error {
	return apierror.Wrap(apierror.StreamBroken, "Google's answer is not valid JSON", cause)
}
