package oauth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Project is a Google Cloud project that an account sees.
type Project struct {
	ID     string `json:"projectId"`
	Name   string `json:"name"`
	Number string `json:"projectNumber"`
	State  string `json:"lifecycleState"`
}

// maxPages bounds a listing: 500 projects a page.
const maxPages = 20

// Projects lists the active projects that the account sees, in Google's order.
func (c *Client) Projects(ctx context.Context, token string) ([]Project, error) {
	var all []Project
	page := ""
	for range maxPages {
		query := url.Values{"pageSize": {"500"}, "filter": {"lifecycleState:ACTIVE"}}
		if page != "" {
			query.Set("pageToken", page)
		}
		var answer struct {
			Projects []Project `json:"projects"`
			Next     string    `json:"nextPageToken"`
		}
		address := c.settings().Endpoints.ResourceManager + "/v1/projects?" + query.Encode()
		if err := c.call(ctx, request{url: address, token: token}, &answer); err != nil {
			return nil, fmt.Errorf("list projects: %w", err)
		}
		for _, p := range answer.Projects {
			if p.ID != "" && (p.State == "" || p.State == "ACTIVE") {
				all = append(all, p)
			}
		}
		if page = answer.Next; page == "" {
			break
		}
	}
	return all, nil
}

// choose picks the project whose name or id contains "default", else the first one; clear tells that
// there was no doubt.
func choose(all []Project) (chosen Project, clear bool) {
	for _, p := range all {
		if strings.Contains(strings.ToLower(p.Name), "default") || strings.Contains(strings.ToLower(p.ID), "default") {
			return p, true
		}
	}
	return all[0], len(all) == 1
}

// choice is the error of a discovery that leaves the choice among several projects to a person.
type choice struct{ projects []Project }

// Error says what is wanted.
func (c *choice) Error() string { return "the account has several projects: one has to be chosen" }

// assistService is an API that the old product switched on as well when somebody signed in.
const assistService = "geminicloudassist.googleapis.com"

// service is the API that credentials of a kind need in their project.
func service(kind string) string {
	if kind == Vertex {
		return "aiplatform.googleapis.com"
	}
	return "cloudaicompanion.googleapis.com"
}

// EnableServices switches the API on that credentials of a kind need, if it is off. It takes Google
// some minutes until calls notice. An error tells that it is off and stays so.
func (c *Client) EnableServices(ctx context.Context, kind, token, project string) error {
	return c.enableService(ctx, token, project, service(kind))
}

func (c *Client) enableService(ctx context.Context, token, project, service string) error {
	base := c.settings().Endpoints.ServiceUsage + "/v1/projects/" + url.PathEscape(project) + "/services/" + service
	var state struct {
		State string `json:"state"`
	}
	if err := c.call(ctx, request{url: base, token: token}, &state); err == nil && state.State == "ENABLED" {
		return nil
	}
	var op operation
	err := c.call(ctx, request{url: base + ":enable", token: token, in: struct{}{}}, &op)
	if s := said(err); err != nil && s.HTTP == http.StatusBadRequest && strings.Contains(strings.ToLower(s.Text), "already enabled") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("enable %s: %w", service, err)
	}
	if op.Error != nil {
		return fmt.Errorf("enable %s: code %d", service, op.Error.Code)
	}
	return nil
}

// Lasting tells that an error of EnableServices will not go away by itself.
func Lasting(err error) bool { return err != nil && !passing(err) }

// switchOn is EnableServices where a failure decides nothing: many users may not, and need not.
func (c *Client) switchOn(ctx context.Context, token, project string) {
	if err := c.EnableServices(ctx, CodeAssist, token, project); err != nil {
		c.o.Log.Warn("the API could not be enabled", "project", project, "error", err)
	}
}

// machineProject asks the metadata service for the project of the machine; "" outside Google's cloud,
// and where the operator did not name that service: most machines have none, and asking takes seconds.
func (c *Client) machineProject(ctx context.Context) string {
	base := c.settings().Endpoints.Metadata
	if base == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/computeMetadata/v1/project/project-id", nil)
	if err != nil {
		return ""
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := c.o.HTTP().Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256))
	// Anything may answer at that name in a foreign network; only Google's service says this.
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Metadata-Flavor") != "Google" {
		return ""
	}
	return strings.TrimSpace(string(body))
}
