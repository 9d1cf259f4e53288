package anthropic

import (
	"strconv"

	"gcli2api/pipeline/wire/gemini"
)

// appendUsage appends the usage in Anthropic's sense: the input without what came from a cache, the
// output with what was thought. tier is said where Anthropic says it.
func appendUsage(dst []byte, u *gemini.Usage, tier bool) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), max(u.Prompt+u.ToolUse-u.Cached, 0), 10)
	dst = append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.Cached, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), u.Candidates+u.Thoughts, 10)
	if u.Thoughts > 0 {
		dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"thinking_tokens":`...), u.Thoughts, 10)
		dst = append(dst, '}')
	}
	if tier {
		dst = append(dst, `,"service_tier":"standard"`...)
	}
	return append(dst, '}')
}
