// Package antitrunc goes on where an answer was cut off, inside of one stream to the client.
//
// The model is told to end a whole answer with a mark. Where the mark does not come, the stage asks it to
// go on, in a call of its own, and joins what follows (stream.go). What may be the beginning of the mark is
// held back until it is known (mark.go), and what a continuation says again is left out (seam.go).
package antitrunc

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"gcli2api/pipeline"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
)

// Settings is the [stage.antitrunc] table.
type Settings struct {
	MaxAttempts int    `koanf:"max_attempts"`
	Mark        string `koanf:"mark"`
	Continue    string `koanf:"continue"`
	Relaxed     bool   `koanf:"relaxed"`
	Plain       bool   `koanf:"plain"`
}

// The values of Settings.Continue.
const (
	prompt  = "prompt"
	prefill = "prefill"
)

const (
	defaultMark = "[[END OF ANSWER]]"
	leastMark   = 4
	mostMark    = 64
)

// name is what a client reads where the feature is left out.
const name = "anti-truncation"

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	one, ten, least, most := 1.0, 10.0, float64(leastMark), float64(mostMark)
	return pipeline.Kind{
		Name:   "antitrunc",
		Does:   "goes on where an answer was cut off, inside of one stream",
		Needs:  []pipeline.Fact{pipeline.HasModel, pipeline.HasCall},
		Before: []pipeline.Fact{pipeline.HasLease},
		Params: []config.Param{
			{Key: "stage.antitrunc.max_attempts", Flat: "anti_truncation_max_attempts", Env: []string{"ANTI_TRUNCATION_MAX_ATTEMPTS"}, Type: config.Int, Default: 3, Min: &one, Max: &ten,
				Help: "attempts at one answer, the first one counted"},
			{Key: "stage.antitrunc.mark", Type: config.String, Default: defaultMark, Min: &least, Max: &most, Check: checkMark,
				Help: "what the model is told to write below a whole answer; nobody sees it"},
			{Key: "stage.antitrunc.continue", Type: config.String, Default: prompt, OneOf: []string{prompt, prefill},
				Help: "how to ask for the rest: by a turn of the user, or by the unfinished turn of the model alone, which models from the third generation on refuse: they get prompt"},
			{Key: "stage.antitrunc.relaxed", Type: config.Bool, Default: false,
				Help: "true also takes an answer for whole that ended by itself, without the mark, behind a whole sentence or code block"},
			{Key: "stage.antitrunc.plain", Type: config.Bool, Default: false,
				Help: "true also serves requests that do not stream, at the price of the feature"},
		},
		New: pipeline.New(Settings{3, defaultMark, prompt, false, false}, build),
	}
}

// checkMark keeps to marks that JSON writes as they are, whoever writes it.
func checkMark(value any) error {
	mark, _ := value.(string)
	if n := len(mark); n < leastMark || n > mostMark {
		return errors.New("must have 4 to 64 characters")
	}
	if strings.ContainsFunc(mark, func(r rune) bool { return r < ' ' || r > '~' }) || strings.ContainsAny(mark, `"\<>&`) {
		return errors.New(`must consist of printable ASCII characters, without any of " \ < > &`)
	}
	if strings.TrimSpace(mark) != mark {
		return errors.New("must not begin or end with a space")
	}
	return nil
}

func build(s Settings, b *pipeline.Build) (pipeline.Stage, error) {
	through := "retry"
	if !b.Has(through) {
		through = "upstream"
	}
	catalogue, err := b.Models()
	if err != nil {
		return nil, err
	}
	s.Continue = strings.ToLower(s.Continue)
	return &stage{Settings: s, through: through, log: b.Log, models: catalogue, mark: newMarker(s.Mark), rule: rulePart(s.Mark)}, b.RerunsRest(through)
}

type stage struct {
	Settings
	through string // the last stage of what is run again
	log     *slog.Logger
	models  *models.Catalogue
	mark    *marker
	rule    []byte // the part that tells the model of the mark

	usual atomic.Pointer[frame] // of plain events lately
}

// Process makes the first attempt and puts the stream over all of them in its place.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	if !x.Model.Features.Has(models.AntiTruncation) {
		return pipeline.Next
	}
	off := !x.WantsStream && !s.Plain || unfit(x)
	if off {
		x.Dropped(name)
	} else {
		x.Fetch = pipeline.InEvents
	}
	if off == x.WantsStream { // quota has charged for it by whether the client wants a stream
		if fail := x.Reprice(x.Model); fail != nil {
			return x.Fail(fail)
		}
	}
	if off {
		return pipeline.Next
	}
	before := x.Call.Mark()
	s.instruct(x)
	rest := x.Rest(s.through)
	reply := rest.Run(x)
	if reply.Stream == nil {
		x.Call.Restore(before)
		return rest.Instead()
	}
	x.Reply.Stream = newStream(s, x, rest)
	return rest.Instead()
}
