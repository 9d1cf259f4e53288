//go:build !race

// The race detector makes pools forget on purpose, so allocations are counted without it.

package codeassist_test

import (
	"testing"

	"gcli2api/pipeline"
	"gcli2api/pipeline/outbound"
	"gcli2api/stages/upstream/codeassist"
	"gcli2api/stages/upstream/geminiapi"
)

func TestPrepareHardlyAllocates(t *testing.T) {
	x := exchange(t, pipeline.Streaming, "gemini-2.5-pro", body2k)
	for name, d := range map[string]dialect{"codeassist": codeassist.New(fixed{}), "geminiapi": geminiapi.New(fixed{})} {
		var req outbound.Request
		got := testing.AllocsPerRun(200, func() {
			once(&req, d, x)
		})
		if got > 2 {
			t.Errorf("%s: %v allocations, 2 are allowed", name, got)
		}
	}
}
