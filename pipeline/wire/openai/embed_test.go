package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// embedOne is one request of a batch for the model e, with more behind the content.
func embedOne(inner, more string) string {
	return `{"model":"models/e","content":{"parts":[{"text":"` + inner + `"}]}` + more + `}`
}

func TestEmbedToHub(t *testing.T) {
	for _, c := range []struct {
		body, hub string
		packed    bool
	}{
		{`{"model":"x","input":"hi"}`, embedOne("hi", ""), false},
		{`{"input":["a \"b\"\n","\u00e9天"],"encoding_format":"base64","user":"u"}`, embedOne(`a \"b\"\n`, "") + "," + embedOne(`\u00e9天`, ""), true},
		{`{"input":["a","b"],"dimensions":1e2,"encoding_format":"float"}`, embedOne("a", `,"outputDimensionality":100`) + "," + embedOne("b", `,"outputDimensionality":100`), false},
		{`{"input":["a"],"dimensions":null,"encoding_format":null,"user":null}`, embedOne("a", ""), false},
	} {
		body, members := scanned(t, c.body)
		for _, model := range []string{"e", "models/e"} {
			hub, r, err := EmbedToHub([]byte("kept"), body, members, model)
			if err != nil || string(hub) != `kept{"requests":[`+c.hub+`]}` || r.Base64 != c.packed || r.Ignored != nil {
				t.Errorf("%s: %v, %+v\ngot  %s\nwant %s", c.body, err, r, hub, c.hub)
			}
			if r.Tokens < 1 {
				t.Errorf("%s: %d tokens", c.body, r.Tokens)
			}
		}
	}
}

func TestEmbedModelIsQuoted(t *testing.T) {
	body, members := scanned(t, `{"input":"hi","task":"x"}`)
	hub, r, err := EmbedToHub(nil, body, members, `a"b`)
	if want := `{"requests":[{"model":"models/a\"b","content":{"parts":[{"text":"hi"}]}}]}`; err != nil || string(hub) != want {
		t.Errorf("%v %s", err, hub)
	}
	if strings.Join(r.Ignored, " ") != "task" {
		t.Errorf("%q", r.Ignored)
	}
}

// listOf is a JSON list of n short texts.
func listOf(n int) string { return `["x"` + strings.Repeat(`,"x"`, n-1) + `]` }

func TestEmbedRefused(t *testing.T) {
	refusals{
		given: map[string]string{"input": `"hi"`},
		bad: map[string][]string{
			"input":      {`null`, `""`, `5`, `{}`, `[]`, `true`, listOf(101), listOf(2048)},
			"input[0]":   {`[1,2,3]`, `[[1,2],[3]]`, `[""]`, `[null]`, `[{}]`},
			"input[1]":   {`["a",""]`, `["a",[5]]`, `["a",7]`, `["a",null]`},
			"dimensions": {`0`, `-1`, `1.5`, `"8"`}, "encoding_format": {`"hex"`, `5`, `""`},
		},
		take: func(body []byte, members []wire.Member) *apierror.Error {
			_, _, err := EmbedToHub(nil, body, members, "e")
			return err
		},
		fields: EmbedFields(),
	}.run(t)
}

func TestEmbedLimitIsNamed(t *testing.T) {
	body, members := scanned(t, `{"input":`+listOf(100)+`}`)
	if _, _, err := EmbedToHub(nil, body, members, "e"); err != nil {
		t.Error(err)
	}
	body, members = scanned(t, `{"input":`+listOf(101)+`}`)
	if _, _, err := EmbedToHub(nil, body, members, "e"); err == nil || !strings.Contains(err.Message, "at most 100") {
		t.Error(err)
	}
}

func packed(values ...float32) string {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestEmbedWhole(t *testing.T) {
	const head, tail = `{"object":"list","data":[`, `],"model":"假/e","usage":{"prompt_tokens":7,"total_tokens":7}}`
	entry := func(n int, v string) string {
		return `{"object":"embedding","index":` + strconv.Itoa(n) + `,"embedding":` + v + `}`
	}
	for _, c := range []struct {
		data, want string
		base64     bool
	}{
		{`{"embeddings":[{"values":[ 0.10,` + "\n" + ` -1e-05 ,3]},{"values":[2]}]}`, head + entry(0, `[0.10,-1e-05,3]`) + `,` + entry(1, `[2]`) + tail, false},
		{`{"embeddings":[{"values":[0.1,-1e-05,3,0.25,1.5e-9]},{"values":[]}]}`, head + entry(0, `"`+packed(0.1, -1e-05, 3, 0.25, 1.5e-9)+`"`) + `,` + entry(1, `""`) + tail, true},
		{`{"embedding":{"values":[1,2,3],"shape":[3]}}`, head + entry(0, `[1,2,3]`) + tail, false},
		{`{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":9}}`, head + entry(0, `[1]`) + strings.ReplaceAll(tail, "7", "9"), false},
		{`{"usageMetadata":{},"embeddings":[{"values":[1]}]}`, head + entry(0, `[1]`) + tail, false},
	} {
		out, err := NewEmbedEncoder(EmbedOptions{Model: "假/e", Base64: c.base64, Tokens: 7}).Whole([]byte("kept"), []byte(c.data))
		if err != nil || string(out) != "kept"+c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", c.data, err, out, c.want)
		}
	}
}

func TestEmbedWholeBroken(t *testing.T) {
	for data, code := range map[string]apierror.Code{
		`{}`: apierror.EmptyAnswer, `{"embeddings":[]}`: apierror.EmptyAnswer, `[]`: apierror.EmptyAnswer,
		`{"embeddings":[{}]}`: apierror.StreamBroken, `{"embeddings":[{"values":["NaN"]}]}`: apierror.StreamBroken, `{"embeddings":[1]}`: apierror.StreamBroken,
		`{"embeddings":[{"values":[1,1e]}]}`: apierror.StreamBroken, `{"embedding":{"values":{}}}`: apierror.StreamBroken, ``: apierror.StreamBroken,
	} {
		for _, packed := range []bool{false, true} {
			out, err := NewEmbedEncoder(EmbedOptions{Base64: packed}).Whole([]byte("kept"), []byte(data))
			if err == nil || apierror.From(err).Code != code || string(out) != "kept" {
				t.Errorf("%s: %v, %s", data, err, out)
			}
		}
	}
	if _, err := NewEmbedEncoder(EmbedOptions{Base64: true}).Whole(nil, []byte(`{"embeddings":[{"values":[1e300]}]}`)); err == nil {
		t.Error("a number beyond 32 bits is let through")
	}
}

type embeddings struct {
	Data []struct {
		Index     int
		Embedding []float64
	}
	Usage struct {
		Prompt int `json:"prompt_tokens"`
	}
}

// What the simulator takes, Google takes; its vectors depend on the texts, so their order shows.
func TestEmbedAtGoogle(t *testing.T) {
	s := google(t)
	vectors := func(input, model, options string) embeddings {
		body, members := scanned(t, `{"model":"m","input":`+input+options+`}`)
		hub, r, bad := EmbedToHub(nil, body, members, model)
		if bad != nil {
			t.Fatal(bad)
		}
		status, answer := ask(t, s, model+":batchEmbedContents", hub)
		out, err := NewEmbedEncoder(EmbedOptions{Model: "m", Base64: r.Base64, Tokens: r.Tokens}).Whole(nil, answer)
		if status != 200 || err != nil {
			t.Fatalf("%s: %d %v %s", input, status, err, answer)
		}
		return decoded[embeddings](t, out)
	}
	both := vectors(`["first","second"]`, "gemini-embedding-001", `,"dimensions":8`)
	second := vectors(`"second"`, "gemini-embedding-001", `,"dimensions":8`)
	if len(both.Data) != 2 || len(both.Data[1].Embedding) != 8 || both.Data[1].Index != 1 || both.Usage.Prompt != 4 {
		t.Fatalf("%+v", both)
	}
	for i, v := range second.Data[0].Embedding {
		if both.Data[1].Embedding[i] != v || both.Data[0].Embedding[0] == second.Data[0].Embedding[0] {
			t.Fatalf("out of order: %+v and %+v", both, second)
		}
	}
	if all := vectors(listOf(100), "text-embedding-004", ""); len(all.Data) != 100 {
		t.Errorf("%d embeddings", len(all.Data))
	}
}

func FuzzEmbedToHub(f *testing.F) {
	for _, seed := range []string{`{"input":"hi"}`, `{"input":["a","\u00e9\n"],"dimensions":1e1,"encoding_format":"base64"}`, `{"input":[[1]]}`, `{"\u0069nput":[""]}`, `{"input":[1]}`} {
		f.Add([]byte(seed), "models/e")
	}
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		members, err := wire.Scan(body, nil)
		if err != nil {
			return
		}
		hub, _, bad := EmbedToHub(nil, body, members, model)
		if bad != nil {
			if bad.Status != 400 || bad.Message == "" {
				t.Fatalf("%+v", bad)
			}
			return
		}
		var plain struct{ Input any }
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatal(err)
		}
		texts, ok := plain.Input.([]any)
		if !ok {
			texts = []any{plain.Input}
		}
		var got struct {
			Requests []struct {
				Content struct{ Parts []struct{ Text string } }
			}
		}
		if err := json.Unmarshal(hub, &got); err != nil {
			t.Fatalf("%v: %s", err, hub)
		}
		if _, fail := gemini.NewCall(hub); fail != nil {
			t.Fatalf("%v: %s", fail, hub)
		}
		if caseless(members, "input") {
			return
		}
		if len(got.Requests) != len(texts) {
			t.Fatalf("%s became %s", body, hub)
		}
		for i, text := range texts {
			if got.Requests[i].Content.Parts[0].Text != text {
				t.Fatalf("%s became %s", body, hub)
			}
		}
	})
}

func FuzzEmbedEncoder(f *testing.F) {
	for _, seed := range []string{`{"embeddings":[{"values":[0.1,-2e-5]}]}`, `{"embedding":{"values":[1,2,3,4]},"usageMetadata":{"promptTokenCount":"4"}}`, `{"embeddings":[{"values":["NaN"]},5]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, packed := range []bool{false, true} {
			out, err := NewEmbedEncoder(EmbedOptions{Model: string(data), Base64: packed}).Whole(nil, data)
			if err == nil && !json.Valid(out) {
				t.Fatalf("no JSON: %s\nof %s", out, data)
			}
		}
	})
}

func BenchmarkEmbedToHub(b *testing.B) {
	body, members := scanned(b, `{"input":["`+strings.Repeat(`A sentence to embed, \"quoted\". `, 30)+`"`+strings.Repeat(`,"a short one"`, 49)+`]}`)
	dst := make([]byte, 0, 32<<10)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := EmbedToHub(dst, body, members, "gemini-embedding-001"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEmbedWhole(b *testing.B) {
	data := []byte(`{"embeddings":[{"values":[-0.020386828` + strings.Repeat(`,0.0123456789`, 3071) + `]}]}`)
	for name, packed := range map[string]bool{"float": false, "base64": true} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 64<<10)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewEmbedEncoder(EmbedOptions{Model: "m", Base64: packed}).Whole(dst, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
