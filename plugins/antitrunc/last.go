package antitrunc

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// appendLast appends the last event: what was still held, the reason, what stood beside the text of any
// attempt, and the tokens of all.
func (s *stream) appendLast(dst, text []byte, reason string) []byte {
	a := &s.try
	dst = slices.Grow(dst, len(text)+len(a.last)+256)
	dst = appendText(append(dst, `{"candidates":[{"content":{"parts":[`...), text)
	dst = append(dst, `],"role":"model"}`...)
	candidates := gemini.Candidates(a.last)
	candidates.Next()
	for o := wire.ObjectOf(candidates.Value); o.Next(); {
		switch {
		case o.Is("content"), o.Is("finishReason"), o.Is("finishMessage") && reason != a.finish, isBeside(o.Key) && (s.tries > 1 || !a.finished):
		default:
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	if s.tries > 1 {
		dst = s.past.append(dst)
	}
	if reason != "" {
		dst = wire.AppendQuoted(wire.Key(dst, "finishReason"), reason)
	}
	dst = append(dst, "}]"...)
	if sum := s.sum(); sum != (gemini.Usage{}) {
		dst = appendUsage(wire.Key(dst, "usageMetadata"), a.raw, sum)
		s.untold = false
	}
	return append(appendTop(dst, a.last), '}')
}

// appendTop appends the members of an event that are about neither candidates nor tokens, nor the prompt.
func appendTop(dst, event []byte) []byte {
	for o := wire.ObjectOf(event); o.Next(); {
		if !o.Is("candidates") && !o.Is("usageMetadata") && !o.Is("promptFeedback") {
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	return dst
}

// sum is the tokens of all attempts so far.
func (s *stream) sum() gemini.Usage { return add(s.total, s.try.usage) }

func add(a, b gemini.Usage) gemini.Usage {
	return gemini.Usage{Prompt: a.Prompt + b.Prompt, Cached: a.Cached + b.Cached, Candidates: a.Candidates + b.Candidates,
		Thoughts: a.Thoughts + b.Thoughts, ToolUse: a.ToolUse + b.ToolUse, Total: a.Total + b.Total}
}

// appendUsage appends the sum, and what else Google said of the last attempt's tokens.
func appendUsage(dst, last []byte, sum gemini.Usage) []byte {
	dst = append(dst, '{')
	for _, f := range [...]struct {
		name string
		n    int64
	}{
		{"promptTokenCount", sum.Prompt}, {"cachedContentTokenCount", sum.Cached}, {"candidatesTokenCount", sum.Candidates},
		{"thoughtsTokenCount", sum.Thoughts}, {"toolUsePromptTokenCount", sum.ToolUse}, {"totalTokenCount", sum.Total},
	} {
		if f.n > 0 {
			dst = strconv.AppendInt(wire.Key(dst, f.name), f.n, 10)
		}
	}
	for o := wire.ObjectOf(last); o.Next(); {
		switch string(o.Key) {
		case "promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount", "totalTokenCount":
		default:
			dst = append(wire.Key(dst, o.Key), o.Value...)
		}
	}
	return append(dst, '}')
}

// endsWell tells a text that ends in a complete way: with a whole sentence, or a code block that is closed.
func endsWell(text []byte) bool {
	text = bytes.TrimSpace(text)
	open, fence := false, false
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if fence = bytes.HasPrefix(line, []byte("```")) || bytes.HasPrefix(line, []byte("~~~")); fence {
			open = !open
		}
	}
	if open || fence {
		return !open
	}
	text = bytes.TrimRight(text, "\"')]}>*_`»”’」』）】》〉")
	last, _ := utf8.DecodeLastRune(text)
	return strings.ContainsRune(".!?…。！？｡．؟।", last) && len(text) > 0
}
