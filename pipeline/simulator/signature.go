package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// Sentinel is the value that Google accepts in place of a thought signature that was lost.
const Sentinel = "skip_thought_signature_validator"

// Signature gives a thought signature as the simulator would send it with a part: for a call, subject is the name of the
// function; for text and pictures it is "". It is bound to the model family and to the subject.
func (s *Server) Signature(model, subject string) string {
	m, ok := s.models[model]
	if !ok {
		m = Model{Name: model}
	}
	return sign(m.family(), subject)
}

func sign(family, subject string) string {
	payload := "sim1|" + family + "|" + subject
	return base64.StdEncoding.EncodeToString([]byte(payload + "|" + seal(payload)))
}

func seal(payload string) string {
	mac := hmac.New(sha256.New, []byte("the simulator's thoughts are no secret"))
	mac.Write([]byte(payload))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil)[:9])
}

// readSignature opens a signature of ours.
func readSignature(text string) (family, subject string, ok bool) {
	raw, err := decodeBase64(text)
	if err != nil {
		return "", "", false
	}
	payload := string(raw)
	i := strings.LastIndexByte(payload, '|')
	if i < 0 || seal(payload[:i]) != payload[i+1:] {
		return "", "", false
	}
	words := strings.SplitN(payload[:i], "|", 3)
	return words[1], words[2], true
}

// covering is the subject of a signature that covers a search in front of the part, too.
func covering(subject, searched string) string {
	if searched == "" {
		return subject
	}
	return subject + "#" + searched
}

// checkSignatures holds the rules of thought signatures: in the current turn of a Gemini 3 conversation the first call of
// each model step must carry one, and one that is there must be genuine, of this family and of this very call.
func (s *Server) checkSignatures(r *request) *failure {
	turn := r.lastUser()
	for i, c := range r.contents {
		if c.role != "model" {
			continue
		}
		current := turn >= 0 && i > turn
		first := true
		for n, p := range c.parts {
			if f := s.checkSignature(r, p); f != nil {
				return f
			}
			if current {
				if f := s.checkServerParts(r, c.parts[:n], p); f != nil {
					return f
				}
			}
			if p.kind != "functionCall" {
				continue
			}
			if first && p.signature == "" && r.model.gemini3() && current {
				return r.plain("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:%s` , position %d. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.", p.name, n+1)
			}
			first = false
		}
	}
	return nil
}

// checkServerParts: what the back end ran by itself must come back with its signatures, in front of the call whose own
// signature covers it. A call with the sentinel does without.
func (s *Server) checkServerParts(r *request, before []part, p part) *failure {
	if s.opts.AnySignature {
		return nil
	}
	switch p.kind {
	case "toolCall", "toolResponse":
		if p.signature == "" {
			return r.plain("The part %s is missing its thought_signature.", p.kind)
		}
	case "functionCall":
		_, subject, _ := readSignature(p.signature)
		_, searched, covers := strings.Cut(subject, "#")
		for _, kind := range []string{"toolCall", "toolResponse"} {
			there := func(b part) bool { return b.kind == kind && b.id == searched }
			if covers && !slices.ContainsFunc(before, there) {
				return r.plain("The thought_signature of the function call %s covers the %s part %q, which is missing in front of it.", p.name, kind, searched)
			}
		}
	}
	return nil
}

func (s *Server) checkSignature(r *request, p part) *failure {
	if p.signature == "" || p.signature == Sentinel || s.opts.AnySignature {
		return nil
	}
	if p.signature == "context_engineering_is_the_way_to_go" && r.dialect == studio {
		return nil
	}
	family, subject, ok := readSignature(p.signature)
	name, searched, _ := strings.Cut(subject, "#")
	ofServer := p.kind == "toolCall" || p.kind == "toolResponse"
	switch {
	case !ok:
		return r.plain("Corrupted thought signature.")
	case family != r.model.family():
		return r.plain("Invalid thought signature.")
	case ofServer && (name != "" || searched != p.id), !ofServer && p.kind != "functionCall" && subject != "", p.kind == "functionCall" && name != p.name:
		return r.plain("Thought signature is not valid for this part: it belongs to another one.")
	}
	return nil
}
