package credential

import (
	"hash/crc32"

	"gcli2api/pipeline"
	"gcli2api/pipeline/wire"
)

// firstTurns is how much of each of the first turns names a conversation.
const firstTurns = 64 << 10

// talk names the conversation: by who leads it, the instructions and the first turn, which are the same
// in each of its requests. It looks at no more than it needs, and 0 is kept for no conversation.
func talk(x *pipeline.Exchange) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for _, s := range [...]string{x.Caller.Kind, x.Caller.ID} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	table := crc32.MakeTable(crc32.Castagnoli) // made once, and worked by the processor
	rules, _ := x.Call.Get("systemInstruction")
	sum := crc32.Update(0, table, rules[:min(len(rules), firstTurns)])
	sum = crc32.Update(sum, table, firstTurn(x))
	if h = (h ^ uint64(sum)) * prime; h == 0 {
		return 1
	}
	return h
}

// firstTurn is the first turn, or as much of it as counts.
func firstTurn(x *pipeline.Exchange) []byte {
	all, _ := x.Call.Get("contents")
	head := all[:min(len(all), firstTurns)]
	if a := wire.ArrayOf(head); a.Next() {
		return a.Value
	}
	return head // it is longer
}
