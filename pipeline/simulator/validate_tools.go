package simulator

import (
	"regexp"
	"slices"
	"strings"
)

// functionName is Google's grammar of function names.
var functionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$`)

func checkTools(r *request) *failure {
	seen := map[string]bool{}
	for _, d := range r.tools.declared {
		switch {
		case !functionName.MatchString(d.name):
			return r.refuse("tools[0].function_declarations[0].name", "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:) or dashes (-), with a maximum length of 64.")
		case seen[d.name]:
			return r.plain("Duplicate function declaration found: %s", d.name)
		case d.fields["parameters"] != nil && d.fields["parametersJsonSchema"] != nil:
			return r.plain("Only one of parameters and parameters_json_schema can be set.")
		case d.fields["response"] != nil && d.fields["responseJsonSchema"] != nil:
			return r.plain("Only one of response and response_json_schema can be set.")
		}
		seen[d.name] = true
	}
	if len(seen) > 512 {
		return r.plain("At most 512 function declarations are allowed.")
	}
	return r.checkBuiltIn()
}

// checkBuiltIn holds the rules about Google's own tools and about mixing them with functions.
func (r *request) checkBuiltIn() *failure {
	m := r.model
	for _, name := range r.tools.builtIn {
		switch {
		case m.Embeds || m.generation() == 0:
			return r.plain("Tool use is not supported for this model.")
		case name == "googleSearchRetrieval" && m.generation() >= 2:
			return r.plain("google_search_retrieval is not supported. Please use google_search tool instead.")
		case name == "urlContext" && strings.HasPrefix(m.Name, "gemini-2.0"):
			return r.plain("Browse tool is not supported for this model.")
		}
	}
	if len(r.tools.builtIn) == 0 || len(r.tools.declared) == 0 {
		return nil
	}
	switch {
	case !m.gemini3():
		return r.plain("Tool use with function calling is unsupported by the model.")
	case r.dialect != studio:
		return r.plain("Built-in tools ({%s}) and Custom tools (Function Calling) cannot be combined in the same request.", snake(r.tools.builtIn[0]))
	case !r.calling.mixed:
		return r.plain("Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.")
	}
	return nil
}

func checkCalling(r *request) *failure {
	c := r.calling
	switch {
	case !c.set:
		return nil
	case len(r.tools.declared) == 0:
		return r.plain("Function calling config is set without function_declarations.")
	case len(c.allowed) > 0 && c.mode != "ANY" && c.mode != "VALIDATED":
		return r.plain("Please set allowed_function_names only when function calling mode is ANY or VALIDATED.")
	}
	for _, name := range c.allowed {
		if !slices.ContainsFunc(r.tools.declared, func(d declaration) bool { return d.name == name }) {
			return r.plain("allowed_function_names: function %q is not declared.", name)
		}
	}
	return nil
}
