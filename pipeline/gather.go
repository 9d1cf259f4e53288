package pipeline

import (
	"io"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// maxGathered bounds what is held of a stream that becomes one piece.
const maxGathered = 256 << 20

// Gather makes an answer in one piece of a stream, inside of Process. Half of one is an error like any other.
// A Segment that the stream runs meanwhile runs as it does behind the first byte: nothing goes back from there
// (MayRestart), and x.Reply is empty.
func (x *Exchange) Gather(s wire.Stream) Reply {
	defer s.Close()
	defer func(walked bool) { x.walked = walked }(x.walked)
	x.walked, x.Reply = true, Reply{} // else the stream would find itself there, and close itself
	var g gemini.Gather
	for {
		ev, err := s.Next()
		switch {
		case err == io.EOF:
			return Reply{Body: g.Append(nil)}
		case err != nil:
			return Reply{Err: apierror.From(err)}
		}
		if err := g.Add(ev.Data); err != nil {
			return Reply{Err: apierror.Wrap(apierror.StreamBroken, "the answer has an event that cannot be read", err)}
		}
		if g.Size() > maxGathered {
			return Reply{Err: apierror.New(apierror.StreamBroken, "the answer is larger than the gateway holds in one piece")}
		}
	}
}
