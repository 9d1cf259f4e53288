package pipeline

import (
	"errors"
	"fmt"

	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
)

// Load reads the configuration against the settings of every stage there is, and refuses a list
// or a table of models that could not be served. Errors name file and line.
func Load(o config.Options, kinds []Kind) (*config.Snapshot, error) {
	for _, k := range kinds {
		o.Params = append(o.Params, k.Params...)
		o.Stages = append(o.Stages, k.Name)
	}
	c, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	if err := checkModels(c); err != nil {
		return nil, err
	}
	engine, err := NewEngine(Options{Kinds: kinds, Loopback: c.Listening().Loopback})
	if err != nil {
		return nil, err
	}
	engine.mu.Lock()
	defer engine.mu.Unlock()
	list, err := engine.build(c)
	if err != nil {
		return nil, Located(c, err)
	}
	defer engine.discard(list)
	return c.Warned(engine.warnings(list, c)), nil
}

// checkModels says everything that is wrong in [models], each with its line.
func checkModels(c *config.Snapshot) error {
	m := models.Defaults()
	if err := c.Section("models", &m); err != nil {
		return err
	}
	_, err := models.New(m)
	var wrong models.Problems
	if !errors.As(err, &wrong) {
		return err
	}
	var all config.Problems
	for _, p := range wrong {
		all = append(all, c.Problem(append([]string{"models"}, p.At...), p.Message))
	}
	return all.Sorted()
}

// Located says where in the configuration the list stands that an engine refused.
func Located(c *config.Snapshot, err error) error {
	key := "pipeline.order"
	var stage *StageError
	if errors.As(err, &stage) {
		key = "stage." + stage.Stage
	}
	return fmt.Errorf("%s: %s: %w", c.Place(key), key, err)
}
