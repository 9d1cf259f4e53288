package geminiapi

import (
	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// embeds is the method for a body of embeddings, which the members tell apart.
func embeds(x *pipeline.Exchange) string {
	if _, batch := x.Call.Get("requests"); batch {
		return ":batchEmbedContents"
	}
	return ":embedContent"
}

// appendRequests writes the list of a batch, in which every request must name the model of the path.
// One that names none, or the one that the client asked for under another name, gets it. A name that
// is neither stays: whoever asks for two models should hear of it.
func appendRequests(dst, list []byte, x *pipeline.Exchange) []byte {
	if wire.KindOf(list) != wire.KindArray {
		return append(dst, list...)
	}
	var room [128]byte
	model := wire.AppendQuoted(room[:0], "models/"+bare(x.Model.Base))
	dst = append(dst, '[')
	for a := wire.ArrayOf(list); a.Next(); {
		dst = wire.Comma(dst)
		if wire.KindOf(a.Value) == wire.KindObject && renamed(wire.Get(a.Value, "model"), x) {
			dst = gemini.AppendWith(dst, a.Value, "model", model)
		} else {
			dst = append(dst, a.Value...)
		}
	}
	return append(dst, ']')
}

// renamed tells whether a request of a batch is to get the name of the model, given the one it has.
func renamed(v []byte, x *pipeline.Exchange) bool {
	switch wire.KindOf(v) {
	case wire.KindNone, wire.KindNull:
		return true
	}
	name, _ := wire.Text(v)
	return name == x.Model.Base || bare(name) == bare(x.Model.Asked)
}
