package translate

import "gcli2api/pipeline"

// kept answers what is asked of an answer that the gateway keeps.
func (s *stage) kept(x *pipeline.Exchange) pipeline.Verdict {
	return pipeline.Next
}
