package openai

import (
	"strconv"

	"gcli2api/pipeline/wire/gemini"
)

// appendUsage appends `,"usage":{...}` in OpenAI's sense: the prompt includes what was cached, the
// completion what was thought, and the total is the sum of the two.
func appendUsage(dst []byte, u *gemini.Usage) []byte {
	prompt, completion := u.Prompt+u.ToolUse, u.Candidates+u.Thoughts
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), prompt, 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), completion, 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), prompt+completion, 10)
	if u.Cached > 0 {
		dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), u.Cached, 10)
		dst = append(dst, '}')
	}
	if u.Thoughts > 0 {
		dst = strconv.AppendInt(append(dst, `,"completion_tokens_details":{"reasoning_tokens":`...), u.Thoughts, 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}
