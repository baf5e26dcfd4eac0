//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/sample"
)

// TestMainJobUnderKills loads the whole sample into a running Leadline, which in the middle of it is stopped, killed, and loses
// its Redis. Then a program that shares no code with it recomputes every cross-sell from the raw purchases.
func TestMainJobUnderKills(t *testing.T) {
	in := install(t)
	in.must("topics", "check")
	dir := unpack(t, sample.Full())
	running := in.start("run")
	loading := in.start("load", "--rate", "1000", dir)

	in.advance(running, 5_000)
	running.stop()
	running = in.start("run")
	in.advance(running, 5_000)
	running.Kill()
	running = in.start("run")
	in.advance(running, 5_000)
	if err := in.redis.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	<-loading.Done()
	if err := loading.Err(); err != nil {
		t.Fatal(err)
	}
	in.drained(running)

	alerts := in.alerts()
	onlyOnce(t, alerts)
	in.recompute(filepath.Join(dir, "complete-journey.purchases.jsonl"))
	in.oneSlotTagAShard()

	// The same file once more: every record is known already.
	in.must("load", dir)
	in.drained(running)
	if more := ofCustomers(in.alerts()) - ofCustomers(alerts); more != 0 {
		t.Errorf("a second load of the same files led to %d more alerts", more)
	}
	in.readByOthers(alerts)
}

// ofCustomers counts without the alerts about channels, which the analyst says when it gets to it.
func ofCustomers(alerts []sales.Alert) (n int) {
	for i := range alerts {
		if alerts[i].CustomerID != "" {
			n++
		}
	}
	return n
}

// recompute runs the independent check of every cross-sell.
func (in *installation) recompute(purchases string) {
	in.t.Helper()
	out, err := output(in.command(python(in.t), "../../deploy/verify/crosssell.py", purchases))
	if err != nil {
		in.t.Errorf("crosssell.py: %v", err)
		return
	}
	in.t.Log(out)
}

// oneSlotTagAShard holds Redis to the promise that a cluster needs: every key has its shard's hash tag.
func (in *installation) oneSlotTagAShard() {
	in.t.Helper()
	tag := regexp.MustCompile(`^\{` + regexp.QuoteMeta(in.prefix) + `:?\d+\}`)
	tags := map[string]bool{}
	keys := 0
	iterator := in.redis.Scan(in.t.Context(), 0, "*"+in.prefix+"*", 1000).Iterator()
	for iterator.Next(in.t.Context()) {
		keys++
		found := tag.FindString(iterator.Val())
		if found == "" {
			in.t.Fatalf("key %q does not begin with a shard's tag", iterator.Val())
		}
		tags[found] = true
	}
	if err := iterator.Err(); err != nil {
		in.t.Fatal(err)
	}
	if len(tags) != 4 || keys < 500 {
		in.t.Errorf("%d keys under %d tags, want the customers of 4 shards", keys, len(tags))
	}
}

// readByOthers reads the alerts with clients that no one here wrote: each must see what Leadline decided.
func (in *installation) readByOthers(alerts []sales.Alert) {
	in.t.Helper()
	sent := 0
	for _, a := range alerts {
		if a.Kind == sales.CrossSell && a.SuppressedBy == sales.NotSuppressed {
			sent++
		}
	}
	if sent < 100 {
		in.t.Fatalf("only %d cross-sells were sent: that others read them shows nothing", sent)
	}
	for name, cmd := range map[string]*exec.Cmd{
		"Python": in.command(python(in.t), "../../deploy/clients/python/leadline.py", "read", "alerts.cross-sell"),
		"Node":   in.command("node", "../../deploy/clients/node/leadline.mjs", "read", "alerts.cross-sell"),
	} {
		out, err := output(cmd)
		if err != nil {
			in.t.Errorf("%s: %v", name, err)
			continue
		}
		lines := slices.Collect(strings.Lines(out))
		if len(lines) != sent {
			in.t.Errorf("%s reads %d cross-sells, want %d", name, len(lines), sent)
		}
		for _, want := range []string{`"alert_id"`, `"ce_id"`, `"evidence"`} {
			if n := strings.Count(out, want); n < sent {
				in.t.Errorf("%s sees %s in %d of %d alerts", name, want, n, sent)
			}
		}
	}
}

// python is the interpreter that has what deploy/clients/python/requirements.txt names.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PYTHON")
	if path == "" {
		t.Fatal("PYTHON is not set: make integration sets it")
	}
	return path
}
