package anthropic

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// AppendError appends the error envelope of Anthropic: {"type":"error","error":{"type","message"}}.
// The exchange id stands in a header, so that request_id is left out.
func AppendError(dst []byte, f *apierror.Error) []byte {
	dst = append(append(dst, `{"type":"error","error":{"type":"`...), errorType(f.Status)...)
	message := f.Message
	if f.Code == apierror.ContextLength { // the words that agents look for before they shorten the dialogue
		message = "prompt is too long: " + message
	}
	dst = wire.AppendQuoted(append(dst, `","message":`...), message)
	if f.Param == "thread" { // what Anthropic's tool runners wait for before they go on without
		dst = append(dst, `,"details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}`...)
	}
	return append(dst, "}}"...)
}

// errorType is Anthropic's word for a status.
func errorType(status int) string {
	switch status {
	case 401:
		return "authentication_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 501:
		return "invalid_request_error"
	case 503, 529:
		return "overloaded_error"
	case 504:
		return "timeout_error"
	}
	if status >= 500 || status == 499 {
		return "api_error"
	}
	return "invalid_request_error"
}
