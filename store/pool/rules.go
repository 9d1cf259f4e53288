package pool

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gcli2api/pipeline/config"
	"gcli2api/store/oauth"
)

// Rule is a row of the operator: one element of [[pool.rule]]. Whatever is set of the conditions must hold.
type Rule struct {
	Name   string        `koanf:"name"`
	Status any           `koanf:"status"` // an HTTP status or a list of them
	Text   string        `koanf:"text"`   // part of Google's message, in any case
	Reason string        `koanf:"reason"` // of Google's error details
	Model  string        `koanf:"model"`  // "*" stands for any text
	Kind   string        `koanf:"kind"`   // of credentials
	Action string        `koanf:"action"`
	For    time.Duration `koanf:"for"` // of the actions that let something rest
}

// The actions of a rule.
const (
	actPass    = "pass"     // the client gets the error, and nothing else happens
	actNext    = "next"     // another credential is tried, and nothing is held against this one
	actRetry   = "retry"    // the same credential is tried once more, then others
	actRest    = "rest"     // the model rests on the credential, others are tried
	actRestAll = "rest-all" // the credential rests, others are tried
	actBan     = "ban"      // the credential is switched off, others are tried
	actBreak   = "break"    // Google is in trouble: a breaker counts it, no credential is to blame
)

// Actions are the words that a rule may have as its action.
func Actions() []string {
	return []string{actPass, actNext, actRetry, actRest, actRestAll, actBan, actBreak}
}

// byOperator is the origin of the rows that an operator added.
const byOperator = "operator"

// longestRest bounds the rest that a rule gives: a week of wrong words should not cost a pool more.
const longestRest = 8 * 24 * hours

// ruled makes rows of rules that Check has passed.
func ruled(rules []Rule) (rows []row) {
	for i, r := range rules {
		one := row{name: r.Name, by: byOperator, others: all, cool: cool{least: r.For},
			when: match{http: statuses(r.Status), model: r.Model, kinds: kindBit(r.Kind)}}
		if one.name == "" {
			one.name = "rule " + strconv.Itoa(i+1)
		}
		if r.Text != "" {
			one.when.text = []string{strings.ToLower(r.Text)}
		}
		if r.Reason != "" {
			one.when.reason = []string{r.Reason}
		}
		one.says = "Google refuses it (" + one.name + ")"
		one.act(r.Action)
		rows = append(rows, one)
	}
	return rows
}

func (r *row) act(action string) {
	switch action {
	case actPass:
		r.others = 0
	case actRetry:
		r.same = []time.Duration{seconds}
	case actRest:
		r.scope = onPair
	case actRestAll:
		r.scope = onCred
	case actBan:
		r.then = bans
	case actBreak:
		r.scope, r.cool, r.pauses, r.same = onUpstream, long(), noSense, []time.Duration{seconds}
	}
}

// statuses reads the condition, nil for none or a wrong one.
func statuses(v any) []int {
	switch v := v.(type) {
	case int64:
		return []int{int(v)}
	case int:
		return []int{v}
	case []int:
		return v
	case []any:
		var list []int
		for _, one := range v {
			n, ok := one.(int64)
			if !ok {
				return nil
			}
			list = append(list, int(n))
		}
		return list
	}
	return nil
}

// wrong says what keeps a rule from being a row, and in which of its settings; "" for none of them.
func (r *Rule) wrong() (at string, err error) {
	codes := statuses(r.Status)
	switch {
	case r.Status != nil && (len(codes) == 0 || slices.ContainsFunc(codes, func(n int) bool { return n < 400 || n > 599 })):
		return "status", errors.New("must be an HTTP status between 400 and 599, or a list of them")
	case r.Status == nil && r.Text == "" && r.Reason == "":
		return "", errors.New("must say which errors it is about: status, text or reason")
	case r.Kind != "" && !slices.Contains(oauth.Kinds(), r.Kind):
		return "kind", fmt.Errorf("must be one of %s, got %q%s", words(oauth.Kinds()), r.Kind, config.DidYouMean(r.Kind, oauth.Kinds()))
	case r.Action == "":
		return "", fmt.Errorf("must have an action, one of %s", words(Actions()))
	case !slices.Contains(Actions(), r.Action):
		return "action", fmt.Errorf("must be one of %s, got %q%s", words(Actions()), r.Action, config.DidYouMean(r.Action, Actions()))
	}
	return r.wrongRest(codes)
}

func (r *Rule) wrongRest(codes []int) (at string, err error) {
	rests := r.Action == actRest || r.Action == actRestAll
	switch {
	case rests && (r.For < time.Second || r.For > longestRest):
		return "for", errors.New(`must be between 1s and 192h: how long the rest is`)
	case !rests && r.For != 0:
		return "for", fmt.Errorf("is for the actions %s only", words([]string{actRest, actRestAll}))
	case (rests || r.Action == actBan) && r.Text == "" && r.Reason == "" && (codes == nil || slices.Contains(codes, 400)):
		return "action", errors.New("must be about more than the status 400: most of these are the client's own mistakes, and would cost every credential in turn. Add text or reason")
	}
	return "", nil
}

func words(list []string) string {
	quoted := make([]string, len(list))
	for i, one := range list {
		quoted[i] = strconv.Quote(one)
	}
	return strings.Join(quoted, ", ")
}

// sharing is the [pool.shared] table.
type sharing map[string][]string

// maxShared bounds the models of one quota: each of them is remembered by each credential.
const maxShared = 16

// Check finds what is wrong with the rows of the operator, each with its line, and what is of no use.
func Check(c *config.Snapshot) (useless config.Problems, err error) {
	rules, shared, err := tables(c)
	if err != nil {
		return nil, err
	}
	var all config.Problems
	names := map[string]bool{}
	for i := range rules {
		at, wrong := rules[i].wrong()
		if name := rules[i].Name; wrong == nil && name != "" && names[name] {
			at, wrong = "name", fmt.Errorf("must be a name of its own, %q is there twice", name)
		}
		names[rules[i].Name] = true
		if wrong != nil {
			place := []string{"pool", "rule", strconv.Itoa(i)}
			if at != "" {
				place = append(place, at)
			}
			all = append(all, c.Problem(place, wrong.Error()))
		}
	}
	for name, models := range shared {
		if len(models) > maxShared {
			all = append(all, c.Problem([]string{"pool", "shared", name}, "must name at most "+strconv.Itoa(maxShared)+" models"))
		}
	}
	if len(all) > 0 {
		return nil, all.Sorted()
	}
	return uselessCodes(c), nil
}

// uselessCodes warns of statuses to ban for that the table decides on by itself.
func uselessCodes(c *config.Snapshot) (all config.Problems) {
	for _, status := range c.Ints("pool.auto_ban_error_codes") {
		if r := decides(status); !r.listed && c.Origin("pool.auto_ban_error_codes").Source != config.FromDefault {
			all = append(all, c.Problem([]string{"pool", "auto_ban_error_codes"},
				fmt.Sprintf("%d has no effect: the table has rows for it (%q), which decide; a row of your own under [[pool.rule]] goes before them", status, r.name)))
		}
	}
	return all
}

// decides gives the built-in row for an error of which nothing but the status is known.
func decides(status int) row {
	rows := table()
	for _, r := range rows {
		w := r.when
		bare := w.code == "" && !w.network && !w.html && w.reason == nil && w.text == nil && w.quota == nil && !w.zero && !w.preview
		if bare && slices.Contains(w.http, status) {
			return r
		}
	}
	return rows[len(rows)-1]
}

func tables(c *config.Snapshot) (rules []Rule, shared sharing, err error) {
	if err := c.Decode("pool.rule", &rules); err != nil {
		return nil, nil, err
	}
	if err := c.Decode("pool.shared", &shared); err != nil {
		return nil, nil, err
	}
	return rules, shared, nil
}
