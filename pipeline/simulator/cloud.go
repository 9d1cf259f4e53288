package simulator

import (
	"net/http"
	"strconv"
	"strings"
)

// caller recognises the account for the small services and plays scripted faults.
func (s *Server) caller(x *exchange, service string) (account, bool) {
	a, f := s.bearer(x, service)
	if f == nil {
		f = s.scripted(x, "")
	}
	if f != nil {
		x.fail(f)
		return a, false
	}
	return a, true
}

// listProjects is the resource manager's v1 list: pageSize, pageToken and a lifecycleState filter.
func (s *Server) listProjects(x *exchange) {
	a, ok := s.caller(x, "cloudresourcemanager.googleapis.com")
	if !ok {
		return
	}
	query := x.r.URL.Query()
	all := []object{}
	own := Project{ID: a.Project, Name: a.Project, Number: a.number}
	projects := append([]Project{own}, a.Projects...)
	if a.Tier == "free-tier" { // the managed project belongs to Google, the user does not see it
		projects = a.Projects
	}
	for i, p := range projects {
		setDefault(&p.Name, p.ID)
		setDefault(&p.Number, "2"+a.number[1:]+strconv.Itoa(i))
		setDefault(&p.State, "ACTIVE")
		if filter := query.Get("filter"); filter != "" && !strings.EqualFold(filter, "lifecycleState:"+p.State) {
			continue
		}
		all = append(all, object{"projectId": p.ID, "name": p.Name, "projectNumber": p.Number, "lifecycleState": p.State,
			"createTime": "2025-01-01T00:00:00.000Z"})
	}
	page, next, f := paginate(all, query.Get("pageSize"), query.Get("pageToken"))
	if f != nil {
		x.fail(f)
		return
	}
	answer := object{}
	if len(page) > 0 {
		answer["projects"] = page
	}
	if next != "" {
		answer["nextPageToken"] = next
	}
	x.json(answer)
}

// paginate cuts one page out of a list; the token is the index of its first item.
func paginate(all []object, size, token string) (page []object, next string, f *failure) {
	from, n := 0, len(all)
	var err error
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from < 0 || from > len(all) {
			return nil, "", badRequest("Request contains an invalid argument.")
		}
	}
	if size != "" {
		if n, err = strconv.Atoi(size); err != nil || n < 0 {
			return nil, "", badRequest("Invalid value at 'page_size' (TYPE_INT32), " + strconv.Quote(size))
		}
	}
	if n == 0 {
		n = len(all)
	}
	to := min(from+n, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next, nil
}

// service is service usage: the state of one service of a project, or switching it on.
func (s *Server) service(x *exchange, project, name string) {
	name, method, isMethod := cutMethod(name)
	x.verb("services", "")
	if isMethod {
		x.verb(method, "")
	}
	a, ok := s.caller(x, "serviceusage.googleapis.com")
	if !ok {
		return
	}
	switch {
	case !a.owns(project):
		x.fail(forbidden("Permission denied to get service ["+name+"].", errorInfo("AUTH_PERMISSION_DENIED", "googleapis.com", nil)))
	case !isMethod && x.r.Method == http.MethodGet:
		x.json(s.serviceState(a, project, name))
	case isMethod && method == "enable" && x.r.Method == http.MethodPost:
		if f := s.enable(x, a, project, name); f != nil {
			x.fail(f)
			return
		}
		x.json(s.enabling(a, project, name))
	default:
		x.nowhere()
	}
}

func (s *Server) serviceState(a account, project, name string) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := "ENABLED"
	if a.APIDisabled && !a.enabled[project+"/"+name] {
		state = "DISABLED"
	}
	return object{"name": "projects/" + a.number + "/services/" + name, "parent": "projects/" + a.number, "state": state,
		"config": object{"name": name}}
}

func (s *Server) enable(x *exchange, a account, project, name string) *failure {
	if len(x.body) > 0 {
		if _, _, f := x.decode(assist, "EnableService"); f != nil {
			return f
		}
	}
	if a.EnablePolls > 0 && !a.CannotEnable {
		return nil // when the operation is done
	}
	return s.switchOn(a, project, name)
}

// enabling is the operation that switches a service on, done at once unless the account says otherwise.
func (s *Server) enabling(a account, project, name string) object {
	op := "operations/acat.p2-" + a.number + "-" + name
	if a.EnablePolls > 0 {
		s.mu.Lock()
		s.operations[op] = &operation{email: a.Email, project: project, service: name, polls: a.EnablePolls}
		s.mu.Unlock()
		return object{"name": op, "done": false}
	}
	return object{"name": op, "done": true, "response": object{"service": s.serviceState(a, project, name)}}
}

// enabled is the state of an operation that switches services on. Those that were done at once are not kept.
func (s *Server) enabled(x *exchange, name string) {
	x.verb("operations", "")
	a, ok := s.caller(x, "serviceusage.googleapis.com")
	if !ok {
		return
	}
	s.mu.Lock()
	op := s.operations[name]
	if op != nil && (op.email != a.Email || op.service == "") {
		s.mu.Unlock()
		x.fail(forbidden("Permission denied to get operation ["+name+"]", errorInfo("AUTH_PERMISSION_DENIED", "googleapis.com", nil)))
		return
	}
	wait := op != nil && op.polls > 0
	if wait {
		op.polls--
	}
	s.mu.Unlock()
	if wait {
		x.json(object{"name": name, "done": false})
		return
	}
	if op != nil {
		if f := s.switchOn(a, op.project, op.service); f != nil {
			x.fail(f)
			return
		}
	}
	x.json(object{"name": name, "done": true, "response": object{}})
}

func (s *Server) switchOn(a account, project, name string) *failure {
	if a.CannotEnable {
		return forbidden("Permission denied to enable service ["+name+"]",
			errorInfo("AUTH_PERMISSION_DENIED", "googleapis.com", object{"service": name}))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.enabled[project+"/"+name] = true
	return nil
}

func (s *Server) batchEnable(x *exchange, project string) {
	a, ok := s.caller(x, "serviceusage.googleapis.com")
	if !ok {
		return
	}
	tree, _, f := x.decode(assist, "BatchEnable")
	if f == nil && !a.owns(project) {
		f = forbidden("Permission denied to enable services.")
	}
	if f != nil {
		x.fail(f)
		return
	}
	names, _ := tree["serviceIds"].([]any)
	for _, name := range names {
		if f := s.switchOn(a, project, name.(string)); f != nil {
			x.fail(f)
			return
		}
	}
	x.json(object{"name": "operations/acat.p2-" + a.number, "done": true, "response": object{}})
}

// metadata is the one question to the metadata service of a Google machine that matters here.
func (s *Server) metadata(x *exchange) {
	x.verb("metadata", "")
	switch {
	case x.r.Header.Get("Metadata-Flavor") != "Google":
		x.fail(htmlPage(http.StatusForbidden, "Missing Metadata-Flavor:Google header."))
	case s.opts.MetadataProject == "":
		x.nowhere()
	default:
		x.w.Header().Set("Metadata-Flavor", "Google")
		x.whole(http.StatusOK, "application/text", []byte(s.opts.MetadataProject))
	}
}
