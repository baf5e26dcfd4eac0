//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/sample"
	"leadline/internal/wire"
)

// The clients that no one here wrote, as commands that take purchases on standard input.
var clients = map[string]func(t *testing.T, in *installation) *exec.Cmd{
	"Python": func(t *testing.T, in *installation) *exec.Cmd {
		return in.command(python(t), "../../deploy/clients/python/leadline.py", "produce")
	},
	"Node": func(t *testing.T, in *installation) *exec.Cmd {
		return in.command("node", "../../deploy/clients/node/leadline.mjs", "produce")
	},
}

// Whoever sends the purchases, the decisions are the same.
func TestClientsSendWhatLoadSends(t *testing.T) {
	purchases := smallPurchases(t)
	want := decisionsAfter(t, func(in *installation) { in.send(purchases) })
	if len(want) < 20 {
		t.Fatalf("only %d decisions: that they are the same shows nothing", len(want))
	}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			got := decisionsAfter(t, func(in *installation) {
				if _, err := outputOf(client(t, in), purchases); err != nil {
					t.Fatal(err)
				}
			})
			same(t, want, got)
		})
	}
}

// A client with librdkafka's own partitioner puts customers where nobody looks for them: dead letters, mended by resending.
func TestMisroutedPurchasesAreMended(t *testing.T) {
	in := installWithLinks(t)
	engine := in.start("engine")
	cmd := in.command(python(t), "../../deploy/clients/python/leadline.py", "produce", "--partitioner", "default")
	if _, err := outputOf(cmd, smallPurchases(t)); err != nil {
		t.Fatal(err)
	}
	in.drained(engine)

	dead := in.records("dead-letters")
	if len(dead) == 0 {
		t.Fatal("the default partitioner put every customer where it belongs")
	}
	for _, r := range dead {
		if class := header(r.Headers, "leadline-class"); class != string(sales.DeadMisrouted) {
			t.Fatalf("a dead letter of class %q", class)
		}
	}
	in.must("dead-letters", "retry", "--class", string(sales.DeadMisrouted))
	in.drained(engine)
	if more := in.records("dead-letters"); len(more) != len(dead) {
		t.Errorf("%d of %d resent records are dead letters again", len(more)-len(dead), len(dead))
	}
	bought := map[string]bool{}
	for _, r := range in.records("purchases") {
		if header(r.Headers, "leadline-retried") != "" || r.Partition == wire.Partition(r.Key, partitions) {
			bought[string(r.Value)] = true
		}
	}
	if orders := bytes.Count(smallPurchases(t), []byte("\n")); len(bought) != orders {
		t.Errorf("%d of %d orders are where they belong", len(bought), orders)
	}
	in.must("dead-letters", "retry", "--class", string(sales.DeadMisrouted))
	in.drained(engine)
	onlyOnce(t, in.alerts())
}

// smallPurchases are the purchases of the small sample as JSON lines.
func smallPurchases(t *testing.T) []byte {
	t.Helper()
	lines, err := os.ReadFile(unpack(t, sample.Small()) + "/complete-journey.purchases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// send loads purchases, given as JSON lines.
func (in *installation) send(purchases []byte) {
	in.t.Helper()
	_, err := outputOf(in.command(binary, "load", "--topic", "purchases", "-"), purchases)
	in.check(err)
}

// outputOf is output for a command that reads standard input.
func outputOf(cmd *exec.Cmd, input []byte) (string, error) {
	cmd.Stdin = bytes.NewReader(input)
	return output(cmd)
}

// decisionsAfter gives all that an engine decides about what is sent to it, under fixed links.
func decisionsAfter(t *testing.T, send func(in *installation), settings ...func(*installation)) []string {
	t.Helper()
	in := installWithLinks(t, settings...)
	engine := in.start("engine")
	send(in)
	in.drained(engine)
	engine.stop()
	return decisions(in.alerts())
}

// decisions says each alert in a line that does not depend on the tenant: ids and the experiment's arms do.
func decisions(alerts []sales.Alert) []string {
	var lines []string
	for _, a := range alerts {
		capped := a.SuppressedBy == sales.ByCap
		lines = append(lines, fmt.Sprintf("%d %s %s %s.%d %s -> %s capped=%t", a.EventTime, a.CustomerID, a.Kind, a.Status, a.Revision,
			a.FromProduct, a.ToProduct, capped))
	}
	slices.Sort(lines)
	return lines
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	if missing := without(want, got); len(missing) > 0 {
		t.Errorf("%d decisions are missing:\n%s", len(missing), strings.Join(missing[:min(5, len(missing))], "\n"))
	}
	if more := without(got, want); len(more) > 0 {
		t.Errorf("%d decisions are too many:\n%s", len(more), strings.Join(more[:min(5, len(more))], "\n"))
	}
}

// without gives what a has more often than b.
func without(a, b []string) []string {
	count := map[string]int{}
	for _, line := range b {
		count[line]++
	}
	var rest []string
	for _, line := range a {
		if count[line]--; count[line] < 0 {
			rest = append(rest, line)
		}
	}
	return rest
}
