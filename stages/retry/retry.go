// Package retry sends a failed upstream call back to an earlier stage for another try.
//
// It decides nothing about errors: the lease advised on each one by the pool's table. Where no try is left
// and the model is to blame, it asks the model's fallback (fallback.go).
package retry

import (
	"log/slog"
	"time"

	"gcli2api/pipeline"
	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/config"
	"gcli2api/pipeline/models"
)

// Settings is the [stage.retry] table.
type Settings struct {
	MaxCalls int           `koanf:"max_calls"`
	Returns  int           `koanf:"returns"`
	From     string        `koanf:"from"`
	On429    bool          `koanf:"on_429"`
	Interval time.Duration `koanf:"interval"`
}

// Kind describes the stage to the registry.
func Kind() pipeline.Kind {
	low, most := 1.0, 64.0
	none, many := 0.0, 50.0
	shortest, longest := 0.01, 10.0
	return pipeline.Kind{
		Name:  "retry",
		Does:  "sends a failed upstream call back for another try",
		Verbs: []pipeline.Verb{pipeline.Generate, pipeline.Streaming, pipeline.Count, pipeline.Embed},
		Needs: []pipeline.Fact{pipeline.HasReply},
		Params: []config.Param{
			{Key: "stage.retry.max_calls", Type: config.Int, Default: 12, Min: &low, Max: &most,
				Help: "calls to Google that one request may cause with one model"},
			{Key: "stage.retry.returns", Flat: "retry_429_max_retries", Env: []string{"RETRY_429_MAX_RETRIES"}, Type: config.Int, Default: 3, Min: &none, Max: &many,
				Help: "goes at a credential that was already tried; moving to a fresh one is free"},
			{Key: "stage.retry.on_429", Flat: "retry_429_enabled", Env: []string{"RETRY_429_ENABLED"}, Type: config.Bool, Default: true,
				Help: "false passes a 429 on without another try"},
			{Key: "stage.retry.interval", Flat: "retry_429_interval", Env: []string{"RETRY_429_INTERVAL"}, Type: config.Duration, Default: "1s", Min: &shortest, Max: &longest,
				Help: "shortest pause before the return to a credential that was rate limited"},
			{Key: "stage.retry.from", Type: config.String, Default: "credential",
				Help: "stage to go back to"},
		},
		Heeds: []pipeline.Heed{{Key: []string{"models", "fallback"}}},
		New:   pipeline.New(Settings{12, 3, "credential", true, time.Second}, build),
	}
}

func build(s Settings, b *pipeline.Build) (pipeline.Stage, error) {
	st := &stage{Settings: s, log: b.Log}
	if err := b.GoesBackTo(s.From); err != nil || !b.Has(settles) {
		return st, err
	}
	c, err := b.Models()
	if err != nil {
		return nil, err
	}
	st.catalogue = c
	return st, b.GoesBackTo(settles)
}

type stage struct {
	Settings
	catalogue *models.Catalogue // nil where no stage settles another model
	log       *slog.Logger
}

// Process looks into the reply before anything of it is sent, and goes back where it may.
func (s *stage) Process(x *pipeline.Exchange) pipeline.Verdict {
	fail := x.FirstError()
	if fail == nil {
		return pipeline.Next
	}
	a := x.Advice()
	if fail.Status == 429 && fail.Upstream && x.Lease != nil && a.Free > 0 {
		fail = fail.After(a.Free)
		x.Reply.Err = fail
	}
	switch {
	case s.again(x, fail, a):
		return pipeline.Rewind(s.From)
	case x.Fallback != "":
		s.failedToo(x, fail)
		return pipeline.Next
	}
	return s.fallBack(x, fail, a)
}

// again says whether another call is worth it, and waits until it is due.
func (s *stage) again(x *pipeline.Exchange, fail *apierror.Error, a pipeline.Advice) bool {
	if !s.worthIt(x, fail) {
		return false
	}
	if a.Again == pipeline.Other { // one not yet tried is free: no pause, nothing spent
		return true
	}
	wait := a.Wait
	if fail.Status == 429 {
		wait = max(wait, s.Interval)
	}
	// The same one at once, with its token or project renewed, is no return: that happens once.
	counts := a.Again == pipeline.Later || a.Wait > 0 || fail.Status == 429
	if a.Again == pipeline.No || counts && x.Returns() >= s.Returns || !x.Sleep(wait) {
		return false // nothing to hope for, out of tries, or nobody is waiting any more
	}
	if counts {
		x.Return()
	}
	return true
}

// worthIt: only a call that was made and failed is made again, and only so often. Without a lease
// the error is not the call's: the advice is about the pool then.
func (s *stage) worthIt(x *pipeline.Exchange, fail *apierror.Error) bool {
	calls := 0
	for i := range x.Attempts {
		if x.Attempts[i].Model == x.Model.Base { // a fallback has tries of its own
			calls++
		}
	}
	return calls > 0 && calls < s.MaxCalls && x.Lease != nil && fail.Upstream && (fail.Status != 429 || s.On429)
}
