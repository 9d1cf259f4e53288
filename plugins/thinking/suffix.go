package thinking

import (
	"strconv"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire/gemini"
)

// ofSuffix is what the suffix of a model name means for a model with these limits (behaviour 3.3). The
// zero value is what the model does unasked.
func ofSuffix(m models.Model, l gemini.Limits) gemini.Amount {
	switch m.Thinking {
	case models.Off:
		return l.Lowest()
	case models.Max, models.Full:
		return l.Highest()
	case models.On:
		if m.HasBudget {
			return gemini.Tokens(int64(m.Budget))
		}
		if l.ByLevel() {
			return gemini.Amount{}
		}
		return gemini.Tokens(-1)
	}
	if l.ByLevel() {
		return ofWord(m.Thinking)
	}
	switch m.Thinking {
	case models.Minimal:
		return l.Lowest()
	case models.Low:
		return gemini.Tokens(1024)
	case models.Medium:
		return gemini.Tokens(8192)
	case models.High:
		return gemini.Tokens(16000)
	}
	return gemini.Amount{}
}

func ofWord(t models.Thinking) gemini.Amount {
	word := ""
	switch t {
	case models.Minimal:
		word = "MINIMAL"
	case models.Low:
		word = "LOW"
	case models.Medium:
		word = "MEDIUM"
	case models.High:
		word = "HIGH"
	}
	a, _ := gemini.Level(word)
	return a
}

// ofTable is the default of a row.
func ofTable(d models.ThinkingDefault) gemini.Amount {
	switch {
	case !d.Said:
		return gemini.Amount{}
	case d.Level != "":
		a, _ := gemini.Level(d.Level)
		return a
	}
	return gemini.Tokens(d.Budget)
}

// suffixOf is the suffix as it is written.
func suffixOf(m models.Model) string {
	if m.HasBudget {
		return "-thinking-" + strconv.Itoa(m.Budget)
	}
	return m.Thinking.String()
}
