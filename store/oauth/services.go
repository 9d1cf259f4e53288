package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Service is an API of a project, as it was found or left.
type Service struct {
	Name    string
	Enabled bool
	Changed bool   // it was off and is on now
	Off     bool   // Google said that it was off; false when it did not say
	Err     error  // why it could not be switched on
	Link    string // where a person can switch it on
}

// assistService is switched on beside the API that Code Assist needs, as the old product did. No call that
// is made here needs it (protocol 2.5), so nobody waits for it.
const assistService = "geminicloudassist.googleapis.com"

// service is the API that credentials of a kind need in their project.
func service(kind string) string {
	if kind == Vertex {
		return "aiplatform.googleapis.com"
	}
	return "cloudaicompanion.googleapis.com"
}

// EnableServices switches the APIs on that credentials of a kind need, if they are off, and waits until
// that is done. It takes Google some minutes more until calls notice. An error tells that the one that is
// needed is off and stays so.
func (c *Client) EnableServices(ctx context.Context, kind, token, project string) error {
	needed := c.enable(ctx, service(kind), token, project)
	if needed.Changed && kind == CodeAssist { // where that one was on, the other one is as its owner wants it
		_ = c.enableService(ctx, token, project, assistService)
	}
	return needed.Err
}

// Services is EnableServices for who wants to know more: what became of each. The first one is the one
// that is needed.
func (c *Client) Services(ctx context.Context, kind, token, project string) []Service {
	list := []Service{c.enable(ctx, service(kind), token, project)}
	if kind == CodeAssist {
		list = append(list, c.enable(ctx, assistService, token, project))
	}
	return list
}

// enableService switches one API on without waiting until that is done.
func (c *Client) enableService(ctx context.Context, token, project, name string) error {
	return c.turnOn(ctx, &Service{Name: name}, c.serviceOf(token, project, name), false)
}

func (c *Client) enable(ctx context.Context, name, token, project string) Service {
	s := Service{Name: name, Link: "https://console.cloud.google.com/apis/library/" + name + "?project=" + url.QueryEscape(project)}
	s.Err = c.turnOn(ctx, &s, c.serviceOf(token, project, name), name != assistService)
	return s
}

// serviceOf is the question for the state of an API.
func (c *Client) serviceOf(token, project, name string) request {
	return request{token: token, url: c.settings().Endpoints.ServiceUsage + "/v1/projects/" + url.PathEscape(project) + "/services/" + name}
}

// turnOn switches an API on that is off. at is the question for its state.
func (c *Client) turnOn(ctx context.Context, s *Service, at request, wait bool) error {
	var state struct {
		State string `json:"state"`
	}
	if err := c.call(ctx, at, &state); err == nil {
		s.Off = state.State != "ENABLED"
		if s.Enabled = !s.Off; s.Enabled {
			return nil
		}
	}
	var op operation
	err := c.call(ctx, request{url: at.url + ":enable", token: at.token, in: struct{}{}}, &op)
	if answer := said(err); err != nil && answer.HTTP == http.StatusBadRequest && strings.Contains(strings.ToLower(answer.Text), "already enabled") {
		s.Enabled = true
		return nil
	}
	if err == nil && wait {
		err = c.awaitService(ctx, &op, at)
	}
	if err == nil && op.Error != nil {
		err = fmt.Errorf("code %d", op.Error.Code)
	}
	if err != nil {
		return fmt.Errorf("enable %s: %w", s.Name, err)
	}
	s.Enabled, s.Changed = true, true
	return nil
}

// awaitService looks at the operation until it is done. One that cannot be asked for is looked at
// where it shows: in the state of the API.
func (c *Client) awaitService(ctx context.Context, op *operation, at request) error {
	for waited := time.Duration(0); !op.Done; waited += c.o.PollEvery {
		if waited >= c.o.PollFor || !sleep(ctx, c.o.PollEvery) {
			return fmt.Errorf("it was not done after %s", waited)
		}
		if !isOperation(op.Name) {
			var state struct {
				State string `json:"state"`
			}
			if err := c.call(ctx, at, &state); err != nil {
				return err
			}
			op.Done = state.State == "ENABLED"
			continue
		}
		next := operation{Name: op.Name}
		err := c.call(ctx, request{url: c.settings().Endpoints.ServiceUsage + "/v1/" + op.Name, token: at.token}, &next)
		if err != nil && !passing(err) {
			next = operation{} // forgotten, or not for this account to see
		} else if err != nil {
			return err
		}
		*op = next
	}
	return nil
}

// isOperation tells the name of an operation from what would change the address that it is put into.
func isOperation(name string) bool {
	rest, ok := strings.CutPrefix(name, "operations/")
	return ok && rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" && !strings.Contains(rest, "..")
}

// Lasting tells that an error of EnableServices will not go away by itself.
func Lasting(err error) bool { return err != nil && !passing(err) }

// switchOn is EnableServices where a failure decides nothing: many users may not, and need not.
func (c *Client) switchOn(ctx context.Context, token, project string) {
	if err := c.EnableServices(ctx, CodeAssist, token, project); err != nil {
		c.o.Log.Warn("the API could not be enabled", "project", project, "error", err)
	}
}
