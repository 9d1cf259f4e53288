package server

import (
	"strings"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// openAIPrefixes are the aliases of behaviour 2.2; clients append their own idea of a base path.
func openAIPrefixes() [6]string {
	return [...]string{"/v1beta/openai", "/v1/openai", "/openai/v1", "/v1/v1", "/v1", ""}
}

// openAITarget reads the paths of OpenAI's API below any of its prefixes; false when it is none.
func openAITarget(path string, c caller) (t target, ok bool, fail *apierror.Error) {
	for _, p := range openAIPrefixes() {
		rest, ok := cutFold(path, p)
		if !ok {
			continue
		}
		if route, ok := openAIRoute(rest); ok {
			return target{route: route, method: "POST"}, true, nil
		}
		if rest, ok := cutFold(rest, "/responses/"); ok {
			t, fail := keptTarget(rest, c)
			return t, true, fail
		}
	}
	return target{}, false, nil
}

func openAIRoute(rest string) (r pipeline.Route, ok bool) {
	switch {
	case sameFold(rest, "/chat/completions"):
		return pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Generate}, true
	case sameFold(rest, "/completions"):
		return pipeline.Route{Format: wire.Completions, Verb: pipeline.Generate}, true
	case sameFold(rest, "/responses"):
		return pipeline.Route{Format: wire.Responses, Verb: pipeline.Generate}, true
	case sameFold(rest, "/images/generations"):
		return pipeline.Route{Format: wire.Images, Verb: pipeline.Generate}, true
	case sameFold(rest, "/embeddings"):
		return pipeline.Route{Format: wire.OpenAI, Verb: pipeline.Embed}, true
	}
	return r, false
}

// keptTarget reads what follows "/responses/": an id, or one with "/input_items".
func keptTarget(rest string, c caller) (target, *apierror.Error) {
	id, below, more := strings.Cut(rest, "/")
	t := target{route: pipeline.Route{Format: wire.Responses, Verb: pipeline.Recall}, kept: id, method: "GET"}
	switch {
	case more && sameFold(below, "input_items"):
		t.items = true
	case sameFold(rest, "input_tokens"), sameFold(rest, "compact"):
		return t, apierror.Newf(apierror.Unsupported, "%q is not served by this gateway", clip(rest))
	case more && sameFold(below, "cancel"):
		return t, apierror.New(apierror.Unsupported, "responses in the background are not served, so there is nothing to cancel")
	case more:
		return t, apierror.New(apierror.NotFound, "there is no such path")
	case c.deletes:
		t.route.Verb, t.method = pipeline.Forget, "DELETE"
	}
	return t, nil
}

// anthropicTarget reads the paths of Anthropic's API.
func anthropicTarget(path string) (target, bool) {
	for _, p := range [...]string{"/anthropic/v1", "/v1/v1", "/v1", "/anthropic", ""} {
		rest, ok := cutFold(path, p)
		t := target{route: pipeline.Route{Format: wire.Anthropic, Verb: pipeline.Generate}, method: "POST"}
		switch {
		case !ok:
		case sameFold(rest, "/messages"):
			return t, true
		case sameFold(rest, "/messages/count_tokens"):
			t.route.Verb = pipeline.Count
			return t, true
		}
	}
	return target{}, false
}

// unserved tells what the vendors have and this gateway has not from what nobody has: a client is
// better served with words than with a 404 that looks like a wrong address.
func unserved(path string, c caller) (target, *apierror.Error) {
	for _, p := range [...]string{"/upload/v1beta", "/upload/v1", "/v1beta/openai", "/v1/openai", "/openai/v1", "/anthropic/v1", "/v1beta", "/v1alpha", "/v1", "/ws"} {
		rest, ok := cutFold(path, p)
		if !ok {
			continue
		}
		word, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		f, what := foreignPart(p, word, below)
		if what == "" {
			continue
		}
		if c.gemini && f == wire.OpenAI {
			f = wire.Gemini
		}
		return target{route: pipeline.Route{Format: f}}, apierror.New(apierror.Unsupported, what+" are not served by this gateway")
	}
	return target{}, apierror.New(apierror.NotFound, "there is no such path")
}

// foreignPart names a part of a vendor's API that is not served, "" for none.
func foreignPart(prefix, word, below string) (f wire.Format, what string) {
	word, _, _ = strings.Cut(strings.ToLower(word), ":")
	f = wire.OpenAI
	if strings.Contains(prefix, "beta") && !strings.Contains(prefix, "openai") || strings.Contains(prefix, "alpha") || strings.HasPrefix(prefix, "/upload") {
		f = wire.Gemini
	}
	switch word {
	case "files", "uploads":
		return f, "uploads of files (send them inline, in the request)"
	case "cachedcontents":
		return wire.Gemini, "caches of content"
	case "batches":
		return f, "batches"
	case "tunedmodels", "corpora", "filesearchstores", "operations", "interactions", "auth_tokens":
		return wire.Gemini, "tuned models, corpora, file search, operations and interactions"
	case "google.ai.generativelanguage.v1beta.generativeservice.bidigeneratecontent", "google.ai.generativelanguage.v1alpha.generativeservice.bidigeneratecontent":
		return wire.Gemini, "live sessions"
	case "audio", "realtime":
		return wire.OpenAI, "audio and realtime sessions"
	case "moderations", "assistants", "threads", "fine_tuning", "vector_stores", "evals", "containers", "conversations", "videos", "chatkit":
		return wire.OpenAI, "moderations, assistants, threads, conversations, fine tuning, vector stores, evals, containers and videos"
	case "images":
		return wire.OpenAI, "edits and variations of images"
	case "messages":
		if strings.HasPrefix(strings.ToLower(below), "batches") {
			return wire.Anthropic, "batches of messages"
		}
	}
	return f, ""
}
