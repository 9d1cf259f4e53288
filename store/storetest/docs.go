package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gcli2api/store"
)

func documents(k *kit) {
	put := func(when store.Rev) error {
		_, err := k.s.Put(k.ctx, table, store.Doc{ID: "a", Body: []byte(`{"no":1}`)}, when)
		return err
	}
	del := func(when store.Rev) error { return k.s.Delete(k.ctx, table, "a", when) }

	k.gone("a")
	for _, when := range []store.Rev{store.New, store.Any, 1, 7} {
		k.is("delete nothing", del(when), store.ErrNotFound)
	}
	k.is("put to a revision of nothing", put(1), store.ErrConflict)
	if rev := k.put("a", `{"v":1}`, store.New); rev != 1 {
		k.Fatalf("the first revision is %d", rev)
	}
	if d := k.has("a", `{"v":1}`, 1); !d.Expires.IsZero() {
		k.Fatalf("it expires at %v", d.Expires)
	}
	for _, when := range []store.Rev{store.New, 2, -2} {
		k.is(fmt.Sprintf("put %d to revision 1", when), put(when), store.ErrConflict)
	}
	k.has("a", `{"v":1}`, 1)
	if rev := k.put("a", `{"v":2}`, 1); rev != 2 {
		k.Fatalf("the second revision is %d", rev)
	}
	k.is("put to an old revision", put(1), store.ErrConflict)
	if rev := k.put("a", `{"v":3}`, store.Any); rev != 3 {
		k.Fatalf("the third revision is %d", rev)
	}
	for _, when := range []store.Rev{store.New, 2, 4, -2} {
		k.is(fmt.Sprintf("delete %d of revision 3", when), del(when), store.ErrConflict)
	}
	k.has("a", `{"v":3}`, 3)

	other, err := k.s.Put(k.ctx, table+"2", store.Doc{ID: "a", Body: []byte(`"other"`)}, store.New)
	k.is("the same id in another table", err, nil)
	if other != 1 {
		k.Fatalf("it begins at revision %d", other)
	}
	k.is("delete", del(3), nil)
	k.gone("a")
	k.is("put to a deleted one", put(3), store.ErrConflict)
	k.is("delete again", del(store.Any), store.ErrNotFound)
	k.put("a", `{"v":4}`, store.New)
	k.is("delete any", del(store.Any), nil)
	k.put("a", `{"v":5}`, store.Any)
	if d, err := k.s.Get(k.ctx, table+"2", "a"); err != nil || string(d.Body) != `"other"` || d.Rev != 1 {
		k.Fatalf("the other table: %+v %v", d, err)
	}
}

// ownBytes: what goes in and comes out is nobody else's.
func ownBytes(k *kit) {
	body := []byte(`"first"`)
	_, err := k.s.Put(k.ctx, table, store.Doc{ID: "a", Body: body}, store.New)
	k.ok(err)
	copy(body, `"xxxxx"`)
	copy(k.has("a", `"first"`, 1).Body, `"yyyyy"`)
	docs, err := k.s.List(k.ctx, table, "", 1)
	k.ok(err)
	copy(docs[0].Body, `"zzzzz"`)
	k.has("a", `"first"`, 1)
}

func list(k *kit) {
	ids := sampleNames()
	for i, id := range ids {
		k.put(id, fmt.Sprint(i), store.New)
	}
	for _, t := range []store.Table{table + "2", "storetes", "STORETEST", "storetest/"} {
		_, err := k.s.Put(k.ctx, t, store.Doc{ID: "b", Body: []byte(`"of another table"`)}, store.New)
		k.ok(err)
	}
	sorted := slices.Sorted(slices.Values(ids))
	docs, err := k.s.List(k.ctx, table, "", len(ids)+1)
	k.ok(err)
	var got []string
	for _, d := range docs {
		got = append(got, d.ID)
		if want := fmt.Sprint(slices.Index(ids, d.ID)); string(d.Body) != want || d.Rev != 1 {
			k.Errorf("%q: %s at %d, want %s", d.ID, d.Body, d.Rev, want)
		}
	}
	if !slices.Equal(got, sorted) {
		k.Fatalf("ids in the wrong order:\n%q, want\n%q", got, sorted)
	}
	if docs, err := k.s.List(k.ctx, "nothing", "", 5); err != nil || len(docs) != 0 {
		k.Fatalf("an empty table: %v %v", docs, err)
	}
	for _, limit := range []int{0, -1} {
		_, err := k.s.List(k.ctx, table, "", limit)
		k.is(fmt.Sprintf("limit %d", limit), err, store.ErrInvalid)
	}
}

func listPages(k *kit) {
	var ids []string
	for i := range 25 {
		ids = append(ids, fmt.Sprintf("n%02d", i))
		k.put(ids[i], "1", store.New)
	}
	for _, limit := range []int{1, 4, 5, 24, 25, 26, 1000} {
		var got []string
		for after := ""; ; {
			docs, err := k.s.List(k.ctx, table, after, limit)
			k.ok(err)
			for _, d := range docs {
				got, after = append(got, d.ID), d.ID
			}
			if len(docs) < limit {
				break
			}
			if len(docs) > limit {
				k.Fatalf("%d documents, the limit is %d", len(docs), limit)
			}
		}
		if !slices.Equal(got, ids) {
			k.Fatalf("in pages of %d: %q", limit, got)
		}
	}
	for after, first := range map[string]string{"n03": "n04", "n03x": "n04", "n": "n00", "N99": "n00"} {
		docs, err := k.s.List(k.ctx, table, after, 1)
		if err != nil || len(docs) != 1 || docs[0].ID != first {
			k.Fatalf("behind %q comes %v %v, want %s", after, docs, err, first)
		}
	}
	if docs, err := k.s.List(k.ctx, table, "n24", 1); err != nil || len(docs) != 0 {
		k.Fatalf("behind the last one: %v %v", docs, err)
	}
}

// sampleNames are all different, and each may be a pattern, a path or the same as another one
// somewhere on the way to the disk.
func sampleNames() []string {
	return []string{
		"a", "A", "a ", " a", "a/", "a/b", "a//b", "a/b/c", "ab", "b", "Z", "z", "aé", "ae\u0301", "a\u00e9x", "ß", "ẞ", "中文/模型", "😀", "\u200b",
		".", "..", "../a", "/", "\\", "a\\b", "%", "a%", "a_", "a_b", "*", "a*", "?", "[a]", "{a}", "a:b", "$a", "a.b", "'", `"`, "a'b", ";--",
		"null", "0", "00", "-1", "NaN", "\uffff", "\U0010ffff", "\ufffd", strings.Repeat("x", store.MaxName), strings.Repeat("x", store.MaxName-1),
		strings.Repeat("中", store.MaxName/3), "key@example.com", "use/2026-01-01/cred/x.json/gemini-2.5-pro/in",
	}
}

// names: each of them is a document, a counter and a lease of its own.
func names(k *kit) {
	for i, name := range sampleNames() {
		k.put(name, fmt.Sprintf(`{"n":%d}`, i), store.New)
		left, err := k.s.Take(k.ctx, name, int64(i+1), 1000)
		if err != nil || left != int64(1000-i-1) {
			k.Fatalf("take %q: %d %v", name, left, err)
		}
		k.ok(k.s.Add(k.ctx, []store.Delta{{Counter: name, N: 1}}))
		k.ok(k.s.AddOnce(k.ctx, name, []store.Delta{{Counter: name, N: 0}}))
		if mine, err := k.s.Claim(k.ctx, name, fmt.Sprint("owner ", i), time.Minute); err != nil || !mine {
			k.Fatalf("claim %q: %v %v", name, mine, err)
		}
	}
	for i, name := range sampleNames() {
		k.has(name, fmt.Sprintf(`{"n":%d}`, i), 1)
		k.counter(name, int64(i+2))
		if theirs, err := k.s.Claim(k.ctx, name, "somebody else", time.Minute); err != nil || theirs {
			k.Fatalf("claim %q again: %v %v", name, theirs, err)
		}
	}
	for _, name := range sampleNames() {
		k.ok(k.s.Delete(k.ctx, table, name, 1))
		k.gone(name)
	}
}

func refused(k *kit) {
	for _, name := range []string{"", strings.Repeat("x", store.MaxName+1), strings.Repeat("中", store.MaxName/3+1), "a\x00b", "\x00", "a\nb", "\x7f", "\u0085", "\xff", "a\xed\xa0\x80", "\xc0\x80"} {
		_, err := k.s.Put(k.ctx, table, store.Doc{ID: name, Body: []byte("1")}, store.Any)
		k.is(fmt.Sprintf("put %q", name), err, store.ErrInvalid)
		_, err = k.s.Get(k.ctx, table, name)
		k.is(fmt.Sprintf("get %q", name), err, store.ErrInvalid)
		k.is(fmt.Sprintf("delete %q", name), k.s.Delete(k.ctx, table, name, store.Any), store.ErrInvalid)
		_, err = k.s.Take(k.ctx, name, 1, 1)
		k.is(fmt.Sprintf("take %q", name), err, store.ErrInvalid)
		k.is(fmt.Sprintf("add %q", name), k.s.Add(k.ctx, []store.Delta{{Counter: "fine", N: 1}, {Counter: name, N: 1}}), store.ErrInvalid)
		_, err = k.s.Claim(k.ctx, name, "me", time.Minute)
		k.is(fmt.Sprintf("claim %q", name), err, store.ErrInvalid)
		_, err = k.s.Claim(k.ctx, "lease", name, time.Minute)
		k.is(fmt.Sprintf("claim as %q", name), err, store.ErrInvalid)
	}
	k.counter("fine", 0)
	if docs, err := k.s.List(k.ctx, table, "", 10); err != nil || len(docs) != 0 {
		k.Fatalf("something was stored: %v %v", docs, err)
	}
	_, err := k.s.Take(k.ctx, "fine", -1, 10)
	k.is("take a negative number", err, store.ErrInvalid)
	k.counter("fine", 0)
}

func bodies(k *kit) {
	big := `"` + strings.Repeat("x", store.MaxBody-2) + `"`
	for i, body := range []string{
		`{}`, `[]`, `null`, `true`, `0`, `-0.0`, `1e400`, `123456789012345678901234567890`, `""`, `"a"`, `"\u0000\ud83d\ude00\/"`, "\"中文 😀 \u2028\"",
		`{"b":1,"a":2,"b":3}`, " {\n\t\"spaced\" : [ 1 , 2 ] }\r\n", `{"$set":{"a.b":1},"":"empty key"}`, big,
	} {
		id := fmt.Sprint("body ", i)
		k.put(id, body, store.New)
		k.has(id, body, 1)
	}
	for i, body := range []string{
		"", " ", "{", "{}{}", "nul", "NaN", "'a'", `{"a":}`, `{"a":1,}`, "\"a\nb\"", "\"\xff\"", "\xef\xbb\xbf{}", "\x00", big + " ", `"` + big,
	} {
		id := fmt.Sprint("bad ", i)
		_, err := k.s.Put(k.ctx, table, store.Doc{ID: id, Body: []byte(body)}, store.New)
		k.is(fmt.Sprintf("body %q", short([]byte(body))), err, store.ErrInvalid)
		k.gone(id)
	}
}

// typed: store.Docs on this engine.
func typed(k *kit) {
	type value struct{ N int }
	docs := store.Docs[value]{Store: k.s, Table: table}
	until := k.clock.Now().Add(time.Hour).Truncate(time.Millisecond)
	_, err := docs.PutUntil(k.ctx, "a", value{1}, store.New, until)
	k.ok(err)
	v, err := docs.Update(k.ctx, "a", func(v *value) error { v.N++; return nil })
	if err != nil || v.N != 2 {
		k.Fatalf("update: %+v %v", v, err)
	}
	if d := k.has("a", `{"N":2}`, 2); !d.Expires.Equal(until) {
		k.Fatalf("the update moved the expiry to %v", d.Expires)
	}
	k.put("b", `"no value"`, store.New)
	if v, err := docs.Update(k.ctx, "c", func(v *value) error { v.N += 5; return nil }); err != nil || v.N != 5 {
		k.Fatalf("update of nothing: %+v %v", v, err)
	}
	var got []string
	for id, r := range docs.All(k.ctx) {
		got = append(got, fmt.Sprint(id, r.Value.N, r.Rev, r.Err != nil))
	}
	if want := []string{"a2 2 false", "b0 1 true", "c5 1 false"}; !slices.Equal(got, want) {
		k.Fatalf("all: %q, want %q", got, want)
	}
	k.ok(docs.Delete(k.ctx, "a"))
	k.ok(docs.Delete(k.ctx, "a"))
	_, _, err = docs.Get(k.ctx, "a")
	k.is("get", err, store.ErrNotFound)
}
