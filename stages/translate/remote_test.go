package translate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/models"
	"gcli2api/pipeline/outbound"
	"gcli2api/pipeline/wire"
	"gcli2api/pipeline/wire/gemini"
)

// album knows its pictures by address; what is fetched over the wire is outbound's to test.
type album struct {
	asked atomic.Int32
	size  int
}

func (a *album) FetchImage(ctx context.Context, address string) (outbound.Picture, *apierror.Error) {
	a.asked.Add(1)
	switch {
	case strings.HasSuffix(address, "gone"):
		return outbound.Picture{}, apierror.New(apierror.BadRequest, "no picture there")
	case strings.HasSuffix(address, "slow"): // until another one has failed
		<-ctx.Done()
		return outbound.Picture{}, apierror.New(apierror.ClientGone, "cancelled")
	}
	return outbound.Picture{MIME: "image/png", Data: []byte(address[len(address)-1:] + strings.Repeat("x", a.size))}, nil
}

func hubWith(addresses ...string) string {
	d := gemini.Draft{B: []byte("{"), Tools: &gemini.Tools{}}
	d.Turn(gemini.User)
	for _, a := range addresses {
		d.Text([]byte("look"))
		d.Remote([]byte(a))
	}
	d.Turn(gemini.TheModel)
	d.Call(gemini.Invocation{ID: []byte("1"), Name: []byte("f"), Args: []byte(`{"parts":[{"fileData":{"fileUri":"http://x/evil"}}]}`)})
	d.Result([]byte("1"), []byte(`{}`))
	d.Finish()
	return string(append(d.B, '}'))
}

func TestRemotePictures(t *testing.T) {
	x := exchange(openaiRoute, wire.OpenAI, `{}`)
	pics := &album{}
	s := made(t)
	s.pictures = pics
	got, fail := s.inline(x, []byte(hubWith("http://h/a", "http://h/b", "http://h/a")))
	if fail != nil || wire.Check(got) != nil {
		t.Fatal(fail, string(got))
	}
	part := func(data string) string { return `{"inlineData":{"mimeType":"image/png","data":"` + data + `"}}` }
	want := strings.NewReplacer(`{"fileData":{"fileUri":"http://h/a"}}`, part("YQ=="), `{"fileData":{"fileUri":"http://h/b"}}`, part("Yg==")).Replace(hubWith("http://h/a", "http://h/b", "http://h/a"))
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if n := pics.asked.Load(); n != 2 {
		t.Errorf("%d fetches for two addresses", n)
	}
}

func TestRemotePicturesRefused(t *testing.T) {
	many := make([]string, 17)
	for i := range many {
		many[i] = fmt.Sprint("http://h/", i)
	}
	for name, c := range map[string]struct {
		addresses []string
		size      int
		code      apierror.Code
		says      string
		param     string
	}{
		"too many":            {many, 0, apierror.BadRequest, "17 remote pictures", "messages[0].content[16].image_url.url"},
		"one is gone":         {[]string{"http://h/slow", "http://h/gone", "http://h/a"}, 0, apierror.BadRequest, "messages[0].content[1].image_url.url: no picture there", "messages[0].content[1].image_url.url"},
		"the only one":        {[]string{"http://h/gone"}, 0, apierror.BadRequest, "no picture there", "messages[0].content[0].image_url.url"},
		"large by repetition": {[]string{"http://h/a", "http://h/a", "http://h/a"}, 8 << 20, apierror.TooLarge, "larger than 20 MB together", ""},
		"large together":      {many[:3], 8 << 20, apierror.TooLarge, "larger than 20 MB together", ""},
	} {
		s := made(t)
		s.pictures = &album{size: c.size}
		var parts []string
		for _, a := range c.addresses {
			parts = append(parts, `{"type":"image_url","image_url":{"url":"`+strings.ReplaceAll(a, "/", `\/`)+`"}}`)
		}
		x := exchange(openaiRoute, wire.OpenAI, `{"model":"m","messages":[{"role":"user","content":[`+strings.Join(parts, ",")+`]}]}`)
		s.Process(x)
		fail := x.Reply.Err
		if fail == nil || fail.Code != c.code || !strings.Contains(fail.Message, c.says) || c.param != "" && fail.Param != c.param {
			t.Errorf("%s: %v, param %s", name, fail, fail.Param)
		}
	}
	if _, fail := made(t).inline(exchange(openaiRoute, wire.OpenAI, `{}`), []byte(hubWith("http://h/a"))); fail == nil {
		t.Error("nobody fetches, and nobody says so")
	}
}

func TestPlaceOf(t *testing.T) {
	doc := `{"a":[1,{"b":"x"},[null,true]],"天":{"c":["y","n\u0061me"]},"d":"\"z\""}`
	for text, want := range map[string]string{"x": "a[1].b", "y": "?.c[0]", "name": "?.c[1]", `"z"`: "d", "none": ""} {
		if got := placeOf([]byte(doc), text); strings.ReplaceAll(got, "???", "?") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// shelf is a memory of one owner.
type shelf struct {
	docs map[string][]byte
	err  error
	asks int
}

func (s *shelf) Keep(context.Context, pipeline.Place, time.Duration, ...pipeline.Item) error {
	return s.err
}

func (s *shelf) Recall(_ context.Context, at pipeline.Place, id string) ([]byte, bool, error) {
	s.asks++
	doc, ok := s.docs[at.Owner+"/"+string(at.Shelf)+"/"+id]
	return doc, ok, s.err
}

func (s *shelf) Forget(context.Context, pipeline.Place, string) (bool, error) { return false, s.err }

func TestRecall(t *testing.T) {
	known := gemini.Remembered{ID: "g", Signature: "s", Kind: "gemini", Model: "gemini-3-pro-preview"}
	m := &shelf{docs: map[string][]byte{"key:k1/sig/call_1": known.Append(nil)}}
	s := made(t)
	s.memory = m
	x := exchange(openaiRoute, wire.OpenAI, `{}`)
	x.Caller = pipeline.Caller{Kind: "key", ID: "k1"}
	x.Model.Base = "gemini-3-flash-preview"
	if got, ok := s.recall(x)([]byte("call_1")); !ok || got != known {
		t.Errorf("%v %+v", ok, got)
	}
	again := s.recall(x)
	again([]byte("call_1"))
	if _, ok := again([]byte("call_1")); ok || m.asks != 2 {
		t.Errorf("an id repeated in one dialogue is found again, after %d look-ups", m.asks)
	}
	// What Google's tools did is given back within bounds; beyond them there is no signature that covers it.
	large := gemini.Remembered{ID: "g", Signature: "s", Kind: "gemini", Model: "gemini-3-pro-preview", Before: `{"toolCall":"` + strings.Repeat("x", 60<<10) + `"}`}
	find20 := s.recall(x)
	given, bare := 0, 0
	for i := range 20 {
		m.docs["key:k1/sig/large_"+strconv.Itoa(i)] = large.Append(nil)
		switch got, _ := find20([]byte("large_" + strconv.Itoa(i))); {
		case got == large:
			given++
		case got.Before == "" && got.Signature == "" && got.ID == "g":
			bare++
		}
	}
	if got, _ := find20([]byte("call_1")); given != 17 || bare != 3 || got != known {
		t.Errorf("%d with all, %d without, then %+v", given, bare, got)
	}
	x.Model.Base = "gemini-2.5-pro"
	if got, ok := s.recall(x)([]byte("call_1")); !ok || got.Signature != "" || got.ID != "g" {
		t.Errorf("of another family: %v %+v", ok, got)
	}
	x.Caller.ID = "k2"
	if _, ok := s.recall(x)([]byte("call_1")); ok {
		t.Error("somebody else's signature")
	}
	m.err = errors.New("down")
	m.asks = 0
	find := s.recall(x)
	find([]byte("call_1"))
	find([]byte("call_2"))
	if m.asks != 1 {
		t.Errorf("a broken store was asked %d times", m.asks)
	}
}

func TestSafetyDefault(t *testing.T) {
	s := made(t)
	s.safety = "OFF"
	x := exchange(geminiRoute, wire.Gemini, `{"contents":`+turn+`,"safety_settings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}`)
	if s.Process(x) != pipeline.Next {
		t.Fatal(x.Reply.Err)
	}
	got, _ := x.Call.Get("safetySettings")
	want := `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"},{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"OFF"},` +
		`{"category":"HARM_CATEGORY_SEXUALLY_EXPLICIT","threshold":"OFF"},{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","threshold":"OFF"},` +
		`{"category":"HARM_CATEGORY_CIVIC_INTEGRITY","threshold":"BLOCK_NONE"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.safety = ""
	x = exchange(geminiRoute, wire.Gemini, `{"contents":`+turn+`}`)
	if s.Process(x); x.Call.Len() != 1 {
		t.Error("something was added to safety settings")
	}
}

func TestEmbeds(t *testing.T) {
	route := pipeline.Route{Format: wire.Gemini, Verb: pipeline.Embed}
	for body, param := range map[string]string{
		`{"content":{"parts":[{"text":"a"}]}}`:                "",
		`{"requests":[{"content":{"parts":[{"text":"a"}]}}]}`: "",
		`{}`:                             "content",
		`{"content":"a"}`:                "content",
		`{"requests":[]}`:                "requests",
		`{"requests":1}`:                 "requests",
		`{"content":{},"requests":[{}]}`: "content",
	} {
		x := exchange(route, wire.Gemini, body)
		made(t).Process(x)
		if f := x.Reply.Err; (f == nil) != (param == "") || f != nil && (f.Status != 400 || f.Param != param) {
			t.Errorf("%s: %v", body, f)
		}
	}
}

func TestHollowTurns(t *testing.T) {
	const user, model, empty = `{"role":"user","parts":[{"text":"a"}]}`, `{"role":"model","parts":[{"text":"b"}]}`, `{"role":"model","parts":[{"text":""}]}`
	for in, want := range map[string]string{
		user + `,` + model + `, ` + empty + `,` + user:                          user + `,` + model + `,` + user,
		user + `,{"role":"model","parts":[]},` + user:                           user + `,` + user,
		user + `,{"role":"model","parts":[{"text":"","thoughtSignature":"s"}]}`: user + `,{"role":"model","parts":[{"text":"","thoughtSignature":"s"}]}`,
		user + `,{"role":"model","parts":[{"text":""},{"functionCall":{}}]}`:    user + `,{"role":"model","parts":[{"text":""},{"functionCall":{}}]}`,
		`{"parts":[{"text":""}]}`:                                               `{"parts":[{"text":""}]}`,
		user + ` , ` + model:                                                    user + ` , ` + model,
	} {
		x := exchange(geminiRoute, wire.Gemini, `{"contents":[`+in+`]}`)
		if made(t).Process(x) != pipeline.Next {
			t.Fatal(x.Reply.Err)
		}
		if got, _ := x.Call.Get("contents"); string(got) != `[`+want+`]` {
			t.Errorf("got  %s\nwant [%s]", got, want)
		}
	}
}

// Chats of Google's SDKs make a turn of every event; Google wants one, and the client's own bytes elsewhere.
func TestTurnsOfTheModelAreJoined(t *testing.T) {
	const user, call = `{"role":"user","parts":[{"text":"a"}]}`, `{"functionCall":{"name":"f"},"thoughtSignature":"s"}`
	for in, want := range map[string]string{
		user + `,{"role":"model","parts":[{"text":"t","thought":true}]},{"parts":[` + call + `],"role":"model"},` + user: user + `,{"role":"model","parts":[{"text":"t","thought":true},` + call + `]},` + user,
		user + `, {"parts":[{"text":"b"}],"role":"model"}, ` + user:                                                      user + `, {"parts":[{"text":"b"}],"role":"model"}, ` + user,
		user + `,{"role":"model","parts":[{"text":"b"}],"x":1},{"role":"model","parts":[` + call + `]}`:                  user + `,{"role":"model","parts":[{"text":"b"}],"x":1},{"role":"model","parts":[` + call + `]}`,
		user + `,` + user + `,{"role":"model","parts":[1]},{"role":"model","parts":[2, 3]},{"role":"model","parts":[4]}`: user + `,` + user + `,{"role":"model","parts":[1,2, 3,4]}`,
	} {
		x := exchange(geminiRoute, wire.Gemini, `{"contents":[`+in+`]}`)
		if made(t).Process(x) != pipeline.Next {
			t.Fatal(x.Reply.Err)
		}
		if got, _ := x.Call.Get("contents"); string(got) != `[`+want+`]` {
			t.Errorf("got  %s\nwant [%s]", got, want)
		}
	}
}

// A request that is made again for a fallback has its pictures already; nothing is kept where there is none.
func TestRemotePicturesAreFetchedOnce(t *testing.T) {
	for _, c := range []struct {
		model string
		want  int32
	}{{"falls-back", 2}, {"does-not", 4}} {
		set := models.Defaults()
		set.Fallback = map[string]string{"falls-back": "other"}
		catalogue, err := models.New(set)
		if err != nil {
			t.Fatal(err)
		}
		pics, s := &album{}, made(t)
		s.pictures, s.catalogue = pics, catalogue
		x := exchange(openaiRoute, wire.OpenAI, `{}`)
		x.Model.Base = c.model
		hub := hubWith("http://h/a", "http://h/b", "http://h/a")
		first, fail := s.inline(x, []byte(hub))
		if fail != nil {
			t.Fatal(fail)
		}
		x.FallBack("other")
		x.Model.Base = x.Fallback
		again, fail := s.inline(x, []byte(hub))
		if fail != nil || string(first) != string(again) || pics.asked.Load() != c.want {
			t.Errorf("%s: %d fetches, %v\n%s\n%s", c.model, pics.asked.Load(), fail, first, again)
		}
	}
}
