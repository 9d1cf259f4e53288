package console

import (
	"errors"
	"fmt"

	"gcli2api/pipeline/models"
	"gcli2api/pipeline/wire"
	"gcli2api/store/apikey"

	"github.com/gofiber/fiber/v2"
)

// tokenCostView is what a million tokens of a model cost.
type tokenCostView struct {
	In  int64 `json:"input"`
	Out int64 `json:"output"`
}

// costs shows the cost table (behaviour 7.4): what is built in and what was changed, and which of both.
func (s Services) costs(c *fiber.Ctx) error {
	units, tokens, changed := map[string]int64{}, map[string]tokenCostView{}, []string{}
	for _, row := range s.Book.Costs.List() {
		units[row.Name] = row.Units
		if row.In != 0 || row.Out != 0 {
			tokens[row.Name] = tokenCostView{row.In, row.Out}
		}
		if row.Own {
			changed = append(changed, row.Name)
		}
	}
	return c.JSON(fiber.Map{"default_cost": s.Book.Costs.Default(), "model_costs": units, "token_costs": tokens, "overridden": changed})
}

// costBody is what POST /auth/models/costs takes. Prices of tokens that are left out stay, null takes them away.
type costBody struct {
	name    string
	units   int64
	in, out *int64
}

func costBodyOf(c *fiber.Ctx) (b costBody, err error) {
	body, err := objectOf(c)
	if err != nil {
		return b, err
	}
	m, err := readFields(body, "model_name", "cost", "input", "output")
	if err != nil {
		return b, err
	}
	if b.name, err = m.text("model_name", maxModelName); err != nil {
		return b, err
	}
	if b.units, err = apikey.Whole("cost", m["cost"], 0, apikey.MaxCost); err != nil {
		return b, err
	}
	nothing := 0
	for name, at := range map[string]**int64{"input": &b.in, "output": &b.out} {
		if wire.KindOf(m[name]) == wire.KindNull && m[name] != nil {
			*at = new(int64)
			continue
		}
		if *at, err = m.whole(name, 0, apikey.MaxCost); err != nil {
			return b, err
		}
		if *at != nil && **at == 0 {
			nothing++
		}
	}
	if nothing == 2 && b.units != 0 {
		return b, &apikey.FieldError{Field: "input", Says: "0 beside an output of 0 does not make the model free: cost 0 does, and null leaves the price to the settings"}
	}
	return b, nil
}

// maxModelName bounds a name with all its features.
const maxModelName = 400

// setCost changes what a model costs; it counts from the next request on.
func (s Services) setCost(c *fiber.Ctx) error {
	in, err := costBodyOf(c)
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	catalogue := s.Engine.Models()
	m := catalogue.Parse(in.name)
	before, _ := s.Book.Costs.Of(m)
	now, err := s.Book.Costs.Edit(ctx, m, func(v *apikey.Cost) {
		v.Units = in.units
		if in.in != nil {
			v.In = *in.in
		}
		if in.out != nil {
			v.Out = *in.out
		}
	})
	switch {
	case errors.Is(err, apikey.ErrManyCosts):
		return refuse(c, fiber.StatusConflict, err.Error())
	case err != nil:
		return s.failed(c, err)
	}
	name := m.Canonical()
	s.changes(c, name, costSaid(before), costSaid(now))
	message := fmt.Sprintf("%s costs %d from now on", name, now.Units)
	_, known := catalogue.Lookup(m.Base)
	if known = known || s.Book.Costs.IsBuiltIn(m.Base); !known {
		message += "; " + m.Base + " is no model that this gateway knows: look whether the name is right"
	}
	answer := fiber.Map{"message": message, "model_name": name, "cost": now.Units, "known_model": known}
	withTokens(answer, now)
	return c.JSON(answer)
}

func costSaid(v apikey.Cost) map[string]any {
	return map[string]any{"cost": v.Units, "input": v.In, "output": v.Out}
}

// resetCost gives a model its built-in cost again.
func (s Services) resetCost(c *fiber.Ctx) error {
	m, err := s.modelInPath(c, "*")
	if err != nil {
		return s.failed(c, err)
	}
	ctx, done := unhurried(c)
	defer done()
	before, _ := s.Book.Costs.Of(m)
	switch err := s.Book.Costs.Reset(ctx, m); {
	case errors.Is(err, apikey.ErrNoCost):
		return refuse(c, fiber.StatusNotFound, err.Error())
	case err != nil:
		return s.failed(c, err)
	}
	now, _ := s.Book.Costs.Of(m)
	s.changes(c, m.Canonical(), costSaid(before), costSaid(now))
	return c.JSON(fiber.Map{"message": fmt.Sprintf("what was changed for %s is gone: it costs %d", m.Canonical(), now.Units), "model_name": m.Canonical(), "cost": now.Units})
}

// cost tells everybody what a model costs.
func (s Services) cost(c *fiber.Ctx) error {
	m, err := s.modelInPath(c, "+")
	if err != nil {
		return s.failed(c, err)
	}
	cost, listed := s.Book.Costs.Of(m)
	answer := fiber.Map{"model_name": m.Asked, "cost": cost.Units, "is_default": !listed}
	withTokens(answer, cost)
	return c.JSON(answer)
}

// withTokens adds what tokens cost, where somebody said so.
func withTokens(answer fiber.Map, cost apikey.Cost) {
	if cost.In != 0 || cost.Out != 0 {
		answer["input"], answer["output"] = cost.In, cost.Out
	}
}

// modelInPath reads the name of a model, which may have slashes in it, encoded or not.
func (s Services) modelInPath(c *fiber.Ctx, param string) (models.Model, error) {
	name, err := inPath(c, param)
	if err != nil {
		return models.Model{}, err
	}
	m := s.Engine.Models().Parse(name)
	if len(name) > maxModelName || m.Nameless() {
		return m, &apikey.FieldError{Field: "model_name", Says: fmt.Sprintf("must be the name of a model, of %d bytes at most", maxModelName)}
	}
	return m, nil
}
