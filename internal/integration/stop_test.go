//go:build integration

package integration

import (
	"bytes"
	"slices"
	"testing"
)

// An engine that is stopped, killed, or robbed of its Redis while it works decides what an undisturbed one decides, once.
func TestDisturbedEngineDecidesTheSame(t *testing.T) {
	lines := slices.Collect(bytes.Lines(smallPurchases(t)))
	want := decisionsAfter(t, func(in *installation) { in.send(bytes.Join(lines, nil)) })
	if len(want) < 20 {
		t.Fatalf("only %d decisions: that they are the same shows nothing", len(want))
	}
	for name, disturb := range map[string]func(t *testing.T, in *installation, engine *process) *process{
		"stop": func(_ *testing.T, in *installation, engine *process) *process {
			engine.stop()
			return in.start("engine")
		},
		"kill -9": func(_ *testing.T, in *installation, engine *process) *process {
			engine.Kill()
			return in.start("engine")
		},
		"FLUSHALL": func(t *testing.T, in *installation, engine *process) *process {
			if err := in.redis.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			return engine
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := installWithLinks(t)
			engine := in.start("engine")
			for part := range slices.Chunk(lines, 300) {
				before := in.committed("purchases")
				in.send(bytes.Join(part, nil))
				// It has begun with the part, and has hardly done with it.
				within(t, limit, "the engine goes on", func() bool { return in.committed("purchases") > before })
				engine = disturb(t, in, engine)
			}
			in.drained(engine)
			alerts := in.alerts()
			onlyOnce(t, alerts)
			same(t, want, decisions(alerts))
		})
	}
}
