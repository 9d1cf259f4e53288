package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEmbeddings(t *testing.T) {
	k := start(t, Options{})
	var one struct{ Embedding struct{ Values []float64 } }
	for body, want := range map[string]int{
		`{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"hi"}]},"outputDimensionality":8}`:                              8,
		`{"content":{"role":"user","parts":[{"text":"hi"},{"text":"you"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"a"}`:                    3072,
		`{"content":{"parts":[{"text":"hi"}]},"output_dimensionality":3072,"task_type":"CLUSTERING","model":"models/gemini-embedding-001"}`: 3072,
	} {
		a := k.studio("embedContent", "gemini-embedding-001", body)
		one.Embedding.Values = nil
		if err := json.Unmarshal(a.body, &one); a.status != 200 || err != nil || len(one.Embedding.Values) != want {
			t.Errorf("%s: %d %.200s", body, a.status, a.body)
		}
	}
	k.studio("embedContent", "gemini-2.5-pro", `{"content":{"parts":[{"text":"hi"}]}}`).want(t, 404, "is not found")
	k.studio("generateContent", "gemini-embedding-001", user("x")).want(t, 404, "is not found")
	var many struct{ Embeddings []struct{ Values []float64 } }
	a := k.studio("batchEmbedContents", "text-embedding-004", batchOf(100, `"a"`, ""))
	if err := json.Unmarshal(a.body, &many); err != nil || len(many.Embeddings) != 100 || len(many.Embeddings[99].Values) != 768 {
		t.Errorf("%d %.200s", a.status, a.body)
	}
}

// batchOf is a batch for text-embedding-004 of n times this text, with more behind the content.
func batchOf(n int, text, more string) string {
	one := `{"model":"models/text-embedding-004","content":{"parts":[{"text":` + text + `}]}` + more + `}`
	return `{"requests":[` + one + strings.Repeat(","+one, n-1) + `]}`
}

func TestEmbeddingsThatGoogleRefuses(t *testing.T) {
	k := start(t, Options{})
	content := `"content":{"parts":[{"text":"hi"}]}`
	for _, tt := range []struct{ method, body, says string }{
		{"batchEmbedContents", batchOf(101, `"a"`, ""), "at most 100 requests"},
		{"batchEmbedContents", `{"requests":[]}`, "requests is not specified"},
		{"batchEmbedContents", `{}`, "requests is not specified"},
		{"batchEmbedContents", batchOf(1, `""`, ""), "requests[0].content.parts[0].text: text content is empty"},
		{"batchEmbedContents", batchOf(2, `"a"`, `,"outputDimensionality":769`), "must be in the range [1, 768]"},
		{"batchEmbedContents", batchOf(1, `"a"`, `,"outputDimensionality":0`), "must be in the range"},
		{"batchEmbedContents", batchOf(1, `"a"`, `,"outputDimensionality":-1`), "must be in the range"},
		{"batchEmbedContents", batchOf(1, `5`, ""), "Invalid value"},
		{"batchEmbedContents", batchOf(1, `"a"`, `,"dimensions":5`), "Cannot find field"},
		{"batchEmbedContents", batchOf(1, `"a"`, `,"taskType":"EVERYTHING"`), "Invalid value"},
		{"batchEmbedContents", `{"requests":[{"model":"models/text-embedding-004",` + content + `},{"model":"models/other",` + content + `}]}`, "requests[1].model: model must match"},
		{"batchEmbedContents", `{"requests":[{` + content + `}]}`, "requests[0].model: model must match"},
		{"batchEmbedContents", `{"requests":[{"model":"text-embedding-004",` + content + `}]}`, "model must match"},
		{"batchEmbedContents", `{"requests":[{"model":"models/text-embedding-004"}]}`, "contents is not specified"},
		{"batchEmbedContents", `{"model":"models/text-embedding-004",` + content + `}`, "Cannot find field"},
		{"embedContent", `{"model":"models/other",` + content + `}`, "model must match"},
		{"embedContent", `{"content":{"parts":[]}}`, "contents is not specified"},
		{"embedContent", `{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}`, "only text"},
		{"embedContent", `{}`, "contents is not specified"},
		{"embedContent", `{"requests":[]}`, "Cannot find field"},
	} {
		a := k.studio(tt.method, "text-embedding-004", tt.body)
		if a.status != 400 || !strings.Contains(string(a.body), tt.says) {
			t.Errorf("%s %.120s: %d %.300s, want %q", tt.method, tt.body, a.status, a.body, tt.says)
		}
	}
}
