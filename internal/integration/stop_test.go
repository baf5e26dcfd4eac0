//go:build integration

package integration

import (
	"testing"

	"leadline/internal/sample"
)

// An engine that is stopped, killed, and robbed of its Redis in the middle decides what an undisturbed one decides, once.
func TestDisturbedEngineDecidesTheSame(t *testing.T) {
	dir := unpack(t, sample.Small())
	load := func(in *installation) *process {
		return in.start("load", "--rate", "300", "--topic", "purchases", dir+"/complete-journey.purchases.jsonl")
	}
	want := decisionsAfter(t, func(in *installation) { <-load(in).done })
	if len(want) < 20 {
		t.Fatalf("only %d decisions: that they are the same shows nothing", len(want))
	}
	for name, disturb := range map[string]func(t *testing.T, in *installation, engine *process) *process{
		"stop": func(_ *testing.T, in *installation, engine *process) *process {
			engine.stop()
			return in.start("engine")
		},
		"kill -9": func(_ *testing.T, in *installation, engine *process) *process {
			engine.kill()
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
			engine, loading := in.start("engine"), load(in)
			for _, share := range []int64{400, 800, 1200} {
				within(t, limit, "the load is under way", func() bool { return in.committed("purchases") >= share })
				engine = disturb(t, in, engine)
			}
			<-loading.done
			in.drained(engine)
			alerts := in.alerts()
			onlyOnce(t, alerts)
			same(t, want, decisions(alerts))
		})
	}
}
