package schemas_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// A new version of a schema starts with golden/<Record>/v<N>.json, written by hand: a sample with every field set. Then
// -update keeps schema and bytes beside it. What was once kept is never changed.
var update = flag.Bool("update", false, "write schema and bytes of golden samples that have none yet")

// version is one released version of a record.
type version struct {
	name   string // v1
	schema string
	sample []byte // JSON
	body   []byte // Avro
}

// FULL_TRANSITIVE: every version reads every other's, by the schemas and in fact.
func TestEveryVersionReadsEveryOther(t *testing.T) {
	for _, name := range schemas.Names() {
		t.Run(name, func(t *testing.T) {
			current, _ := schemas.Get(name)
			versions := released(t, name, current)
			latest := versions[len(versions)-1]
			if latest.schema != current {
				t.Fatalf("the schema is not that of golden/%s/%s: add the next version's sample and run with -update", name, latest.name)
			}
			for _, older := range versions {
				if err := schemas.Compatible(older.schema, current); err != nil {
					t.Errorf("%s and the current schema: %v", older.name, err)
				}
				resolves(t, older.schema, current, older.body)
				resolves(t, current, older.schema, latest.body)
			}
		})
	}
}

// resolves reads a sample of one version as another.
func resolves(t *testing.T, writer, reader string, body []byte) {
	t.Helper()
	schema, err := avro.Resolve(avro.MustParse(writer), avro.MustParse(reader))
	if err != nil {
		t.Error(err)
		return
	}
	var v any
	if rest, err := schema.Decode(body, &v); err != nil || len(rest) != 0 {
		t.Errorf("%d bytes left, %v", len(rest), err)
	}
}

// The wire package reads the samples of all versions: as JSON by their own schema, as the Go type by the current one; and
// what it writes of the latest is the same sample again.
func TestWireReadsEveryVersion(t *testing.T) {
	for _, name := range schemas.Names() {
		t.Run(name, func(t *testing.T) {
			current, _ := schemas.Get(name)
			versions := released(t, name, current)
			for i, v := range versions {
				source := registry{1: v.schema, 2: current}
				if got := rendered(t, source, frame(1, v.body)); got != compact(t, v.sample) {
					t.Errorf("%s is rendered as\n%s\nwant\n%s", v.name, got, compact(t, v.sample))
				}
				again, ok := readAndWrite(t, name, source, frame(1, v.body))
				if ok && i == len(versions)-1 && rendered(t, source, again) != compact(t, v.sample) {
					t.Errorf("%s comes back as\n%s", v.name, rendered(t, source, again))
				}
			}
		})
	}
}

// A sample in which a field is left out would not notice that the field is lost.
func TestSamplesAreComplete(t *testing.T) {
	for _, name := range schemas.Names() {
		current, _ := schemas.Get(name)
		versions := released(t, name, current)
		var sample map[string]any
		if err := json.Unmarshal(versions[len(versions)-1].sample, &sample); err != nil {
			t.Fatal(err)
		}
		for _, f := range avro.MustParse(current).Root().Fields {
			switch v := sample[f.Name].(type) {
			case nil:
				t.Errorf("golden sample of %s has no %s", name, f.Name)
			case []any:
				if len(v) == 0 {
					t.Errorf("golden sample of %s has an empty %s", name, f.Name)
				}
			}
		}
	}
}

func released(t *testing.T, name, current string) []version {
	t.Helper()
	var versions []version
	for n := 1; ; n++ {
		path := filepath.Join("golden", name, fmt.Sprintf("v%d", n))
		sample, err := os.ReadFile(path + ".json")
		if err != nil {
			break
		}
		if _, err := os.Stat(path + ".avsc"); err != nil && *update {
			keep(t, path, current, sample)
		}
		versions = append(versions, version{filepath.Base(path), string(mustRead(t, path+".avsc")), sample, mustRead(t, path+".bin")})
	}
	if len(versions) == 0 {
		t.Fatalf("%s has no golden sample", name)
	}
	return versions
}

func keep(t *testing.T, path, schema string, sample []byte) {
	t.Helper()
	s := avro.MustParse(schema)
	d := json.NewDecoder(bytes.NewReader(sample))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	body, err := s.Encode(v)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for file, content := range map[string][]byte{path + ".avsc": []byte(schema), path + ".bin": body} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type registry map[int]string

func (r registry) SchemaByID(_ context.Context, id int) (string, error) { return r[id], nil }

func frame(id uint32, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), body...)
}

func rendered(t *testing.T, source registry, value []byte) string {
	t.Helper()
	text, err := wire.NewDecoder(source).JSON(t.Context(), value)
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, text)
}

// compact brings JSON into one form: numbers as written by Go, keys sorted.
func compact(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// readAndWrite decodes a value and encodes it again under schema id 2; false for records without a Go type.
func readAndWrite(t *testing.T, name string, source registry, value []byte) ([]byte, bool) {
	t.Helper()
	ids := map[string]int{}
	for _, topic := range schemas.Topics() {
		ids[schemas.Subject(topic)] = 2
	}
	d, e := wire.NewDecoder(source), wire.NewEncoder(ids)
	switch name {
	case "Purchase":
		return pass(t, d.Purchase, e.AppendPurchase, value)
	case "Touchpoint":
		return pass(t, d.Touchpoint, e.AppendTouchpoint, value)
	case "Customer":
		return pass(t, d.Customer, e.AppendCustomer, value)
	case "Product":
		return pass(t, d.Product, e.AppendProduct, value)
	case "Campaign":
		return pass(t, d.Campaign, e.AppendCampaign, value)
	case "Identity":
		return pass(t, d.Identity, e.AppendIdentity, value)
	case "Signal":
		return pass(t, d.Signal, e.AppendSignal, value)
	case "Outcome":
		return pass(t, d.Outcome, e.AppendOutcome, value)
	case "Alert":
		return pass(t, d.Alert, e.AppendAlert, value)
	case "ProductLink":
		return pass(t, d.Link, e.AppendLink, value)
	case "Forecast":
		return pass(t, d.Forecast, e.AppendForecast, value)
	case "Model":
		return pass(t, d.Model, e.AppendModel, value)
	case "Journal":
		return pass(t, d.Journal, e.AppendJournal, value)
	case "ShardRecord":
		return pass(t, d.ShardRecord, e.AppendShardRecord, value)
	case "Tally":
		return pass(t, d.Tally, e.AppendTally, value)
	case "KnowledgeRow":
		return pass(t, d.KnowledgeRow, e.AppendKnowledgeRow, value)
	}
	return nil, false
}

func pass[T any](t *testing.T, decode func(context.Context, []byte, *T) error, encode func([]byte, *T) ([]byte, error), value []byte) ([]byte, bool) {
	t.Helper()
	var v T
	if err := decode(t.Context(), value, &v); err != nil {
		t.Fatal(err)
	}
	out, err := encode(nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	return out, true
}

// The sample in Go, so that a mistake in the binding of names, which would cancel out above, is seen.
func TestGoldenPurchaseInGo(t *testing.T) {
	current, _ := schemas.Get("Purchase")
	v := released(t, "Purchase", current)[0]
	var got sales.Purchase
	if err := wire.NewDecoder(registry{1: v.schema}).Purchase(t.Context(), frame(1, v.body), &got); err != nil {
		t.Fatal(err)
	}
	want := sales.Purchase{EventID: "till-367-20240301-0042", CustomerID: "1823", OccurredAt: 1709296200250, OrderID: "40085429046", Currency: "USD",
		Channel: "store", Store: "367", CampaignID: "13", Kind: sales.Refund, Lines: []sales.Line{
			{ProductID: "821867", Category: "FLUID MILK PRODUCTS", Quantity: 2, AmountMinor: 338},
			{ProductID: "1029743", Category: "BEEF & PORK", Quantity: 1, AmountMinor: 799}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(strings.TrimSpace(d))
	}
}

// The places of a link's chances, which no rule of names finds.
func TestGoldenLinkInGo(t *testing.T) {
	current, _ := schemas.Get("ProductLink")
	v := released(t, "ProductLink", current)[1]
	var got sales.Link
	if err := wire.NewDecoder(registry{1: v.schema}).Link(t.Context(), frame(1, v.body), &got); err != nil {
		t.Fatal(err)
	}
	want := [3]sales.Chance{{P: 0.11, Low: 0.075, High: 0.16, Baseline: 0.05}, {P: 0.21, Low: 0.16, High: 0.27, Baseline: 0.12},
		{P: 0.31, Low: 0.25, High: 0.38, Baseline: 0.19}}
	if d := cmp.Diff(want, [3]sales.Chance{got.Within30, got.Within90, got.Within180}); d != "" || got.Curve[25] != 26.0/64 || got.BaseCurve[0] != 1.0/128 {
		t.Error(d, got.Curve, got.BaseCurve)
	}
	if key := got.Key(); key != "cross-sell|category|PASTA SAUCE|DRY NOODLES/PASTA|product_view" {
		t.Errorf("key %s", key)
	}
}

// A curve has a place for each week and none beyond.
func TestCurveOfTooManyWeeks(t *testing.T) {
	current, _ := schemas.Get("ProductLink")
	versions := released(t, "ProductLink", current)
	var sample map[string]any
	d := json.NewDecoder(bytes.NewReader(versions[len(versions)-1].sample))
	d.UseNumber()
	if err := d.Decode(&sample); err != nil {
		t.Fatal(err)
	}
	for weeks, fits := range map[int]bool{3: true, sales.CurveWeeks: true, sales.CurveWeeks + 1: false} {
		curve := make([]any, weeks)
		for i := range curve {
			curve[i] = float32(0.5)
		}
		sample["curve"] = curve
		body, err := avro.MustParse(current).Encode(sample)
		if err != nil {
			t.Fatal(err)
		}
		var got sales.Link
		var poison *wire.Poison
		err = wire.NewDecoder(registry{1: current}).Link(t.Context(), frame(1, body), &got)
		if fits && (err != nil || got.Curve[2] != 0.5 || weeks == 3 && got.Curve[3] != 0) || !fits && !errors.As(err, &poison) {
			t.Errorf("%d weeks: %v, %v", weeks, err, got.Curve)
		}
	}
}
