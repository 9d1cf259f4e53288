package translate

import (
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// hosted refuses, where the stage search is off, what that stage would have to decide: Google's search, and
// any other tool that Google runs itself beside functions.
func (s *stage) hosted(t *gemini.Tools, hub []byte) *apierror.Error {
	if s.searches || t == nil || len(t.Hosted) == 0 {
		return nil
	}
	functions := gemini.ToolsetOf(toolsOf(hub)).Functions
	for _, h := range t.Hosted {
		switch {
		case h.Google == gemini.Search:
			return apierror.Newf(apierror.FeatureDisabled, "%s asks for Google's search, which is switched off on this gateway", h.Client).Naming(h.Client)
		case functions:
			return apierror.Newf(apierror.FeatureDisabled, "%s stands beside functions, which takes the stage search, and that is switched off on this gateway", h.Client).Naming(h.Client)
		}
	}
	return nil
}

// toolsOf is the member tools of a hub request, also of one whose tokens are counted.
func toolsOf(hub []byte) []byte {
	if tools := wire.Get(hub, "tools"); tools != nil {
		return tools
	}
	return wire.Get(hub, "generateContentRequest", "tools")
}
