package pipeline

import (
	"errors"
	"fmt"
	"strings"

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
	m := models.Defaults()
	if err := c.Section("models", &m); err != nil {
		return nil, err
	}
	if _, err := models.New(m); err != nil {
		key, _, _ := strings.Cut(err.Error(), ":") // it begins with the key
		return nil, fmt.Errorf("%s: %w", c.Place(key), err)
	}
	engine, err := NewEngine(Options{Kinds: kinds, Loopback: c.Listening().Loopback})
	if err != nil {
		return nil, err
	}
	if err := engine.Check(c); err != nil {
		return nil, Located(c, err)
	}
	return c, nil
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
