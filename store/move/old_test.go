package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
	"gcli2api/store"
	"gcli2api/store/apikey"
	"gcli2api/store/pool"
	"gcli2api/store/storetest/servers"
)

const (
	oldAlice = "sk-OldAAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJ"
	oldSpent = "sk-Oldbbbbccccddddeeeeffffgggghhhhiiiijjjjkkkk"
)

// imports runs the command.
func imports(t testing.TB, from, to string, dry bool, environ ...string) (string, error) {
	t.Helper()
	return does(t, config.Invocation{Command: "import", From: from, To: to, DryRun: dry}, environ...)
}

// Every layout arrives in every engine, the source stays as it is, a dry run writes nothing and a second run
// doubles nothing.
func TestImportOld(t *testing.T) {
	targets := engines(t)
	for name, make := range map[string]func(testing.TB) oldPlace{
		"folder": func(t testing.TB) oldPlace { return oldFolderOf(t, oldFiles(t)) }, "Redis": oldRedis, "Postgres": oldPostgres, "MongoDB": oldMongo, "ZIP": oldZIP,
	} {
		t.Run(name, func(t *testing.T) {
			place := make(t)
			before := place.dump()
			for engine, address := range targets {
				t.Run("to "+engine, func(t *testing.T) {
					to := address(t)
					if engine == "Postgres" {
						wipe(t, to)
					}
					if name == "Redis" && engine == "file" {
						said, err := imports(t, place.from, to, true)
						if err != errLeft || !strings.Contains(said, "credentials: 3 would be taken over, 0 here already, 3 not taken") || exists(strings.TrimPrefix(to, "file:")) {
							t.Fatalf("a dry run: %v, %s", err, said)
						}
					}
					said, err := imports(t, place.from, to, false)
					if err != errLeft {
						t.Fatalf("%v\n%s", err, said)
					}
					arrived(t, place, to, said)
					first := timeless(content(t, to))
					said, err = imports(t, place.from, to, false)
					if err != errLeft || !strings.Contains(said, "credentials: 0 taken over, ") || timeless(content(t, to)) != first {
						t.Fatalf("a second run: %v\n%s\n%s\n%s", err, said, first, timeless(content(t, to)))
					}
				})
			}
			if after := place.dump(); after != before {
				t.Errorf("the source was\n%.500s\nand is\n%.500s", before, after)
			}
		})
	}
}

// timeless leaves out when something was taken over: a mark may be written again.
func timeless(content string) string {
	return regexp.MustCompile(`\\"at\\":\\"[^"]*"`).ReplaceAllString(content, "")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// wipe empties a Postgres.
func wipe(t testing.TB, address string) {
	psql(t, address, "DROP SCHEMA IF EXISTS gcli2api CASCADE;")
}

// arrived checks every field.
func arrived(t *testing.T, place oldPlace, to, said string) {
	t.Helper()
	for _, secret := range []string{"1//old", "the old password", oldAlice, oldSpent, "old-client-secret", "a thousand"} {
		if strings.Contains(said, secret) {
			t.Errorf("the report shows a secret:\n%s", said)
		}
	}
	named := []string{"broken"}
	if !place.zip {
		named = append(named, "password: a secret is not copied into the settings: to go on with it, set PASSWORD", "port: it is read at the start only: to go on with it, set PORT",
			"oauth_proxy_url: tokens would go through that address", "of_nobody: there is no such setting here", "anti_truncation_max_attempts", "_credential_order", "sk-OldddddeeeeffffgggghhhhiiiijjjjkkkkllllmmmM"[:9]+"...", "*** (number 4 of the keys, in the order of their names): a key needs 16 characters")
		if !place.dotless {
			named = append(named, "model_stats of 1 API keys")
		}
	} else {
		named = append(named, "evil.json", "README.txt")
	}
	for _, want := range named {
		if !strings.Contains(said, want) {
			t.Errorf("the report does not name %q:\n%s", want, said)
		}
	}
	opened(t, to, func(p *pool.Pool, b *apikey.Book) {
		all := map[string]pool.Status{}
		for _, s := range p.Status() {
			all[s.ID] = s
		}
		ann, bob, cat := all["ann-1764580000.json"], all["bob.json"], all["cat.json"]
		if ann.Project != "project-ann" || bob.Project != "project-bob" || cat.Project != "project-cat" {
			t.Fatalf("%+v", all)
		}
		text, err := p.Export("ann-1764580000.json")
		ok(t, err)
		if !strings.Contains(string(text), "1//old-refresh-ann") || strings.Contains(string(text), "call_timestamps") {
			t.Errorf("%s", text)
		}
		if place.zip {
			if len(all) != 4 || all["bob-2.json"].Project != "project-bob-2" {
				t.Errorf("%+v", all)
			}
			return
		}
		if len(all) != 3 || !bob.Disabled || !slices.Equal(bob.LastCodes, []int{403}) || ann.Disabled || cat.Disabled {
			t.Errorf("%+v", all)
		}
		if ann.Email != "ann@example.com" || !slices.Equal(ann.LastCodes, []int{429}) || ann.LastSuccess.Unix() != 1764580100 || cat.CoolingUntil.Year() != 2100 {
			t.Errorf("%+v", ann)
		}
		u, _ := p.UsageOf("ann-1764580000.json")
		if midnight := time.Now().UTC(); (midnight.Hour() > 0 || midnight.Minute() > 0) && (u.Total != 10 || u.Pro != 3) || u.Last24h != 2 || u.LimitPro != 50 || ann.Wish.DailyTotal != nil {
			t.Errorf("%+v", u)
		}
		keyed(t, b, place.dotless)
	})
	if place.zip {
		return
	}
	with(t, to, func(s *Side) {
		got := docOf(t, s, store.Settings, "overrides")
		for _, want := range []string{`"pool.calls_per_rotation":33`, `"pool.auto_ban":false`, `[401,403]`} {
			if !strings.Contains(got, want) {
				t.Errorf("settings: no %s in %s", want, got)
			}
		}
		if strings.Contains(got, "password") || strings.Contains(got, "mirror") || strings.Contains(got, "googleapis") {
			t.Errorf("settings: %s", got)
		}
	})
}

func keyed(t *testing.T, b *apikey.Book, dotless bool) {
	t.Helper()
	one, is := b.Keys.Find(oldAlice)
	if !is || one.Quota != 1000 || one.Description != "Alice 爱丽丝" || one.Created.Unix() != 1764576000 {
		t.Fatalf("%+v", one)
	}
	balance, err := b.Ledger.Balance(context.Background(), one)
	ok(t, err)
	if balance.Used != 20 {
		t.Errorf("%+v", balance)
	}
	one, is = b.Keys.Find(oldSpent)
	if !is {
		t.Fatal("no second key")
	}
	if balance, err = b.Ledger.Balance(context.Background(), one); err != nil || balance.Used != 80 {
		t.Errorf("%+v %v", balance, err)
	}
	grammar, err := models.New(models.Defaults())
	ok(t, err)
	for name, want := range map[string]int64{"gemini-2.5-pro": 8, "gemini-2.5-flash": 2, "gemini-9-new": 4} {
		if got := b.Costs.Price(grammar.Parse(name)); got != want && !(dotless && strings.Contains(name, ".")) {
			t.Errorf("%s costs %d, not %d", name, got, want)
		}
	}
	if n := len(b.Keys.List()); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// What was changed or deleted in the new gateway since the first run stays so.
func TestImportOldAgain(t *testing.T) {
	place, to := oldFolderOf(t, oldFiles(t)), folder(t)
	if said, err := imports(t, place.from, to, false); err != errLeft {
		t.Fatalf("%v\n%s", err, said)
	}
	opened(t, to, func(p *pool.Pool, b *apikey.Book) {
		if !p.Enable("bob.json") || !p.Disable("ann-1764580000.json") {
			t.Fatal("no such credential")
		}
		if errs := p.Delete("cat.json"); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
		one, _ := b.Keys.Find(oldAlice)
		ok(t, b.Keys.Delete(context.Background(), one.ID))
	})
	said, err := imports(t, place.from, to, false)
	if err != errLeft || !strings.Contains(said, "credentials: 0 taken over, 3 here already") || !strings.Contains(said, "API keys: 0 taken over, 2 here already") {
		t.Fatalf("%v\n%s", err, said)
	}
	opened(t, to, func(p *pool.Pool, b *apikey.Book) {
		all := map[string]pool.Status{}
		for _, s := range p.Status() {
			all[s.ID] = s
		}
		if len(all) != 2 || all["bob.json"].Disabled || !all["ann-1764580000.json"].Disabled {
			t.Errorf("%+v", all)
		}
		if _, is := b.Keys.Find(oldAlice); is {
			t.Error("a deleted key is back")
		}
	})
}

// Five thousand credentials come in one go, and one that is larger than any file costs no other.
func TestImportOldMany(t *testing.T) {
	s := servers.Redis(t)
	var commands [][]string
	const many = 5000
	for i := range many {
		commands = append(commands, []string{"HSET", "gcli2api:credentials", fmt.Sprintf("c%04d.json", i),
			fmt.Sprintf(`{"credential": {"refresh_token": "1//r%d", "client_id": "c", "client_secret": "s", "project_id": "p%d"}, "state": {"disabled": %t}}`, i, i, i%10 == 0)})
	}
	commands = append(commands, []string{"HSET", "gcli2api:credentials", "huge.json", `{"credential": {"refresh_token": "1//huge", "x": "` + strings.Repeat("x", 16<<20) + `"}}`})
	redisSays(t, s.Port, commands...)
	to := folder(t)
	begun := time.Now()
	said, err := imports(t, s.Address(), to, false)
	t.Logf("%v", time.Since(begun))
	if err != errLeft || !strings.Contains(said, "credentials: 5000 taken over, 0 here already, 1 not taken") || !strings.Contains(said, "huge.json: ") {
		t.Fatalf("%v\n%.2000s", err, said)
	}
	opened(t, to, func(p *pool.Pool, _ *apikey.Book) {
		off := 0
		for _, one := range p.Status() {
			if one.Disabled {
				off++
			}
		}
		if p.Size() != many || off != many/10 {
			t.Errorf("%d credentials, %d switched off", p.Size(), off)
		}
	})
}

func TestImportOldRefuses(t *testing.T) {
	t.Setenv("OLD_PLACE", "redis://user:word-of-pass@127.0.0.1:1")
	for _, c := range []struct{ from, says string }{
		{"", "say -from PLACE"},
		{"old", "the database of this configuration, which names none"},
		{"ftp://x/y", "no place for data"},
		{t.TempDir(), "nothing of the old product was found there"},
		{"/nowhere/at/all", "there is no file or folder"},
		{"redis://user:word-of-pass@127.0.0.1:1", ""},
		{"env:OLD_PLACE", "Redis at 127.0.0.1:1"},
		{"env:NO_SUCH_PLACE", "has no address in it"},
		{"user:word-of-pass@127.0.0.1:1", "an address begins with"},
		{"redis:/user:word-of-pass@127.0.0.1", "an address begins with"},
	} {
		said, err := imports(t, c.from, folder(t), false)
		if says(t, err, c.says); strings.Contains(said+err.Error(), "word-of-pass") {
			t.Errorf("%s: %v %s", c.from, err, said)
		}
	}
}
