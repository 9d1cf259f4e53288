package pipeline

import "gcli2api/pipeline/wire/gemini"

// FallBack names the model to ask instead of the one that failed, and forgets what was made for that one, so
// that the walk can begin anew from the stage that settles the model. Calls that were made stay on record.
// What a stage keeps by Keep is its own matter.
func (x *Exchange) FallBack(base string) {
	x.Fallback = base
	x.Call, x.Tools, x.Thread, x.Asking = gemini.Call{}, nil, nil, nil
	x.SystemAsUser, x.Resumes, x.Fetch, x.Mix = false, false, AsAsked, Mix{}
	x.returns, x.advice = 0, Advice{}
	x.Header.Delete("X-Dropped-Params") // the other model may honour what this one did not
}
