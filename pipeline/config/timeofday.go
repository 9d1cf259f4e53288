package config

import (
	"errors"
	"time"
)

// TimeOfDay is how long after midnight a setting as "07:00" is; 0 for one that is no time of day.
func TimeOfDay(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

func checkTimeOfDay(value any) error {
	text := value.(string)
	if _, err := time.Parse("15:04", text); err != nil || len(text) != len("15:04") {
		return errors.New(`must be a time of day such as "07:00"`)
	}
	return nil
}
