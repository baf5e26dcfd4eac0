//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

const subject = "purchases-value"

// nextPurchase is the schema of purchases with one more field, as the next version might have it.
func nextPurchase(t *testing.T, field string) string {
	t.Helper()
	text, _ := schemas.ForTopic("purchases")
	end := strings.LastIndex(text, "]")
	if end < 0 {
		t.Fatal("the schema has no fields")
	}
	return text[:end] + "," + field + text[end:]
}

// widePurchase is the schema with quantities of 64 bits.
func widePurchase(t *testing.T) string {
	t.Helper()
	text, _ := schemas.ForTopic("purchases")
	wide := strings.Replace(text, `"name": "quantity", "type": "int"`, `"name": "quantity", "type": "long"`, 1)
	if wide == text {
		t.Fatal("quantity is no int")
	}
	return wide
}

func (in *installation) register(subject, text string) int {
	in.t.Helper()
	s, err := in.registry.CreateSchema(in.t.Context(), in.prefix+subject, sr.Schema{Schema: text})
	in.check(err)
	return s.ID
}

// TestProducersOfSeveralVersionsAtOnce is the upgrade of a schema that deploy/README.md describes, seen from the engine: some shops write
// the version before, some the next one with a field more, one a wider type, into the same partitions at the same time. Nothing is refused, and
// what is decided is what one producer of the version before leads to.
func TestProducersOfSeveralVersionsAtOnce(t *testing.T) {
	purchases := smallPurchases(t)
	want := decisionsAfter(t, func(in *installation) { in.send(purchases) })
	if len(want) < 20 {
		t.Fatalf("only %d decisions: that they are the same shows nothing", len(want))
	}
	var ours *installation
	ids := map[int]int{}
	got := decisionsAfter(t, func(in *installation) {
		ours = in
		next := in.register(subject, nextPurchase(t, `{"name":"loyalty_card","type":["null","string"],"default":null,"doc":"The card that was shown."}`))
		in.must("topics", "check")
		wide := in.register("purchases-of-the-wide-shop-value", widePurchase(t))
		before, err := in.registry.SchemaByVersion(t.Context(), in.prefix+subject, 1)
		in.check(err)
		in.sendByDay(purchases, []shop{in.piped(in.command(binary, "load", "--topic", "purchases", "-")),
			in.piped(in.command(python(t), "../../deploy/clients/python/leadline.py", "produce")), in.writing(wide)})
		for _, r := range in.records("purchases") {
			ids[int(uint32(r.Value[1])<<24|uint32(r.Value[2])<<16|uint32(r.Value[3])<<8|uint32(r.Value[4]))]++
		}
		for name, id := range map[string]int{"before": before.ID, "next": next, "wide": wide} {
			if ids[id] < 100 {
				t.Errorf("only %d purchases of the schema %s: %v", ids[id], name, ids)
			}
		}
	})
	same(t, want, got)
	t.Logf("%d decisions, purchases by schema id: %v", len(got), ids)
	if dead := ours.records("dead-letters", "late-events"); len(dead) > 0 {
		t.Errorf("%d were refused, the first because %q", len(dead), header(dead[0].Headers, "leadline-reason"))
	}
}

// shop is one producer.
type shop struct {
	send func(line []byte)
	end  func()
}

// piped feeds a program line by line.
func (in *installation) piped(cmd *exec.Cmd) shop {
	in.t.Helper()
	pipe, err := cmd.StdinPipe()
	in.check(err)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	in.check(cmd.Start())
	return shop{
		send: func(line []byte) {
			_, err := pipe.Write(line)
			in.check(err)
		},
		end: func() {
			in.check(pipe.Close())
			if err := cmd.Wait(); err != nil {
				in.t.Fatalf("%v: %s", err, &said)
			}
		},
	}
}

// writing is a producer in this process. Avro writes int and long alike, so what tells its values from ours is the schema they name.
func (in *installation) writing(id int) shop {
	encoder := wire.NewEncoder(map[string]int{subject: id})
	return shop{end: func() {}, send: func(line []byte) {
		record, err := wire.FromJSON("Purchase", line)
		in.check(err)
		value, err := encoder.AppendPurchase(nil, record.(*sales.Purchase))
		in.check(err)
		in.check(in.kafka.ProduceSync(in.t.Context(), &kgo.Record{Topic: in.prefix + "purchases", Key: []byte(wire.Key(record)), Value: value}).FirstErr())
	}}
}

// sendByDay gives each customer to one of the shops, and waits after every day until Kafka has all of it: producers that drift apart by weeks
// would make late events of what is none.
func (in *installation) sendByDay(purchases []byte, shops []shop) {
	in.t.Helper()
	day, sent := "", int64(0)
	for line := range bytes.Lines(purchases) {
		var p struct {
			Customer string `json:"customer_id"`
			At       string `json:"occurred_at"`
		}
		in.check(json.Unmarshal(line, &p))
		if p.At[:len("2006-01-02")] != day {
			in.reached(sent)
			day = p.At[:len("2006-01-02")]
		}
		h := fnv.New32a()
		_, _ = io.WriteString(h, p.Customer)
		which := int(h.Sum32() % uint32(len(shops)))
		if which == 1 {
			line = bytes.Replace(line, []byte("{"), fmt.Appendf(nil, `{"loyalty_card":"card of %s",`, p.Customer), 1)
		}
		shops[which].send(line)
		sent++
	}
	for _, s := range shops {
		s.end()
	}
	in.reached(sent)
}

func (in *installation) reached(purchases int64) {
	in.t.Helper()
	within(in.t, limit, fmt.Sprintf("Kafka has %d purchases", purchases), func() bool {
		ends, err := in.admin.ListEndOffsets(in.t.Context(), in.prefix+"purchases")
		in.check(err)
		var n int64
		for _, end := range ends[in.prefix+"purchases"] {
			n += end.Offset
		}
		return n == purchases
	})
}

// TestVersionsThatAreRefused: what the next version may not change is named, also when it came to the registry past the registry's own check.
func TestVersionsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, why string }{
		"a required field":  {nextPurchase(t, `{"name":"till","type":"string"}`), "till"},
		"a wider type":      {widePurchase(t), "quantity"},
		"a field taken out": {strings.Replace(widePurchase(t), `{"name": "order_id", "type": "string", "doc": "The order. A refund names the order it takes back."},`, "", 1), "order_id"},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t)
			for _, r := range in.registry.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone}, in.prefix+subject) {
				in.check(r.Err)
			}
			in.register(subject, c.text)
			said, err := in.leadline("topics", "check")
			if err == nil || !strings.Contains(said, in.prefix+subject+": schema is incompatible: ") || !strings.Contains(said, "version 2 ") || !strings.Contains(said, c.why) ||
				!strings.Contains(said, "compatibility is NONE, want FULL_TRANSITIVE") {
				t.Errorf("%v: %s", err, said)
			}
			t.Log(strings.TrimSpace(said))
		})
	}
}
