package console

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gofiber/fiber/v2"
)

// envResult is the answer for one variable (behaviour 1.6). No file is made of it.
type envResult struct {
	Name       string   `json:"env_name"`
	Identifier string   `json:"identifier"`
	Success    bool     `json:"success"`
	Path       string   `json:"file_path,omitempty"`
	Project    string   `json:"project_id,omitempty"`
	Filename   string   `json:"filename,omitempty"`
	IDs        []string `json:"credentials,omitempty"`
	Error      string   `json:"error,omitempty"`
}

// loadEnv takes the credentials of the environment into the pool.
func (s Services) loadEnv(c *fiber.Ctx) error {
	results, loaded := []envResult{}, 0
	for _, v := range s.Pool.LoadEnviron() {
		r := envResult{Name: v.Name, Identifier: v.Identifier, Success: v.Loaded}
		if v.Err != nil {
			r.Error = v.Err.Error()
		} else {
			r.Path, r.Project, r.IDs = "environment variable "+v.Name, v.Project, v.IDs
		}
		if len(v.IDs) > 0 {
			r.Filename = v.IDs[0]
		}
		if v.Loaded {
			loaded++
		}
		results = append(results, r)
	}
	s.changes(c, "credentials of the environment", nil, map[string]any{"loaded": loaded, "of": len(results), "variables": variables(results)})
	message := fmt.Sprintf("%d of %d environment variables loaded", loaded, len(results))
	if len(results) == 0 {
		message = "there is no environment variable with credentials: GCLI_CREDS_* or GOOGLE_CREDENTIALS"
	}
	return c.JSON(fiber.Map{"loaded_count": loaded, "total_count": len(results), "results": results, "message": message})
}

// clearEnv takes them out again, and the files that older versions made of variables.
func (s Services) clearEnv(c *fiber.Ctx) error {
	cleared, refused := s.Pool.ClearEnviron()
	if cleared == nil {
		cleared = []string{}
	}
	s.changes(c, "credentials of the environment", map[string]any{"credentials": cleared}, nil)
	answer := fiber.Map{"deleted_count": len(cleared), "deleted_files": cleared,
		"message": fmt.Sprintf("%d credentials of the environment taken out", len(cleared))}
	if len(refused) > 0 {
		var errs []string
		for _, name := range slices.Sorted(maps.Keys(refused)) {
			errs = append(errs, name+": "+refused[name].Error())
		}
		answer["errors"] = errs
	}
	return c.JSON(answer)
}

// envStatus says what there is, without a value.
func (s Services) envStatus(c *fiber.Ctx) error {
	all, auto := s.Pool.Environ()
	vars, loaded := map[string]string{}, map[string][]string{}
	for _, v := range all {
		vars[v.Name] = "***"
		if v.Loaded {
			loaded[v.Name] = append([]string{}, v.IDs...)
		}
	}
	// Those that were loaded count as files here: DELETE /auth/env-creds takes both away.
	files := append([]string{}, s.Pool.EnvFiles()...)
	for _, name := range slices.Sorted(maps.Keys(loaded)) {
		files = append(files, loaded[name]...)
	}
	return c.JSON(fiber.Map{"available_env_vars": vars, "loaded_env_vars": loaded, "auto_load_enabled": auto,
		"existing_env_files_count": len(files), "existing_env_files": files})
}
