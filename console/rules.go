package console

import (
	"gcli2api/store/pool"

	"github.com/gofiber/fiber/v2"
)

// ruleView is a row of the table that says what an error of Google means.
type ruleView struct {
	Name        string `json:"name"`
	Origin      string `json:"origin"`
	When        string `json:"when"`
	Scope       string `json:"scope,omitempty"`
	Cooldown    string `json:"cooldown,omitempty"`
	Same        string `json:"same_again,omitempty"`
	Others      string `json:"others,omitempty"`
	Consequence string `json:"consequence,omitempty"`
	Note        string `json:"note,omitempty"`
}

type breakView struct {
	Model     string  `json:"model"` // "" for all calls
	Kind      string  `json:"kind"`
	State     string  `json:"state"`
	Failures  int     `json:"failures_in_a_row"`
	Breaks    int     `json:"breaks_in_a_row"`
	Until     float64 `json:"until,omitempty"`
	Remaining float64 `json:"remaining_seconds,omitempty"`
	Row       string  `json:"rule"`
}

// rules shows the table in the order in which it is read.
func (s Services) rules(c *fiber.Ctx) error {
	list := []ruleView{}
	for _, r := range s.Pool.Rows() {
		list = append(list, ruleView(r))
	}
	return c.JSON(fiber.Map{"rules": list, "actions": pool.Actions()})
}

// breakers shows what is held against Google: those that have counted a failure since the last success.
func (s Services) breakers(c *fiber.Ctx) error {
	list := []breakView{}
	for _, b := range s.Pool.Breaks() {
		list = append(list, breakView{Model: b.Model, Kind: b.Kind, State: b.State, Failures: b.Failures, Breaks: b.Breaks,
			Until: unix(b.Until), Remaining: max(b.Left.Seconds(), 0), Row: b.Row})
	}
	return c.JSON(fiber.Map{"breakers": list})
}
