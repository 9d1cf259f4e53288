package openai

import (
	"slices"
	"strconv"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// CompletionRequest is what the body of a legacy completion said beside the hub request.
type CompletionRequest struct {
	Request
	Echo []byte // the prompt as it stands between quotes in the body, when the answer is to begin with it
}

// CompletionToHub is ToHub for legacy completions: the prompt becomes the only turn, as it was
// written, and what says how to write an answer means what it means in a chat. Google's models answer
// a prompt rather than go on with it; nothing is added to make them.
func CompletionToHub(dst, body []byte, members []wire.Member, t gemini.Target) ([]byte, CompletionRequest, *apierror.Error) {
	var f completion
	if err := readTable(completionTable, &f, &f.Beside, members); err != nil {
		return dst, CompletionRequest{}, err
	}
	if f.prompt == nil {
		return dst, CompletionRequest{}, refuse("prompt", "is missing")
	}
	dst = appendPrompt(slices.Grow(dst, len(body)+room), f.prompt)
	dst, err := f.generation(dst, t)
	if err != nil {
		return dst, CompletionRequest{}, err
	}
	asked := CompletionRequest{Request: f.Request}
	if f.echo {
		asked.Echo = f.prompt
	}
	return append(dst, '}'), asked, nil
}

// completion is a request read halfway.
type completion struct {
	form
	prompt []byte // between its quotes
	echo   bool
}

// CompletionFields lists every member of a legacy completion that this package knows, as Fields does.
func CompletionFields() []Field { return completionTable.Fields() }

// completionTable has rows of its own, and those of chat that mean the same here.
var completionTable = func() gemini.Table[completion] {
	t := gemini.Table[completion]{
		"prompt": {"the only turn: a string, or a list with one; several are refused, and so are token ids", takePrompt},
		"echo":   {"true: the answer begins with the prompt", takeEcho},
		"suffix": {"refused unless empty: Google's models do not write what stands between two texts", takeSuffix},
		"best_of": {"1; anything else is refused", func(_ *completion, v []byte) *apierror.Error {
			if n, ok := wire.Int(v); !ok || n != 1 {
				return refuse("best_of", "must be 1: Google gives one answer a request")
			}
			return nil
		}},
		"logprobs": {"refused unless 0", refuseLogprobs},
	}
	for _, name := range [...]string{
		"model", "stream", "stream_options", "temperature", "top_p", "top_k", "max_tokens",
		"frequency_penalty", "presence_penalty", "seed", "stop", "n", "logit_bias", "user",
	} {
		chat := fields[name]
		r := gemini.Row[completion]{Does: chat.Does}
		if chat.Take != nil {
			r.Take = func(f *completion, v []byte) *apierror.Error { return chat.Take(&f.form, v) }
		}
		t[name] = r
	}
	return t
}()

func takePrompt(f *completion, v []byte) *apierror.Error {
	name := "prompt"
	switch wire.KindOf(v) {
	case wire.KindString:
		f.prompt, _ = wire.Inside(v)
	case wire.KindArray:
		count := 0
		for a := wire.ArrayOf(v); a.Next(); count++ {
			name = "prompt[" + strconv.Itoa(count) + "]"
			inner, ok := wire.Inside(a.Value)
			switch {
			case !ok:
				return refuse(name, "must be a string: token ids are not supported")
			case count > 0:
				return refuse(name, "is one prompt too many: Google answers one a request")
			}
			f.prompt = inner
		}
	default:
		return refuse(name, "must be a string or a list with one string")
	}
	if len(f.prompt) == 0 {
		return refuse(name, "must not be empty")
	}
	return nil
}

func takeEcho(f *completion, v []byte) *apierror.Error {
	var ok bool
	if f.echo, ok = wire.Bool(v); !ok {
		return refuse("echo", "must be true or false")
	}
	return nil
}

func takeSuffix(_ *completion, v []byte) *apierror.Error {
	if inner, ok := wire.Inside(v); !ok || len(inner) > 0 {
		return refuse("suffix", "is not supported: Google's models do not write what stands between two texts")
	}
	return nil
}

// refuseLogprobs lets 0 through, and false, which is what chat clients write for none.
func refuseLogprobs(_ *completion, v []byte) *apierror.Error {
	n, whole := wire.Int(v)
	on, word := wire.Bool(v)
	if whole && n == 0 || word && !on {
		return nil
	}
	return refuse("logprobs", "is not supported")
}
