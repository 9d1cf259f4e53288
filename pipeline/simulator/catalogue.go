package simulator

import (
	"net/http"
	"strings"
	"time"
)

// errorNames lists the error faults; see catalogue for what each one is.
func errorNames() []string {
	return []string{
		"400", "400-signature", "400-location", "400-key", "400-key-expired", "400-tokens", "401", "402", "403", "403-forbidden",
		"403-validation", "403-tos", "403-tos-text", "403-service-disabled", "403-service-disabled-text", "403-license", "403-named-user", "403-consumer", "403-scope",
		"403-security", "403-billing", "403-suspended", "403-suspended-text", "403-leaked", "403-key-blocked", "403-traffic",
		"404", "404-html", "408", "429-traffic", "429 [dur]", "429-reset <dur>", "429-quota [dur]", "429-capacity", "429-bare", "429-perminute", "429-perminute-text", "429-perday",
		"429-perday-text", "429-shared",
		"429-credits", "429-limit0", "429-noretry", "499", "500", "502-html", "503", "503-capacity", "503-unavailable", "504",
	}
}

// catalogue gives the error of a name in the shape that the back end gives it (protocol 4.2 to 4.7); nil means no such name.
func (s *Server) catalogue(name string, d dialect, model string, wait time.Duration) *failure {
	if len(name) >= 3 && name[:3] == "429" {
		return s.tooMany(name, d, model, wait)
	}
	if len(name) >= 3 && name[:3] == "403" {
		return s.denied(name)
	}
	plain := func(status int, message, legacy string) *failure {
		return &failure{status: status, message: message, legacy: legacy}
	}
	switch name {
	case "400":
		return badRequest("Request contains an invalid argument.")
	case "400-signature":
		return badRequest("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.")
	case "400-location":
		return precondition("User location is not supported for the API use.")
	case "400-key":
		return invalidKey("generativelanguage.googleapis.com")
	case "400-key-expired":
		return badRequest("API key expired. Please renew the API key.")
	case "402":
		return plain(402, "Payment is required.", "")
	case "404-html":
		return htmlPage(http.StatusNotFound, "The requested URL was not found on this server.")
	case "408":
		return plain(408, "Request timed out.", "")
	case "503-unavailable":
		return plain(503, "The service is currently unavailable.", "backendError")
	case "400-tokens":
		return badRequest("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")
	case "401":
		return unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED", "cloudcode-pa.googleapis.com")
	case "404":
		return unknownModel(d, model, "generateContent")
	case "499":
		return plain(499, "The operation was cancelled.", "")
	case "500":
		return plain(500, "Internal error encountered.", "backendError")
	case "502-html":
		return htmlPage(http.StatusBadGateway, "The server encountered a temporary error and could not complete your request.")
	case "503":
		return plain(503, "The model is overloaded. Please try again later.", "backendError")
	case "503-capacity":
		f := plain(503, "No capacity available for model "+model+" on the server", "")
		f.details = []any{errorInfo("MODEL_CAPACITY_EXHAUSTED", "cloudcode-pa.googleapis.com", object{"model": model}), retryInfo(9 * time.Second)}
		return f
	case "504":
		return plain(504, "Deadline expired before operation could complete.", "")
	}
	return nil
}

func retryInfo(d time.Duration) object {
	return object{"@type": rpcType("RetryInfo"), "retryDelay": seconds(d)}
}

// denied lists the 403s of protocol 4.4.
func (s *Server) denied(name string) *failure {
	const cloudcode = "cloudcode-pa.googleapis.com"
	switch name {
	case "403":
		return &failure{status: 403, message: "The caller does not have permission", legacy: "forbidden"}
	case "403-forbidden":
		return &failure{status: 403, message: "Forbidden", legacy: "forbidden"}
	case "403-traffic":
		return traffic(403)
	case "403-tos-text":
		return forbidden("This service has been disabled in this account for violation of Terms of Service. Please submit an appeal to continue using this product.")
	case "403-named-user":
		return forbidden("You must be a named user on your organization's Gemini Code Assist Standard edition subscription to use this service.")
	case "403-suspended-text":
		return forbidden("Permission denied: Consumer 'projects/simulated-project' has been suspended.")
	case "403-key-blocked":
		return forbidden("Requests to this API are blocked.", errorInfo("API_KEY_SERVICE_BLOCKED", "googleapis.com", object{"service": "generativelanguage.googleapis.com"}))
	case "403-validation":
		link := "https://accounts.google.com/signin/continue?sarp=1&plt=simulated"
		learn := "https://support.google.com/accounts?p=al_alert"
		return forbidden("Verify your account to continue.", errorInfo("VALIDATION_REQUIRED", cloudcode, object{
			"validation_url": link, "validation_url_link_text": "Verify your account",
			"validation_error_message": "Verify your account to continue.", "validation_learn_more_url": learn,
		}), helpLinks("Complete validation", link, "Learn more", learn))
	case "403-tos":
		return forbidden("This service has been disabled in this account for violation of Terms of Service. Please submit an appeal to continue using this product.",
			errorInfo("TOS_VIOLATION", cloudcode, object{"appeal_url": "https://forms.gle/simulated", "appeal_url_link_text": "Appeal"}))
	case "403-service-disabled":
		return serviceDisabled("cloudaicompanion.googleapis.com", "Gemini for Google Cloud API", "simulated-project")
	case "403-service-disabled-text":
		return forbidden("Gemini for Google Cloud API has not been used in project simulated-project before or it is disabled. Enable it by visiting its page, then retry.")
	case "403-license":
		return forbidden("You are currently configured to use a Google Cloud Project but lack a Gemini Code Assist license. (#3501)",
			errorInfo("SUBSCRIPTION_REQUIRED", "cloudaicompanion.googleapis.com", nil))
	case "403-consumer":
		return forbidden("Permission denied on resource project simulated-project.",
			errorInfo("CONSUMER_INVALID", "googleapis.com", object{"consumer": "projects/simulated-project", "service": cloudcode}))
	case "403-scope":
		return forbidden("Request had insufficient authentication scopes.",
			errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", object{"service": cloudcode}))
	case "403-security":
		return forbidden("Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: simulated",
			errorInfo("SECURITY_POLICY_VIOLATED", "googleapis.com", object{"uid": "simulated"}))
	case "403-billing":
		return forbidden("This API method requires billing to be enabled.",
			errorInfo("BILLING_DISABLED", "googleapis.com", object{"consumer": "projects/simulated-project", "service": cloudcode}))
	case "403-suspended":
		return forbidden("Permission denied: Consumer 'projects/simulated-project' has been suspended.",
			errorInfo("CONSUMER_SUSPENDED", "googleapis.com", object{"consumer": "projects/simulated-project", "service": cloudcode}))
	case "403-leaked":
		return forbidden("Your API key was reported as leaked. Please use another API key.")
	}
	return nil
}

// tooMany lists the 429s of protocol 4.6, by their letters there.
func (s *Server) tooMany(name string, d dialect, model string, wait time.Duration) *failure {
	if wait == 0 {
		wait = 539477544 * time.Nanosecond
		if name == "429-quota" {
			wait = 13*time.Hour + 19*time.Minute + 1209649640*time.Nanosecond
		}
	}
	switch name {
	case "429-traffic":
		return traffic(http.StatusTooManyRequests)
	case "429-perminute-text", "429-perday-text": // D, as it was seen at times
		f := s.tooMany(strings.TrimSuffix(name, "-text"), assist, model, wait)
		f.details = nil
		return f
	}
	if d == vertex && name == "429" { // there it is mostly the capacity that all share, without a time of a reset
		name = "429-shared"
	}
	if d != assist {
		switch name {
		case "429", "429-reset", "429-perminute":
			return studioQuota(model, "Minute", "10", wait)
		case "429-quota", "429-perday":
			return studioQuota(model, "Day", "250", wait)
		}
	}
	f := &failure{status: http.StatusTooManyRequests}
	switch name {
	case "429", "429-reset", "429-quota", "429-noretry": // A, B
		s.exhausted(f, name, model, wait)
	case "429-capacity": // C
		f.message = "No capacity available for model " + model + " on the server"
		f.details = []any{errorInfo("MODEL_CAPACITY_EXHAUSTED", "cloudcode-pa.googleapis.com", object{"model": model})}
	case "429-perminute": // D
		oldQuota(f, "Gemini25ProRequestsPerMinutePerUserPerTier", "Gemini 2.5 Pro Requests per minute per user per tier")
	case "429-perday":
		oldQuota(f, "Gemini25ProRequestsPerDayPerUserPerTier", "Gemini 2.5 Pro Requests per day per user per tier")
	case "429-bare": // E
		f.message, f.legacy = "Resource has been exhausted (e.g. check quota).", "rateLimitExceeded"
	case "429-shared": // F
		f.message = "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
	case "429-credits": // G
		f.message = "Insufficient AI credits."
		f.details = []any{errorInfo("INSUFFICIENT_G1_CREDITS_BALANCE", "cloudcode-pa.googleapis.com", nil)}
	case "429-limit0": // I
		return studioQuota(model, "Day", "0", wait)
	default:
		return nil
	}
	return f
}

// traffic is the page of Google's front end for addresses that it takes for robots.
func traffic(status int) *failure {
	return htmlPage(status, "Our systems have detected unusual traffic from your computer network.")
}

// exhausted is the newer form of Code Assist, with the time of the reset in three places.
func (s *Server) exhausted(f *failure, name, model string, wait time.Duration) {
	reason := "RATE_LIMIT_EXCEEDED"
	if name == "429-quota" {
		reason = "QUOTA_EXHAUSTED"
	}
	f.message = "You have exhausted your capacity on this model. Your quota will reset after " + wait.Truncate(time.Second).String() + "."
	f.legacy = "rateLimitExceeded"
	f.details = []any{errorInfo(reason, "cloudcode-pa.googleapis.com", object{
		"uiMessage": "true", "model": model, "quotaResetDelay": wait.String(),
		"quotaResetTimeStamp": s.opts.Now().Add(wait).UTC().Format(time.RFC3339),
	})}
	if name != "429-noretry" {
		f.details = append(f.details, retryInfo(wait))
	}
}

// oldQuota is the older form of Code Assist, which names a limit and no time.
func oldQuota(f *failure, limit, words string) {
	f.message = "Quota exceeded for quota metric 'Gemini 2.5 Pro Requests' and limit '" + words +
		"' of service 'cloudcode-pa.googleapis.com' for consumer 'project_number:000000000000'."
	f.legacy = "rateLimitExceeded"
	f.details = []any{errorInfo("RATE_LIMIT_EXCEEDED", "googleapis.com", object{
		"quota_metric": "cloudcode-pa.googleapis.com/gemini_2_5_pro_requests", "quota_limit": limit, "quota_location": "global",
		"consumer": "projects/000000000000", "service": "cloudcode-pa.googleapis.com",
	})}
}

// studioQuota is variant H; a limit of 0 makes it variant I.
func studioQuota(model, per, limit string, wait time.Duration) *failure {
	metric := "generativelanguage.googleapis.com/generate_content_free_tier_requests"
	return &failure{status: http.StatusTooManyRequests,
		message: "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: " +
			metric + ", limit: " + limit + ", model: " + model + "\nPlease retry in " + seconds(wait) + ".",
		details: []any{
			helpLinks("Learn more about Gemini API quotas", "https://ai.google.dev/gemini-api/docs/rate-limits"),
			object{"@type": rpcType("QuotaFailure"), "violations": []object{{"quotaMetric": metric,
				"quotaId":         "GenerateRequestsPer" + per + "PerProjectPerModel-FreeTier",
				"quotaDimensions": object{"location": "global", "model": model}, "quotaValue": limit}}},
			retryInfo(wait.Round(time.Second)),
		}}
}
