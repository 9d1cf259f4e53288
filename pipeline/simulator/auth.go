package simulator

import (
	"net/http"
	"strconv"
	"strings"
)

func number10(n int64) string { return strconv.FormatInt(n, 10) }

// bearer recognises the account of the access token; service names the API in error details.
func (s *Server) bearer(x *exchange, service string) (account, *failure) {
	if service == "" {
		service = "www.googleapis.com"
	}
	header := x.r.Header.Get("Authorization")
	name, isBearer := strings.CutPrefix(header, "Bearer ")
	if x.r.Header.Get("X-Goog-Api-Key") != "" || x.r.URL.Query().Has("key") { // also next to a good token
		return account{}, invalidKey(service)
	}
	if header == "" {
		return account{}, unauthenticated("Request is missing required authentication credential.", "CREDENTIALS_MISSING", service)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[name]
	if !isBearer || !ok || s.accounts[t.email] == nil {
		return account{}, unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED", service)
	}
	x.call.Credential = t.email
	if !s.opts.Now().Before(t.expires) {
		return account{}, unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED", service)
	}
	if service != "www.googleapis.com" && !strings.Contains(t.scope, "cloud-platform") {
		return account{}, forbidden("Request had insufficient authentication scopes.",
			errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", object{"service": service}))
	}
	return *s.accounts[t.email], nil
}

func unauthenticated(text, reason, service string) *failure {
	text += " Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
	return &failure{status: http.StatusUnauthorized, message: text, legacy: "authError",
		details: []any{errorInfo(reason, "googleapis.com", object{"service": service, "method": "google.internal.cloud.code.v1internal.PredictionService"})}}
}

func invalidKey(service string) *failure {
	text := "API key not valid. Please pass a valid API key."
	f := badRequest(text)
	f.details = []any{
		errorInfo("API_KEY_INVALID", "googleapis.com", object{"service": service}),
		object{"@type": rpcType("LocalizedMessage"), "locale": "en-US", "message": text},
	}
	return f
}

// apiKey recognises the API key of a request to AI Studio or Vertex express.
func (s *Server) apiKey(x *exchange, d dialect) (Key, *failure) {
	name := x.r.Header.Get("X-Goog-Api-Key")
	if name == "" {
		name = x.r.URL.Query().Get("key")
	}
	service := "generativelanguage.googleapis.com"
	if d == vertex {
		service = aiplatform
	}
	switch {
	case name == "" && x.r.Header.Get("Authorization") != "":
		return Key{}, forbidden("Request had insufficient authentication scopes.",
			errorInfo("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com", object{"service": service}))
	case name == "":
		return Key{}, forbidden("Method doesn't allow unregistered callers (callers without established identity). " +
			"Please use API Key or other form of API consumer identity to call this API.")
	case x.r.Header.Get("Authorization") != "":
		return Key{}, unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED", service)
	}
	s.mu.Lock()
	k, ok := s.keys[name]
	x.call.Credential = mask(name)
	s.mu.Unlock()
	if !ok || k.Only != "" && k.Only != d.backend() {
		return Key{}, invalidKey(service)
	}
	return k, nil
}

// mayUse checks that a project belongs to the account and that the needed service is enabled there.
func (s *Server) mayUse(x *exchange, a account, project, service string) *failure {
	x.note(func(c *Call) { c.Project = project })
	if user := x.r.Header.Get("X-Goog-User-Project"); user != "" {
		return serviceDisabled("cloudcode-pa.googleapis.com", "Cloud Code Private API", user)
	}
	if service == aiplatform {
		return s.mayUseVertex(a, project)
	}
	if a.key != nil {
		return forbidden("The caller does not have permission") // no user of Code Assist
	}
	if !a.owns(project) {
		return forbidden("Permission denied on resource project "+project+".",
			errorInfo("CONSUMER_INVALID", "googleapis.com", object{"service": service, "consumer": "projects/" + project, "containerInfo": project}))
	}
	s.mu.Lock()
	enabled := !a.APIDisabled || a.enabled[project+"/cloudaicompanion.googleapis.com"]
	s.mu.Unlock()
	if !enabled {
		return serviceDisabled("cloudaicompanion.googleapis.com", "Gemini for Google Cloud API", project)
	}
	return nil
}

// aiplatform is the service of Vertex AI.
const aiplatform = "aiplatform.googleapis.com"

// mayUseVertex is the same for Vertex AI, which has a permission of its own and another service.
func (s *Server) mayUseVertex(a account, project string) *failure {
	if !a.owns(project) {
		resource := "//aiplatform.googleapis.com/projects/" + project
		return forbidden("Permission 'aiplatform.endpoints.predict' denied on resource '"+resource+"' (or it may not exist).",
			errorInfo("IAM_PERMISSION_DENIED", aiplatform, object{"permission": "aiplatform.endpoints.predict", "resource": "projects/" + project}))
	}
	s.mu.Lock()
	enabled := !a.APIDisabled || a.enabled[project+"/"+aiplatform]
	s.mu.Unlock()
	if !enabled {
		return serviceDisabled(aiplatform, "Vertex AI API", project)
	}
	return nil
}

func (a account) owns(project string) bool {
	if project == "" {
		return false
	}
	if project == a.Project {
		return true
	}
	for _, p := range a.Projects {
		if p.ID == project {
			return p.State == "" || p.State == "ACTIVE"
		}
	}
	return false
}

func serviceDisabled(service, title, project string) *failure {
	link := "https://console.developers.google.com/apis/api/" + service + "/overview?project=" + project
	f := forbidden(title+" has not been used in project "+project+" before or it is disabled. Enable it by visiting "+link+
		" then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
		errorInfo("SERVICE_DISABLED", "googleapis.com", object{"service": service, "serviceTitle": title,
			"consumer": "projects/" + project, "containerInfo": project, "activationUrl": link}),
		helpLinks("Google developers console API activation", link))
	f.legacy = "accessNotConfigured"
	return f
}
