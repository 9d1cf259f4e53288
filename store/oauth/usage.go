package oauth

import (
	"context"
	"math"
	"strconv"
	"time"
)

// Bucket is what Google says is left of one quota. It is a hint: calls are refused with much left, and
// served with nothing (protocol 2.6).
type Bucket struct {
	Model    string
	Type     string    // what is counted, "REQUESTS"
	Fraction float64   // of 0 to 1
	Amount   int64     // -1 when Google does not say
	Reset    time.Time // zero when Google does not say
	Guessed  bool      // Google left the fraction out, which is how it writes nothing
}

// maxBuckets bounds what is kept of an answer.
const maxBuckets = 200

// RetrieveUserQuota asks what is left for the account in a project.
func (c *Client) RetrieveUserQuota(ctx context.Context, token, project string) ([]Bucket, error) {
	var answer struct {
		Buckets []rawBucket `json:"buckets"`
	}
	in := struct {
		Project string `json:"project"`
	}{project}
	url := c.settings().Endpoints.CodeAssist + "/v1internal:retrieveUserQuota"
	if err := c.call(ctx, request{url: url, token: token, in: in}, &answer); err != nil {
		return nil, err
	}
	list := make([]Bucket, 0, min(len(answer.Buckets), maxBuckets))
	for _, raw := range answer.Buckets {
		if b, ok := raw.read(c.o.Now()); ok && len(list) < maxBuckets {
			list = append(list, b)
		}
	}
	return list, nil
}

type rawBucket struct {
	Model    string   `json:"modelId"`
	Type     string   `json:"tokenType"`
	Fraction *float64 `json:"remainingFraction"`
	Amount   string   `json:"remainingAmount"`
	Reset    string   `json:"resetTime"`
}

// read judges a bucket; false for one that says nothing.
func (r rawBucket) read(now time.Time) (Bucket, bool) {
	b := Bucket{Model: phrase(r.Model), Type: word(r.Type), Amount: -1}
	if len(b.Model) > 100 || b.Model == "" {
		return b, false
	}
	if n, err := strconv.ParseInt(r.Amount, 10, 64); err == nil && n >= 0 {
		b.Amount = n
	}
	if at, err := time.Parse(time.RFC3339, r.Reset); err == nil {
		b.Reset = at
	}
	switch {
	case r.Fraction != nil && !math.IsNaN(*r.Fraction):
		b.Fraction = min(max(*r.Fraction, 0), 1)
	case b.Reset.After(now):
		b.Guessed = true
	default:
		return b, false
	}
	return b, true
}
