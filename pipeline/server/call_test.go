package server

import (
	"context"
	"errors"
	"testing"
	"time"
)

// over waits for a channel that must be closed now.
func over(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s is not over", what)
	}
}

func TestCallIsAContext(t *testing.T) {
	var all calls
	var c call
	c.begin(&all)
	derived, stop := context.WithTimeout(&c, time.Hour)
	defer stop()
	ran, kept := 0, 0
	c.AfterFunc(func() { ran++ })
	if !c.AfterFunc(func() { kept++ })() {
		t.Error("a function that did not run cannot be taken back")
	}
	if c.Err() != nil || derived.Err() != nil {
		t.Fatal("over before the end")
	}
	c.cancel()
	c.cancel()
	over(t, "the call", c.Done())
	over(t, "a context made of it", derived.Done())
	if !errors.Is(c.Err(), context.Canceled) || !errors.Is(context.Cause(derived), context.Canceled) || ran != 1 || kept != 0 {
		t.Errorf("error %v, cause %v, %d and %d runs", c.Err(), context.Cause(derived), ran, kept)
	}
	late := make(chan struct{})
	if c.AfterFunc(func() { close(late) })() {
		t.Error("too late to be taken back")
	}
	over(t, "a late function", late)
	c.end()
	if all.first != nil {
		t.Error("still in the list")
	}
}

func TestCallOfALaterRequestIsNotTouched(t *testing.T) {
	var all calls
	var c call
	c.begin(&all)
	stop := c.AfterFunc(func() {})
	c.end()
	c.begin(&all)
	ran := 0
	c.AfterFunc(func() { ran++ })
	if c.Err() != nil {
		t.Error("the second request begins over")
	}
	if stop() {
		t.Error("a stop of the first request took something from the second")
	}
	c.end()
	if ran != 1 {
		t.Errorf("the second request's function ran %d times", ran)
	}
}

func TestStopEndsAllCalls(t *testing.T) {
	var all calls
	var some [4]call
	for i := range some {
		some[i].begin(&all)
	}
	some[1].end()
	some[3].end()
	all.stop()
	over(t, "the first call", some[0].Done())
	over(t, "the third call", some[2].Done())
	some[0].end()
	some[2].end()
	some[1].begin(&all)
	over(t, "a call that begins after the stop", some[1].Done())
	some[1].end()
	if all.first != nil {
		t.Error("the list is not empty")
	}
}
