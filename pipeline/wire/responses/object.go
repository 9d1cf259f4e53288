package responses

import (
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// echoMember is a member of the request that the response gives back.
type echoMember uint8

const (
	eInstructions echoMember = iota
	eMaxOutputTokens
	eMaxToolCalls
	eParallel
	ePrevious
	eCacheKey
	eReasoning
	eSafety
	eStore
	eTemperature
	eText
	eToolChoice
	eTools
	eTopLogprobs
	eTopP
	eTruncation
	eUser
	eMetadata
	echoed // how many there are
)

// echoNames is never written to.
var echoNames = [echoed]string{"instructions", "max_output_tokens", "max_tool_calls", "parallel_tool_calls",
	"previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "store", "temperature", "text",
	"tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "metadata"}

// echoDefaults is what OpenAI says where the request said nothing. It is never written to.
var echoDefaults = [echoed]string{"null", "null", "null", "true", "null", "null", `{"effort":null,"summary":null}`, "null",
	"true", "1.0", `{"format":{"type":"text"},"verbosity":"medium"}`, `"auto"`, "[]", "0", "1.0", `"disabled"`, "null", "{}"}

// readMembers finds what the response gives back, and what is to be in it.
func (e *encoder) readMembers() {
	for i := range e.o.Members {
		m := &e.o.Members[i]
		if wire.KindOf(m.Value) == wire.KindNull {
			continue
		}
		if string(m.Key) == "include" {
			for a := wire.ArrayOf(m.Value); a.Next(); {
				switch word(a.Value) {
				case "reasoning.encrypted_content":
					e.encrypted = true
				case "code_interpreter_call.outputs":
					e.outputs = true
				case "web_search_call.action.sources":
					e.sources = true
				}
			}
		}
		for j := range echoNames {
			if echoNames[j] == string(m.Key) {
				e.echo[j] = m.Value
			}
		}
	}
}

// object appends the response as it is now.
func (e *encoder) object(dst []byte, status string) []byte {
	dst = wire.AppendQuoted(append(dst, `{"id":`...), e.o.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), e.o.Created, 10)
	dst = append(append(dst, `,"status":"`...), status...)
	dst = append(dst, `","background":false,"completed_at":`...)
	if status == "completed" {
		dst = strconv.AppendInt(dst, max(e.now(), e.o.Created), 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = e.appendFailure(append(dst, `,"error":`...))
	dst = append(dst, `,"incomplete_details":`...)
	switch {
	case status != "incomplete":
		dst = append(dst, "null"...)
	case e.why == tooLong:
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	default:
		dst = append(dst, `{"reason":"content_filter"}`...)
	}
	dst = wire.AppendQuoted(append(dst, `,"model":`...), e.o.Model)
	dst = append(dst, `,"output":[`...)
	if status != "in_progress" {
		dst = append(dst, e.output...)
	}
	dst = append(dst, `],"prompt":null,"service_tier":"default","usage":`...)
	if status == "in_progress" {
		dst = append(dst, "null"...)
	} else {
		dst = e.appendUsage(dst)
	}
	for i := range echoNames {
		dst = e.appendEcho(append(append(append(dst, `,"`...), echoNames[i]...), `":`...), echoMember(i))
	}
	return append(dst, '}')
}

// appendEcho appends the value of a member that is given back, in one line.
func (e *encoder) appendEcho(dst []byte, m echoMember) []byte {
	v := e.echo[m]
	switch {
	case v == nil:
		return append(dst, echoDefaults[m]...)
	case wire.KindOf(v) != wire.KindObject:
	case m == eReasoning:
		return appendFilled(dst, v, [][2]string{{"effort", "null"}, {"summary", "null"}})
	case m == eText:
		return appendFilled(dst, v, [][2]string{{"format", `{"type":"text"}`}, {"verbosity", `"medium"`}})
	}
	return wire.AppendLine(dst, v)
}

// appendFilled appends the object with the members that it lacks.
func appendFilled(dst, object []byte, members [][2]string) []byte {
	dst = append(dst, '{')
	for o := wire.ObjectOf(object); o.Next(); {
		dst = append(append(append(wire.Comma(dst), '"'), o.Key...), '"', ':')
		dst = wire.AppendLine(dst, o.Value)
	}
	for _, m := range members {
		if wire.Get(object, m[0]) == nil {
			dst = append(wire.Key(dst, m[0]), m[1]...)
		}
	}
	return append(dst, '}')
}

// appendUsage appends the usage in OpenAI's sense: the input includes what was cached, the output what
// was thought, and the total is the sum of the two. It is null as long as Google has told none.
func (e *encoder) appendUsage(dst []byte) []byte {
	u := &e.usage
	input, output := u.Prompt+u.ToolUse, u.Candidates+u.Thoughts
	if input+output == 0 {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), input, 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), u.Cached, 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":0},"output_tokens":`...), output, 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), u.Thoughts, 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), input+output, 10)
	return append(dst, '}')
}

// appendFailure appends why the response failed, in the words that OpenAI has for it.
func (e *encoder) appendFailure(dst []byte) []byte {
	if e.failed == nil {
		return append(dst, "null"...)
	}
	code := "server_error"
	switch status := e.failed.Status; {
	case e.failed.Code == apierror.QuotaExhausted, e.failed.Code == apierror.InsufficientQuota:
		code = "insufficient_quota"
	case status == 429:
		code = "rate_limit_exceeded"
	case status < 500:
		code = "invalid_prompt"
	}
	dst = append(append(append(dst, `{"code":"`...), code...), `","message":`...)
	return append(wire.AppendQuoted(dst, e.failed.Message), '}')
}
