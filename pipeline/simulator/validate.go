package simulator

import "fmt"

// check applies every rule of the service to a request that has passed the strict reader; the first broken one is the answer.
func (s *Server) check(r *request) *failure {
	for _, rule := range []func(*request) *failure{
		checkCache, checkContents, checkTurns, checkConfig, checkOutput, checkThinking, checkTools, checkCalling, checkSafety, checkSchemas,
		s.checkSignatures,
	} {
		if f := rule(r); f != nil {
			return f
		}
	}
	return nil
}

// refuse words a 400 as the back end of the request does: AI Studio begins with the field, the others with a sentence.
func (r *request) refuse(field, format string, args ...any) *failure {
	text := fmt.Sprintf(format, args...)
	f := badRequest(text)
	switch r.dialect {
	case studio:
		f.message = "* GenerateContentRequest." + field + ": " + text + "\n"
	case assist:
		f.legacy = "badRequest"
	}
	return f
}

// plain is a 400 with the same text on every back end.
func (r *request) plain(format string, args ...any) *failure {
	f := badRequest(fmt.Sprintf(format, args...))
	if r.dialect == assist {
		f.legacy = "badRequest"
	}
	return f
}

// checkCache: what a cache holds cannot be said beside it once more.
func checkCache(r *request) *failure {
	if r.received["cachedContent"] == nil && r.received["cached_content"] == nil {
		return nil
	}
	for _, name := range []string{"systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config"} {
		if r.received[name] != nil {
			return r.plain("CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.")
		}
	}
	return nil
}
