package schemas_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"

	"leadline/internal/sales"
	"leadline/schemas"
)

func TestEveryTopicHasItsSchema(t *testing.T) {
	used := map[string]bool{}
	for _, topic := range schemas.Topics() {
		name, _ := schemas.Record(topic)
		used[name] = true
		if _, ok := schemas.ForTopic(topic); !ok {
			t.Errorf("topic %s carries %s, which has no schema", topic, name)
		}
	}
	for _, name := range schemas.Names() {
		if !used[name] {
			t.Errorf("schema %s is on no topic", name)
		}
	}
	for _, kind := range sales.AlertKinds() {
		if name, _ := schemas.Record(kind.Topic()); name != "Alert" {
			t.Errorf("topic %s carries %q, want Alert", kind.Topic(), name)
		}
	}
	for _, kind := range sales.TallyKinds() {
		if name, _ := schemas.Record("leadline.tallies." + string(kind)); name != "Tally" {
			t.Errorf("tally %s carries %q, want Tally", kind, name)
		}
	}
}

// The contract's form: every record, field and enum is explained, optional is ["null", T] with default null, enums have
// a default, times are timestamp-millis. Both Avro libraries accept every schema.
func TestSchemasKeepTheForm(t *testing.T) {
	for _, name := range schemas.Names() {
		text, _ := schemas.Get(name)
		var root map[string]any
		if err := json.Unmarshal([]byte(text), &root); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if root["namespace"] != "leadline.v1" || root["name"] != name {
			t.Errorf("%s: is called %v.%v", name, root["namespace"], root["name"])
		}
		checkForm(t, name, root)
		if err := schemas.Compatible(text, text); err != nil {
			t.Errorf("%s is not compatible with itself: %v", name, err)
		}
		if _, err := goavro.NewCodec(text); err != nil {
			t.Errorf("%s: goavro: %v", name, err)
		}
	}
}

func checkForm(t *testing.T, path string, schema any) {
	t.Helper()
	switch s := schema.(type) {
	case []any:
		for _, branch := range s {
			checkForm(t, path, branch)
		}
	case map[string]any:
		checkNode(t, path, s)
	}
}

func checkNode(t *testing.T, path string, s map[string]any) {
	t.Helper()
	switch s["type"] {
	case "record":
		checkDoc(t, path, s)
		for _, f := range s["fields"].([]any) {
			checkField(t, path, f.(map[string]any))
		}
	case "enum":
		checkDoc(t, path, s)
		if d, ok := s["default"].(string); !ok || !slices.Contains(s["symbols"].([]any), any(d)) {
			t.Errorf("%s: enum without a default among its symbols", path)
		}
	case "array":
		checkForm(t, path+"[]", s["items"])
	case "map":
		checkForm(t, path+"{}", s["values"])
	}
}

func checkField(t *testing.T, record string, f map[string]any) {
	t.Helper()
	path := record + "." + f["name"].(string)
	checkDoc(t, path, f)
	if union, ok := f["type"].([]any); ok {
		d, has := f["default"]
		if len(union) != 2 || union[0] != "null" || !has || d != nil {
			t.Errorf(`%s: optional is ["null", T] with default null`, path)
		}
	}
	if strings.HasSuffix(path, "_at") && !strings.Contains(mustJSON(t, f["type"]), "timestamp-millis") {
		t.Errorf("%s: a time is timestamp-millis", path)
	}
	if strings.HasSuffix(path, "_minor") && !strings.Contains(mustJSON(t, f["type"]), `"long"`) {
		t.Errorf("%s: money is a long", path)
	}
	checkForm(t, path, f["type"])
}

func checkDoc(t *testing.T, path string, s map[string]any) {
	t.Helper()
	if doc, _ := s["doc"].(string); doc == "" {
		t.Errorf("%s has no doc", path)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompatibleRefuses(t *testing.T) {
	old, _ := schemas.Get("Purchase")
	cases := []struct {
		name, from, to, want string
	}{
		{"a new field without default", `{"name": "channel",`, `{"name": "till", "type": "string"}, {"name": "channel",`, "newer schema cannot read"},
		{"a required field taken away", `{"name": "order_id", "type": "string", "doc": "The order. A refund names the order it takes back."},`, ``, "older schema cannot read"},
		{"a field that changes its type", `{"name": "quantity", "type": "int"`, `{"name": "quantity", "type": "string"`, "quantity"},
		{"a field widened: the older cannot read it", `{"name": "quantity", "type": "int"`, `{"name": "quantity", "type": "long"`, "older schema cannot read"},
		{"an optional made required", `{"name": "store", "type": ["null", "string"], "doc": "The store or site.", "default": null}`, `{"name": "store", "type": "string"}`, "store"},
		{"another record", `"name": "Purchase",`, `"name": "Order",`, "Order"},
		{"not a schema", `"type": "record"`, `"type": "recrod"`, "parse the newer schema"},
	}
	for _, c := range cases {
		newer := strings.Replace(old, c.from, c.to, 1)
		if newer == old {
			t.Fatalf("%s: the replacement did not take", c.name)
		}
		err := schemas.Compatible(old, newer)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	added := strings.Replace(old, `{"name": "channel",`, `{"name": "till", "type": ["null", "string"], "default": null}, {"name": "channel",`, 1)
	symbol := strings.Replace(old, `["ORDER", "REFUND"]`, `["ORDER", "REFUND", "EXCHANGE"]`, 1)
	for what, newer := range map[string]string{"an optional field": added, "a symbol": symbol} {
		if err := schemas.Compatible(old, newer); err != nil || newer == old {
			t.Errorf("adding %s: %v", what, err)
		}
	}
}
