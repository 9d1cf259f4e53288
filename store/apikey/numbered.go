package apikey

import (
	"fmt"
	"strconv"
	"strings"
)

// numbered gives the terms of key i of n, counted from 1, with as many digits as the last one has.
func numbered(t Terms, i, n int) Terms {
	const place = "{n}"
	if n == 1 || t.Description == "" {
		return t
	}
	if !strings.Contains(t.Description, place) {
		t.Description += " " + place
	}
	t.Description = strings.Replace(t.Description, place, fmt.Sprintf("%0*d", len(strconv.Itoa(n)), i), 1)
	return t
}
