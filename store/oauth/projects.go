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
