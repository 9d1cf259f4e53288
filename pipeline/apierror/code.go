package apierror

// Code is the stable machine word of an error.
type Code string

// The codes of design section 8.
const (
	BadRequest          Code = "bad_request"
	ContentFilter       Code = "content_filter"          // the prompt was blocked
	ContextLength       Code = "context_length_exceeded" // more tokens than the model reads; agents shorten the dialogue then
	FeatureDisabled     Code = "feature_disabled"
	ConfigInvalid       Code = "config_invalid"
	Unauthorized        Code = "unauthorized"
	Forbidden           Code = "forbidden"
	ModelNotFound       Code = "model_not_found"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	Unsupported         Code = "unsupported"
	TooLarge            Code = "too_large"
	ConfigLocked        Code = "config_locked"
	Conflict            Code = "conflict"
	QuotaExhausted      Code = "quota_exhausted"    // of Google
	InsufficientQuota   Code = "insufficient_quota" // of the caller's API key; OpenAI's word, which its clients know
	RateLimited         Code = "rate_limited"
	NoCredential        Code = "no_credential"
	Overloaded          Code = "overloaded" // this gateway is full, not Google
	UpstreamUnavailable Code = "upstream_unavailable"
	UpstreamTimeout     Code = "upstream_timeout"
	EmptyAnswer         Code = "empty_answer"
	StreamBroken        Code = "stream_broken"
	ClientGone          Code = "client_gone"
	Internal            Code = "internal"
)

type row struct {
	status         int
	openai, gemini string
}

func lookup(c Code) row {
	switch c {
	case BadRequest, ContentFilter, ContextLength, FeatureDisabled:
		return row{400, "invalid_request_error", "INVALID_ARGUMENT"}
	case ConfigInvalid:
		return row{422, "invalid_request_error", "INVALID_ARGUMENT"}
	case Unauthorized:
		return row{401, "authentication_error", "UNAUTHENTICATED"}
	case Forbidden:
		return row{403, "permission_error", "PERMISSION_DENIED"}
	case ModelNotFound, NotFound:
		return row{404, "invalid_request_error", "NOT_FOUND"}
	case MethodNotAllowed:
		return row{405, "invalid_request_error", "INVALID_ARGUMENT"}
	case Unsupported:
		return row{501, "invalid_request_error", "UNIMPLEMENTED"}
	case TooLarge:
		return row{413, "invalid_request_error", "INVALID_ARGUMENT"}
	case ConfigLocked, Conflict:
		return row{409, "invalid_request_error", "FAILED_PRECONDITION"}
	case QuotaExhausted, InsufficientQuota:
		return row{429, "insufficient_quota", "RESOURCE_EXHAUSTED"}
	case RateLimited:
		return row{429, "rate_limit_error", "RESOURCE_EXHAUSTED"}
	case NoCredential, Overloaded:
		return row{503, "server_error", "UNAVAILABLE"}
	case UpstreamUnavailable, EmptyAnswer, StreamBroken:
		return row{502, "server_error", "UNAVAILABLE"}
	case UpstreamTimeout:
		return row{504, "server_error", "DEADLINE_EXCEEDED"}
	case ClientGone:
		return row{499, "server_error", "CANCELLED"}
	}
	return row{500, "server_error", "INTERNAL"}
}

func (c Code) status() int { return lookup(c).status }

// OpenAIType is the "type" member of an OpenAI error envelope.
func (c Code) OpenAIType() string { return lookup(c).openai }

// GeminiStatus is the google.rpc status of a Gemini error envelope.
func (c Code) GeminiStatus() string { return lookup(c).gemini }
