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

// What Code Assist needs in a project of the user's own: the first one, while the second is for more
// than the calls that are made here, and nobody waits for it (protocol 2.5).
const (
	companion   = "cloudaicompanion.googleapis.com"
	cloudAssist = "geminicloudassist.googleapis.com"
)

// EnableServices switches the APIs on that Code Assist needs, if they are off. It takes Google some
// minutes until calls notice. An error tells that the one that is needed is off and stays so.
func (c *Client) EnableServices(ctx context.Context, token, project string) error {
	needed := c.enable(ctx, companion, token, project)
	if needed.Changed { // where that one was on, the other one is as its owner wants it
		c.enable(ctx, cloudAssist, token, project)
	}
	return needed.Err
}

// Services is EnableServices for who wants to know more: what became of each. The first one is the one
// that is needed.
func (c *Client) Services(ctx context.Context, token, project string) []Service {
	return []Service{c.enable(ctx, companion, token, project), c.enable(ctx, cloudAssist, token, project)}
}

func (c *Client) enable(ctx context.Context, name, token, project string) Service {
	s := Service{Name: name, Link: "https://console.cloud.google.com/apis/library/" + name + "?project=" + url.QueryEscape(project)}
	at := request{token: token, url: c.settings().Endpoints.ServiceUsage + "/v1/projects/" + url.PathEscape(project) + "/services/" + name}
	if err := c.turnOn(ctx, &s, at); err != nil {
		s.Err = fmt.Errorf("enable %s: %w", name, err)
	}
	return s
}

// turnOn switches one API on. at is the question for its state.
func (c *Client) turnOn(ctx context.Context, s *Service, at request) error {
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
	if err == nil && s.Name == companion {
		err = c.awaitService(ctx, &op, at)
	}
	if err == nil && op.Error != nil {
		err = fmt.Errorf("code %d", op.Error.Code)
	}
	s.Enabled = err == nil
	s.Changed = s.Enabled
	return err
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
	if err := c.EnableServices(ctx, token, project); err != nil {
		c.o.Log.Warn("the API could not be enabled", "project", project, "error", err)
	}
}
