package simulator

import (
	"net/http"
	"regexp"
	"strings"
)

// route finds out which of Google's services a path belongs to. One server plays all hosts, so the prefixes decide.
func (s *Server) route(x *exchange) {
	path := x.r.URL.Path
	switch {
	case strings.HasPrefix(path, "/v1internal"):
		s.routeAssist(x, strings.TrimPrefix(path, "/v1internal"))
	case strings.HasPrefix(path, "/v1/projects"):
		s.routeProjects(x, strings.TrimPrefix(path, "/v1/projects"))
	case strings.HasPrefix(path, "/v1beta1/projects/"):
		s.routeProjects(x, strings.TrimPrefix(path, "/v1beta1/projects"))
	case strings.HasPrefix(path, "/v1/operations/"):
		s.enabled(x, strings.TrimPrefix(path, "/v1/"))
	case strings.HasPrefix(path, "/v1/publishers/google/models/"):
		s.routeVertex(x, strings.TrimPrefix(path, "/v1/publishers/google/models/"), site{})
	case strings.HasPrefix(path, "/v1beta1/publishers/google/models/"):
		s.routeVertex(x, strings.TrimPrefix(path, "/v1beta1/publishers/google/models/"), site{})
	case strings.HasPrefix(path, "/v1beta/models"):
		s.routeStudio(x, strings.TrimPrefix(path, "/v1beta/models"))
	case strings.HasPrefix(path, "/v1/models"):
		s.routeStudio(x, strings.TrimPrefix(path, "/v1/models"))
	default:
		s.routeIdentity(x, path)
	}
}

func (s *Server) routeIdentity(x *exchange, path string) {
	switch path {
	case "/token":
		s.token(x)
	case "/o/oauth2/auth", "/o/oauth2/v2/auth":
		s.authorize(x)
	case codePage:
		s.showCode(x)
	case "/oauth2/v2/userinfo", "/oauth2/v1/userinfo", "/v1/userinfo":
		s.userinfo(x)
	case "/tokeninfo", "/oauth2/v1/tokeninfo", "/oauth2/v3/tokeninfo":
		s.tokeninfo(x)
	case "/revoke":
		s.revoke(x)
	case "/computeMetadata/v1/project/project-id":
		s.metadata(x)
	default:
		x.nowhere()
	}
}

func (s *Server) routeAssist(x *exchange, rest string) {
	switch method, isMethod := strings.CutPrefix(rest, ":"); {
	case isMethod && x.r.Method != http.MethodPost:
		x.nowhere()
	case isMethod:
		s.assistMethod(x, method)
	case strings.HasPrefix(rest, "/operations/") && x.r.Method == http.MethodGet:
		s.getOperation(x, strings.TrimPrefix(rest, "/"))
	default:
		x.nowhere()
	}
}

func (s *Server) assistMethod(x *exchange, method string) {
	x.verb(method, CodeAssist)
	switch method {
	case "generateContent", "streamGenerateContent":
		s.assistGenerate(x, method)
	case "countTokens":
		s.assistCount(x)
	case "loadCodeAssist":
		s.loadCodeAssist(x)
	case "onboardUser":
		s.onboardUser(x)
	case "retrieveUserQuota":
		s.userQuota(x)
	default:
		x.nowhere()
	}
}

func (s *Server) routeStudio(x *exchange, rest string) {
	name, method, isMethod := cutMethod(strings.TrimPrefix(rest, "/"))
	switch {
	case rest != "" && rest[0] != '/':
		x.nowhere()
	case name == "" && x.r.Method == http.MethodGet:
		x.verb("models", AIStudio)
		s.listModels(x)
	case !isMethod && x.r.Method == http.MethodGet:
		x.verb("models.get", AIStudio)
		s.getModel(x, name)
	case isMethod && x.r.Method == http.MethodPost:
		x.verb(method, AIStudio)
		s.studioMethod(x, name, method)
	default:
		x.nowhere()
	}
}

func (s *Server) studioMethod(x *exchange, name, method string) {
	switch method {
	case "generateContent", "streamGenerateContent":
		s.publicGenerate(x, studio, name, site{})
	case "countTokens":
		s.publicCount(x, studio, name, site{})
	case "embedContent", "batchEmbedContents":
		s.embed(x, name, method == "batchEmbedContents")
	default:
		x.nowhere()
	}
}

// site is where on Vertex a model is asked for: a project and a location of it, or neither in express mode.
type site struct{ project, location string }

// region is the grammar of Vertex's locations.
var region = regexp.MustCompile(`^(global|us|eu|(us|europe|asia|northamerica|southamerica|australia|me|africa)-[a-z]+[1-9][0-9]?)$`)

// routeVertex serves both forms of Vertex: express with a key (no site), and project/location with a Bearer token.
func (s *Server) routeVertex(x *exchange, rest string, at site) {
	name, method, isMethod := cutMethod(rest)
	x.verb(method, Vertex)
	switch {
	case !isMethod || x.r.Method != http.MethodPost:
		x.nowhere()
	case at.project != "" && !region.MatchString(at.location):
		x.fail(htmlPage(http.StatusNotFound, "The requested URL was not found on this server."))
	case method == "generateContent" || method == "streamGenerateContent":
		s.publicGenerate(x, vertex, name, at)
	case method == "countTokens":
		s.publicCount(x, vertex, name, at)
	default:
		x.nowhere()
	}
}

// routeProjects tells the resource manager, service usage and Vertex apart: all three live below /v1/projects.
func (s *Server) routeProjects(x *exchange, rest string) {
	if rest == "" && x.r.Method == http.MethodGet {
		x.verb("projects", "")
		s.listProjects(x)
		return
	}
	project, rest, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if name, ok := strings.CutPrefix(rest, "locations/"); ok {
		if location, model, ok := strings.Cut(name, "/publishers/google/models/"); ok {
			s.routeVertex(x, model, site{project, location})
			return
		}
	}
	if rest == "services:batchEnable" {
		x.verb("batchEnable", "")
		s.batchEnable(x, project)
		return
	}
	if service, ok := strings.CutPrefix(rest, "services/"); ok {
		s.service(x, project, service)
		return
	}
	x.nowhere()
}

func cutMethod(rest string) (name, method string, ok bool) {
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return rest, "", false
	}
	return rest[:i], rest[i+1:], true
}

func (x *exchange) verb(name string, b Backend) {
	x.note(func(c *Call) { c.Verb, c.Backend = name, b })
}

// nowhere is the page of Google's front end for a path or method that no service has.
func (x *exchange) nowhere() {
	x.fail(htmlPage(http.StatusNotFound, "The requested URL was not found on this server."))
}
