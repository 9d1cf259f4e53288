package simulator

import "strings"

// Backend is one of the services that serve models; a Model lists those it is served by.
type Backend string

// The backends.
const (
	CodeAssist Backend = "codeassist" // v1internal, OAuth
	AIStudio   Backend = "aistudio"   // v1beta and v1, API key
	Vertex     Backend = "vertex"     // aiplatform paths, key or OAuth
)

// Model is one entry of the model table: what Google accepts for it and where it is served.
type Model struct {
	Name     string
	Backends []Backend
	// BudgetMin and BudgetMax bound thinkingBudget; BudgetMax 0 means that the model knows no budget.
	BudgetMin, BudgetMax int
	BudgetOff            bool     // thinkingBudget 0 is accepted
	Levels               []string // accepted values of thinkingLevel; empty means none
	Image                bool     // draws pictures
	Embeds               bool     // embedding model: embedContent only
	Dimensions           int      // of its vectors, when nothing smaller is asked for
	Preview              bool     // needs an account with preview access on Code Assist
	Methods              []string // the only ones it has, none of them played here: it is just listed
}

// generation is the major version in the name: 1, 2, 3; 0 for names without one.
func (m Model) generation() int {
	rest, ok := strings.CutPrefix(m.Name, "gemini-")
	if !ok || rest == "" || rest[0] < '1' || rest[0] > '9' {
		return 0
	}
	return int(rest[0] - '0')
}

// gemini3 tells the generation that must return thought signatures and may combine tools from everything before it.
func (m Model) gemini3() bool { return m.generation() >= 3 }

// thinks reports whether thinkingConfig means anything to the model.
func (m Model) thinks() bool { return m.BudgetMax > 0 || len(m.Levels) > 0 }

// family is what a thought signature is bound to.
func (m Model) family() string {
	if m.gemini3() {
		return "gemini-3"
	}
	return "gemini-2"
}

func (m Model) servedBy(b Backend) bool {
	for _, own := range m.Backends {
		if own == b {
			return true
		}
	}
	return false
}

// DefaultModels gives the table of models that the simulator serves when Options.Models is empty.
func DefaultModels() []Model {
	all := []Backend{CodeAssist, AIStudio, Vertex}
	public := []Backend{AIStudio, Vertex}
	low, lowMedium := []string{"LOW", "HIGH"}, []string{"LOW", "MEDIUM", "HIGH"}
	every := []string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}
	return []Model{
		{Name: "gemini-2.5-pro", Backends: all, BudgetMin: 128, BudgetMax: 32768},
		{Name: "gemini-2.5-flash", Backends: all, BudgetMax: 24576, BudgetOff: true},
		{Name: "gemini-2.5-flash-lite", Backends: all, BudgetMin: 512, BudgetMax: 24576, BudgetOff: true},
		{Name: "gemini-2.5-pro-preview-06-05", Backends: all, BudgetMin: 128, BudgetMax: 32768},
		{Name: "gemini-2.5-flash-preview-09-2025", Backends: all, BudgetMax: 24576, BudgetOff: true},
		{Name: "gemini-flash-latest", Backends: all, BudgetMin: 1, BudgetMax: 32768, Levels: every},
		{Name: "gemini-3-pro-preview", Backends: all, BudgetMin: 128, BudgetMax: 32768, Levels: low, Preview: true},
		{Name: "gemini-3-pro-preview-11-2025", Backends: all, BudgetMin: 128, BudgetMax: 32768, Levels: low, Preview: true},
		{Name: "gemini-3.1-pro-preview", Backends: all, BudgetMin: 128, BudgetMax: 32768, Levels: lowMedium, Preview: true},
		{Name: "gemini-3.1-pro-preview-customtools", Backends: all, BudgetMin: 128, BudgetMax: 32768, Levels: lowMedium, Preview: true},
		{Name: "gemini-3-flash-preview", Backends: all, BudgetMin: 1, BudgetMax: 32768, Levels: every, Preview: true},
		{Name: "gemini-3.1-flash-lite", Backends: all, BudgetMin: 1, BudgetMax: 32768, Levels: every},
		{Name: "gemini-3.1-flash-lite-preview", Backends: all, BudgetMin: 1, BudgetMax: 32768, Levels: every},
		{Name: "gemini-3-flash", Backends: []Backend{CodeAssist}, BudgetMin: 1, BudgetMax: 32768, Levels: every},
		{Name: "gemini-3.5-flash", Backends: public, BudgetMin: 1, BudgetMax: 32768, Levels: every},
		{Name: "gemini-2.0-flash", Backends: public},
		{Name: "gemma-4-31b-it", Backends: public},
		{Name: "gemini-2.5-flash-image", Backends: public, Image: true},
		{Name: "gemini-3-pro-image", Backends: public, Levels: low, Image: true},
		{Name: "gemini-3-pro-image-preview", Backends: public, Levels: low, Image: true},
		{Name: "gemini-3.1-flash-image", Backends: public, Levels: []string{"MINIMAL", "HIGH"}, Image: true},
		{Name: "gemini-3.1-flash-image-preview", Backends: public, Levels: []string{"MINIMAL", "HIGH"}, Image: true},
		{Name: "gemini-embedding-001", Backends: public, Embeds: true, Dimensions: 3072},
		{Name: "text-embedding-004", Backends: public, Embeds: true, Dimensions: 768},
		{Name: "imagen-4.0-generate-001", Backends: public, Methods: []string{"predict"}},
		{Name: "veo-3.1-generate-preview", Backends: public, Methods: []string{"predictLongRunning"}},
		{Name: "gemini-2.5-flash-native-audio-latest", Backends: public, Methods: []string{"countTokens", "bidiGenerateContent"}},
	}
}

// model looks a name up for one dialect; the account limits what Code Assist shows.
func (s *Server) model(d dialect, name string) (Model, bool) {
	m, ok := s.models[name]
	return m, ok && m.Methods == nil && m.servedBy(d.backend())
}

func (d dialect) backend() Backend {
	switch d {
	case assist:
		return CodeAssist
	case studio:
		return AIStudio
	}
	return Vertex
}

// unknownModel is each back end's way of saying that it has no such model, or not for this caller.
func unknownModel(d dialect, name, method string) *failure {
	switch d {
	case assist:
		return &failure{status: 404, message: "Requested entity was not found.", legacy: "notFound"}
	case studio:
		return &failure{status: 404, message: "models/" + name + " is not found for API version v1beta, or is not supported for " + method +
			". Call ListModels to see the list of available models and their supported methods."}
	}
	return &failure{status: 404, message: "Publisher Model `publishers/google/models/" + name + "` was not found or your project does not have access to it."}
}

// Tokens is the token rule of the simulator: four characters (runes) a token, rounded up; a picture or other blob is 258.
func Tokens(s string) int {
	n := 0
	for range s {
		n++
	}
	return (n + 3) / 4
}

// blobTokens is the price of one inline blob.
const blobTokens = 258
