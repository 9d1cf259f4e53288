package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

func parseDuration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return seconds2duration(seconds)
	}
	return time.ParseDuration(strings.ReplaceAll(text, " ", ""))
}

func seconds2duration(seconds float64) (time.Duration, error) {
	if math.IsNaN(seconds) || math.Abs(seconds) > math.MaxInt64/float64(time.Second)-1 {
		return 0, errors.New("out of range")
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), nil
}

// formatDuration drops the zero parts that time.Duration prints: "5m" and not "5m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits goes from the longest to the shortest name, so that a suffix match finds the unit.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
		{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"B", 1},
	}
}

func parseSize(text string) (int64, error) {
	text = strings.TrimSpace(text)
	unit := int64(1)
	for _, u := range sizeUnits() {
		if cut := len(text) - len(u.name); cut > 0 && strings.EqualFold(text[cut:], u.name) {
			text, unit = strings.TrimSpace(text[:cut]), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > math.MaxInt64/unit || n < math.MinInt64/unit {
			return 0, errors.New("out of range")
		}
		return n * unit, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f)*float64(unit) >= math.MaxInt64 {
		return 0, errors.New("not a size")
	}
	return int64(f * float64(unit)), nil
}

func formatSize(n int64) string {
	for _, name := range []string{"GB", "MB", "GiB", "MiB", "kB", "KiB"} {
		for _, u := range sizeUnits() {
			if u.name == name && n >= u.bytes && n%u.bytes == 0 {
				return strconv.FormatInt(n/u.bytes, 10) + name
			}
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}
