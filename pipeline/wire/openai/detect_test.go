package openai

import (
	"testing"

	"gcli2api/pipeline/wire"
)

func TestDetect(t *testing.T) {
	for body, want := range map[string]wire.Format{
		`{"messages":[{"role":"user","content":"x"}]}`:                                wire.OpenAI,
		`{"messages":[{"content":"x","role":"developer"}],"contents":[{"parts":[]}]}`: wire.OpenAI,
		`{"contents":[{"parts":[{"text":"x"}]}],"stream":true}`:                       wire.Gemini,
		`{"contents":[{"role":"user","parts":[{"text":"x"}]}],"messages":[]}`:         wire.Gemini,
		`{"contents":[{"parts":[]}],"messages":[{"role":"robot"}]}`:                   wire.Gemini,
		`{"systemInstruction":{}}`:                                                    wire.Gemini,
		`{"system_instruction":{}}`:                                                   wire.Gemini,
		`{"generation_config":{}}`:                                                    wire.Gemini,
		`{"generationConfig":{},"messages":[{"role":"user"}]}`:                        wire.OpenAI,
		`{"generationConfig":null}`:                                                   wire.OpenAI,
		`{"contents":[{"text":"x"}]}`:                                                 wire.OpenAI,
		`{"contents":"x"}`:                                                            wire.OpenAI,
		`{"messages":"x"}`:                                                            wire.OpenAI,
		`{}`:                                                                          wire.OpenAI,
	} {
		members, err := wire.Scan([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := Detect(members); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestModelList(t *testing.T) {
	const models = `{"models":[{"name":"models/gemini-2.5-pro","displayName":"x"},{"name":"models\/假流式/a"}],"nextPageToken":"t"}`
	got, err := NewListEncoder(7, false).Whole(nil, []byte(models))
	const want = `{"object":"list","data":[{"id":"gemini-2.5-pro","object":"model","created":7,"owned_by":"google"},{"id":"假流式/a","object":"model","created":7,"owned_by":"google"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s %v", got, err)
	}
	if got, err = NewListEncoder(7, false).Whole(nil, []byte(`{}`)); err != nil || string(got) != `{"object":"list","data":[]}` {
		t.Errorf("got %s %v", got, err)
	}
	got, err = NewListEncoder(7, true).Whole(nil, []byte(`{"name":"models/a"}`))
	if err != nil || string(got) != `{"id":"a","object":"model","created":7,"owned_by":"google"}` {
		t.Errorf("got %s %v", got, err)
	}
	if _, err = NewListEncoder(7, false).Whole(nil, []byte(`nonsense`)); err == nil {
		t.Error("nonsense was listed")
	}
}
