package config

// DidYouMean is what to put behind the message about a word that is none of these; "" when none is close.
func DidYouMean(word string, these []string) string { return didYouMean(nearest(word, these), "%") }

// nearest returns the candidate that name was probably meant to be, "" when none is close.
func nearest(name string, candidates []string) string {
	const longest = 64 // a longer name is no typing error, and the distance costs its square
	if len(name) > longest {
		return ""
	}
	best, limit := "", len(name)/3+2
	for _, c := range candidates {
		if len(c) > longest || c == "" {
			continue
		}
		if d := distance(name, c); d < limit && d < max(len(name), len(c)) {
			best, limit = c, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete, replace, or swap with the next one.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, row[j]+1, last[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
