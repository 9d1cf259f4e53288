package simulator

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"
)

// reply is a GenerateContentResponse, its members in Google's order.
type reply struct {
	Candidates     []candidate `json:"candidates,omitempty"`
	PromptFeedback object      `json:"promptFeedback,omitempty"`
	Usage          *usage      `json:"usageMetadata,omitempty"`
	ModelVersion   string      `json:"modelVersion,omitempty"`
	CreateTime     string      `json:"createTime,omitempty"`
	ResponseID     string      `json:"responseId,omitempty"`
}

type candidate struct {
	Content   *replyContent `json:"content,omitempty"`
	Finish    string        `json:"finishReason,omitempty"`
	Message   string        `json:"finishMessage,omitempty"`
	Index     *int          `json:"index,omitempty"`
	Ratings   []object      `json:"safetyRatings,omitempty"`
	Grounding object        `json:"groundingMetadata,omitempty"`
}

type replyContent struct {
	Role  string      `json:"role"`
	Parts []replyPart `json:"parts,omitempty"`
}

type replyPart struct {
	Text      *string    `json:"text,omitempty"`
	Thought   bool       `json:"thought,omitempty"`
	Inline    *replyBlob `json:"inlineData,omitempty"`
	Call      *replyCall `json:"functionCall,omitempty"`
	ToolCall  object     `json:"toolCall,omitempty"`
	ToolReply object     `json:"toolResponse,omitempty"`
	Signature string     `json:"thoughtSignature,omitempty"`
}

type replyBlob struct {
	MIME string `json:"mimeType"`
	Data string `json:"data"`
}

type replyCall struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
	Args object `json:"args"`
}

type usage struct {
	Prompt   int      `json:"promptTokenCount"`
	Reply    int      `json:"candidatesTokenCount,omitempty"`
	Thoughts int      `json:"thoughtsTokenCount,omitempty"`
	Total    int      `json:"totalTokenCount"`
	Traffic  string   `json:"trafficType,omitempty"`
	PromptBy []byKind `json:"promptTokensDetails,omitempty"`
	ReplyBy  []byKind `json:"candidatesTokensDetails,omitempty"`
}

type byKind struct {
	Modality string `json:"modality"`
	Tokens   int    `json:"tokenCount"`
}

// envelope is what Code Assist wraps a reply into.
type envelope struct {
	Response *reply `json:"response,omitempty"`
	TraceID  string `json:"traceId,omitempty"`
}

// usage gives the counts after so many tokens of visible answer; the details come with the last event only.
func (w *writer) usage(replyTokens int, last bool) *usage {
	a := w.answer
	u := &usage{Prompt: a.promptText + a.promptBlobs, Reply: replyTokens, Thoughts: a.thoughtTokens}
	u.Total = u.Prompt + u.Reply + u.Thoughts
	if w.request.dialect != studio {
		u.Traffic = "ON_DEMAND"
	}
	if !last {
		return u
	}
	if a.promptText > 0 {
		u.PromptBy = append(u.PromptBy, byKind{"TEXT", a.promptText})
	}
	if a.promptBlobs > 0 {
		u.PromptBy = append(u.PromptBy, byKind{"IMAGE", a.promptBlobs})
	}
	if w.request.dialect != studio && replyTokens > 0 {
		kind := "TEXT"
		if a.picture != nil {
			kind = "IMAGE"
		}
		u.ReplyBy = []byKind{{kind, replyTokens}}
	}
	return u
}

// reply makes one response object around parts; u may be nil.
func (w *writer) reply(c candidate, parts []replyPart, u *usage) []byte {
	r := &reply{Usage: u, ModelVersion: w.request.model.Name, ResponseID: w.id}
	if w.request.dialect == studio {
		c.Index = new(int)
	} else {
		r.CreateTime = w.x.s.opts.Now().UTC().Format(time.RFC3339Nano)
	}
	if w.answer.feedback != nil {
		r.PromptFeedback = w.answer.feedback
	} else {
		if len(parts) > 0 || c.Finish != "" {
			c.Content = &replyContent{Role: "model", Parts: parts}
		}
		r.Candidates = []candidate{c}
	}
	return w.wrap(r)
}

// wrap encodes a reply in the form of the back end.
func (w *writer) wrap(r *reply) []byte {
	if w.request.dialect == assist {
		return encode(envelope{r, w.trace})
	}
	return encode(r)
}

func textPart(s string) replyPart { return replyPart{Text: &s} }

// callParts gives the calls of the answer; only the first of a step carries a signature.
func (w *writer) callParts() []replyPart {
	parts := w.serverParts()
	for i, c := range w.answer.calls {
		p := replyPart{Call: &replyCall{c.id, c.name, c.args}}
		if i == 0 && w.signs() {
			p.Signature = sign(w.request.model.family(), covering(c.name, w.answer.searched))
		}
		parts = append(parts, p)
	}
	return parts
}

// serverParts are a search that the back end ran by itself, and what came of it: both are signed.
func (w *writer) serverParts() []replyPart {
	id := w.answer.searched
	if id == "" {
		return nil
	}
	signature := sign(w.request.model.family(), covering("", id))
	return []replyPart{
		{ToolCall: object{"toolType": "GOOGLE_SEARCH_WEB", "args": object{"queries": []string{w.request.lastText()}}, "id": id}, Signature: signature},
		{ToolReply: object{"toolType": "GOOGLE_SEARCH_WEB", "response": object{"search_suggestions": "<div>search</div>"}, "id": id}, Signature: signature},
	}
}

// signs reports whether parts of this answer are signed: always from Gemini 3 on, before that when thinking with functions.
func (w *writer) signs() bool {
	r := w.request
	return r.model.gemini3() || w.answer.thoughtTokens > 0 && len(r.tools.declared) > 0
}

func (w *writer) picturePart() replyPart {
	p := replyPart{Inline: &replyBlob{"image/png", base64.StdEncoding.EncodeToString(w.answer.picture)}}
	if w.request.model.gemini3() {
		p.Signature = sign(w.request.model.family(), "")
	}
	return p
}

// runs cuts a text into pieces of so many characters, the sizes in turn.
func runs(text string, sizes []int) []string {
	var out []string
	for i := 0; text != ""; i++ {
		end := 0
		for n := max(sizes[i%len(sizes)], 1); n > 0 && end < len(text); n-- {
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		out = append(out, text[:end])
		text = text[end:]
	}
	return out
}

// pieces cuts a text into runs of n words, spaces kept, so that the pieces joined are the text.
func pieces(text string, n int) []string {
	var out []string
	for text != "" {
		end := 0
		for range n {
			i := strings.IndexAny(text[end:], " \n")
			if i < 0 {
				end = len(text)
				break
			}
			end += i + 1
		}
		out = append(out, text[:end])
		text = text[end:]
	}
	return out
}
