package openai

import (
	"strconv"

	"gcli2api/pipeline/wire"
)

// appendLogprobs appends the object that Google's logprobsResult is for OpenAI: a list of the tokens
// that were chosen, each with those that might have been.
func appendLogprobs(dst, v []byte) []byte {
	chosen, top := pick2(v, "chosenCandidates", "topCandidates")
	dst = append(dst, `{"content":[`...)
	others := wire.ArrayOf(top)
	for a := wire.ArrayOf(chosen); a.Next(); {
		dst = append(appendToken(wire.Comma(dst), a.Value), `,"top_logprobs":[`...)
		if others.Next() {
			list := pick1(others.Value, "candidates")
			for o := wire.ArrayOf(list); o.Next(); {
				dst = append(appendToken(wire.Comma(dst), o.Value), '}')
			}
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, `],"refusal":null}`...)
}

// appendToken opens the object of a token.
func appendToken(dst, v []byte) []byte {
	token, logprob := pick2(v, "token", "logProbability")
	if wire.KindOf(token) != wire.KindString {
		token = []byte(`""`)
	}
	if wire.KindOf(logprob) != wire.KindNumber {
		logprob = []byte("0")
	}
	dst = append(append(dst, `{"token":`...), token...)
	dst = append(append(dst, `,"logprob":`...), logprob...)
	dst = append(dst, `,"bytes":[`...)
	var room [64]byte
	for _, b := range wire.AppendText(room[:0], token) {
		dst = strconv.AppendInt(wire.Comma(dst), int64(b), 10)
	}
	return append(dst, ']')
}
