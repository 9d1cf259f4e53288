package simulator

import (
	"math"
	"slices"
	"strings"
)

// limit is the accepted range of one number of generationConfig.
type limit struct {
	name     string
	min, max float64
	open     bool // max itself is not accepted
}

func checkConfig(r *request) *failure {
	limits := []limit{
		{"temperature", 0, 2, false}, {"topP", 0, 1, false}, {"topK", 1, 64, false}, {"candidateCount", 1, 8, false},
		{"maxOutputTokens", 1, 65536, false}, {"logprobs", 0, 20, false},
		{"presencePenalty", -2, 2, true}, {"frequencyPenalty", -2, 2, true},
	}
	for _, l := range limits {
		v, ok := number(r.config[l.name])
		if !ok {
			continue
		}
		if v < l.min || v > l.max || l.open && v == l.max || math.IsNaN(v) {
			return r.refuse("generation_config."+snake(l.name), "Unable to submit request because it has a %s value of %v but the supported range is from %v (inclusive) to %v. Update the value and try again.",
				l.name, v, l.min, l.max)
		}
	}
	return r.checkCounts()
}

func (r *request) checkCounts() *failure {
	thinking := r.model.thinks()
	if n, _ := number(r.config["candidateCount"]); n > 1 && thinking {
		return r.plain("Multiple candidates is not enabled for this model")
	}
	for _, name := range []string{"presencePenalty", "frequencyPenalty"} {
		if v, ok := number(r.config[name]); ok && v != 0 && thinking {
			return r.plain("Penalty is not enabled for this model")
		}
	}
	if stops := items(r.config, "stopSequences"); len(stops) > 5 {
		return r.refuse("generation_config.stop_sequences", "Unable to submit request because it has %d stop sequences but the maximum is 5.", len(stops))
	} else if slices.Contains(stops, any("")) {
		return r.refuse("generation_config.stop_sequences", "Stop sequences must not be empty.")
	}
	if _, ok := r.config["logprobs"]; ok && r.config["responseLogprobs"] != true {
		return r.plain("logprobs can only be set when response_logprobs is true.")
	}
	return nil
}

// checkOutput looks at what kind of answer is asked for: MIME type and schema, modalities, picture settings.
func checkOutput(r *request) *failure {
	mime := str(r.config, "responseMimeType")
	switch mime {
	case "", "text/plain", "application/json", "application/xml", "application/yaml", "text/x.enum":
	default:
		return r.refuse("generation_config.response_mime_type", "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.")
	}
	_, typed := r.config["responseSchema"]
	_, raw := r.config["responseJsonSchema"]
	if typed && raw {
		return r.refuse("generation_config", "Only one of response_schema and response_json_schema can be set.")
	}
	if (typed || raw) && mime != "application/json" && mime != "text/x.enum" {
		return r.plain("response_schema is only supported with response_mime_type application/json or text/x.enum.")
	}
	if mime == "application/json" && !r.model.gemini3() && (len(r.tools.declared) > 0 || len(r.tools.builtIn) > 0) {
		return r.plain("Function calling with a response mime type: 'application/json' is unsupported")
	}
	return r.checkModalities()
}

func (r *request) checkModalities() *failure {
	modalities := texts(r.config, "responseModalities")
	for _, m := range modalities {
		if m == "AUDIO" || m == "IMAGE" && !r.model.Image {
			return r.plain("Model does not support the requested response modalities: %s", strings.ToLower(strings.Join(modalities, ",")))
		}
	}
	picture := child(r.config, "imageConfig")
	if picture == nil {
		return nil
	}
	if !r.model.Image {
		return r.plain("Aspect ratio is not enabled for this model")
	}
	ratios := []string{"", "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"}
	sizes := []string{""}
	if strings.HasPrefix(r.model.Name, "gemini-3.1-flash-image") {
		ratios = append(ratios, "1:4", "4:1", "1:8", "8:1")
		sizes = append(sizes, "512")
	}
	if r.model.gemini3() {
		sizes = append(sizes, "1K", "2K", "4K")
	}
	if ratio := str(picture, "aspectRatio"); !slices.Contains(ratios, ratio) {
		return r.refuse("generation_config.image_config.aspect_ratio", "Invalid aspect ratio %q.", ratio)
	}
	if size := str(picture, "imageSize"); !slices.Contains(sizes, size) {
		return r.refuse("generation_config.image_config.image_size", "Invalid image size %q.", size)
	}
	return nil
}

// checkThinking holds the table of budgets and levels by model.
func checkThinking(r *request) *failure {
	if r.thinking == nil {
		return nil
	}
	m := r.model
	budget, hasBudget := number(r.thinking["thinkingBudget"])
	level := str(r.thinking, "thinkingLevel")
	hasLevel := level != "" && level != "THINKING_LEVEL_UNSPECIFIED"
	switch {
	case !m.thinks():
		return r.plain("Thinking is not enabled for %s", "models/"+m.Name)
	case hasBudget && hasLevel:
		return r.plain("You can only set only one of thinking budget and thinking level.")
	case hasLevel && !slices.Contains(m.Levels, level):
		return r.plain("Thinking level %s is not supported for this model.", level)
	case hasBudget && m.BudgetMax == 0:
		return r.plain("Thinking budget is not supported for this model.")
	case hasBudget && budget == 0 && !m.BudgetOff:
		return r.plain("Budget 0 is invalid. This model only works in thinking mode.")
	case hasBudget && budget != 0 && budget != -1 && (budget < float64(m.BudgetMin) || budget > float64(m.BudgetMax)):
		return r.plain("The thinking budget %v is invalid. Please choose a value between %d and %d.", budget, m.BudgetMin, m.BudgetMax)
	case hasBudget && budget == 0 && r.thinking["includeThoughts"] == true:
		return r.plain("Unable to submit request because Thinking_config.include_thoughts is only enabled when thinking is enabled.")
	}
	return nil
}

// checkSafety: each category once, and only those that the back end and the model know.
func checkSafety(r *request) *failure {
	seen := map[string]bool{}
	for _, item := range r.safety {
		category := str(item.(object), "category")
		switch {
		case category == "" || category == "HARM_CATEGORY_UNSPECIFIED":
			return r.refuse("safety_settings.category", "category must be specified.")
		case seen[category]:
			return r.plain("Duplicate safety setting for category %s.", category)
		case extraCategory(category) && r.model.Name == "gemini-2.5-flash-lite":
			return r.plain("Safety category %s is not supported for this model.", category)
		}
		seen[category] = true
	}
	return nil
}

func extraCategory(category string) bool {
	return strings.HasPrefix(category, "HARM_CATEGORY_IMAGE_") || category == "HARM_CATEGORY_JAILBREAK"
}
