package topics

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.uber.org/goleak"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bundle struct {
	admin    *Admin
	kafka    *kadm.Client
	registry *sr.Client
	opts     Options
}

func setup(t *testing.T, brokers int) bundle {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	fake := srfake.New()
	t.Cleanup(fake.Close)
	httpClient := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	registry, err := sr.NewClient(sr.URLs(fake.URL()), sr.HTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Prefix: "acme.", Partitions: 6, InputRetention: 400 * day, JournalRetention: 90 * day}
	return bundle{admin: New(client, registry, opts), kafka: kadm.NewClient(client), registry: registry, opts: opts}
}

func TestCreateMakesWhatCheckWants(t *testing.T) {
	for _, brokers := range []int{1, 3} {
		t.Run(fmt.Sprint(brokers, " brokers"), func(t *testing.T) {
			b := setup(t, brokers)
			before, err := b.admin.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := len(Catalogue(b.opts)) + len(schemas.Topics()); len(before) != want {
				t.Errorf("on empty servers %d differences, want one for each topic and schema: %d", len(before), want)
			}
			done, err := b.admin.Create(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if len(done.Created) != len(Catalogue(b.opts)) || len(done.Registered) != len(schemas.Topics()) || len(done.Differences) != 0 {
				t.Errorf("created %d, registered %d, left %v", len(done.Created), len(done.Registered), done.Differences)
			}
			if diffs, err := b.admin.Check(t.Context()); err != nil || len(diffs) > 0 {
				t.Errorf("after create: %v, %v", diffs, err)
			}
			again, err := b.admin.Create(t.Context(), true)
			if err != nil || len(again.Created)+len(again.Altered)+len(again.Registered)+len(again.Differences) > 0 {
				t.Errorf("a second create is not idle: %+v, %v", again, err)
			}
			list, err := b.admin.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				if !s.Exists || s.Partitions != s.Topic.Partitions || s.Replication != int16(min(3, brokers)) {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestExistingTopicsAreLeftAlone(t *testing.T) {
	b := setup(t, 1)
	week := "604800000"
	for name, partitions := range map[string]int32{"acme.purchases": 3, "acme.leadline.journal": 6} {
		configs := map[string]*string{"retention.ms": &week, "cleanup.policy": kadm.StringPtr("delete")}
		if _, err := b.kafka.CreateTopic(t.Context(), partitions, 1, configs, name); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"acme.purchases: partitions is 3, want 6",
		"acme.purchases: message.timestamp.type is CreateTime, want LogAppendTime",
		"acme.purchases: retention.ms is 604800000, want 34560000000",
		"acme.leadline.journal: retention.ms is 604800000, want 7776000000",
	}
	done, err := b.admin.Create(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	assertDifferences(t, done.Differences, want)
	if len(done.Altered) > 0 {
		t.Errorf("altered %v without being told", done.Altered)
	}
	diffs, err := b.admin.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	assertDifferences(t, diffs, want)

	done, err = b.admin.Create(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(done.Altered) != "[acme.purchases acme.leadline.journal]" {
		t.Errorf("altered %v", done.Altered)
	}
	diffs, err = b.admin.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	assertDifferences(t, diffs, want[:1]) // a partition count is never altered
}

func assertDifferences(t *testing.T, got []Difference, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i].String(), want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

// The fake registry accepts every schema, like some real ones: our own check must refuse.
func TestForeignSchemaIsRefused(t *testing.T) {
	b := setup(t, 1)
	foreign := `{"type":"record","name":"Purchase","namespace":"leadline.v1","fields":[{"name":"who","type":"long"}]}`
	if _, err := b.registry.CreateSchema(t.Context(), "acme.purchases-value", sr.Schema{Schema: foreign}); err != nil {
		t.Fatal(err)
	}
	_, err := b.admin.Create(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), "register acme.purchases-value: this Leadline's schema cannot read what version 1 wrote") {
		t.Fatalf("got %v", err)
	}
	versions, err := b.registry.SubjectVersions(t.Context(), "acme.purchases-value")
	if err != nil || len(versions) != 1 {
		t.Errorf("versions %v, %v: the incompatible schema was registered", versions, err)
	}
	diffs, err := b.admin.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(diffs, func(d Difference) bool {
		return d.Where == "acme.purchases-value" && strings.Contains(d.Have, "cannot read what version 1 wrote")
	}) {
		t.Errorf("check does not name it: %v", diffs)
	}
}

func TestCompatibilityLevelIsReportedThenAltered(t *testing.T) {
	b := setup(t, 1)
	if _, err := b.admin.Create(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b.registry.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone}, "acme.forecasts-value")
	done, err := b.admin.Create(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	assertDifferences(t, done.Differences, []string{"acme.forecasts-value: compatibility is NONE, want FULL_TRANSITIVE"})
	if _, err = b.admin.Create(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if diffs, err := b.admin.Check(t.Context()); err != nil || len(diffs) > 0 {
		t.Errorf("after --alter: %v, %v", diffs, err)
	}
}

func TestIDsAndSchemasFindEachOther(t *testing.T) {
	b := setup(t, 1)
	if _, err := IDs(t.Context(), b.registry, b.opts.Prefix); !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), "leadline topics create") {
		t.Errorf("before create: %v", err)
	}
	if _, err := b.admin.Create(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	ids, err := IDs(t.Context(), b.registry, b.opts.Prefix)
	if err != nil || len(ids) != len(schemas.Topics()) {
		t.Fatalf("%v, %v", ids, err)
	}
	source := NewSchemaSource(b.registry)
	for _, topic := range schemas.Topics() {
		text, err := source.SchemaByID(t.Context(), ids[schemas.Subject(topic)])
		if err != nil {
			t.Fatal(err)
		}
		want, _ := schemas.ForTopic(topic)
		if err := schemas.Compatible(want, text); err != nil {
			t.Errorf("%s: the id leads to another schema: %v", topic, err)
		}
	}
	if _, err := source.SchemaByID(t.Context(), 9999); !errors.Is(err, wire.ErrUnknownSchema) {
		t.Errorf("unknown id: %v", err)
	}
}

// What this release wrote can be read while the registry is away; for anything else it must be asked.
func TestOwnSchemasNeedNoRegistry(t *testing.T) {
	away, err := sr.NewClient(sr.URLs("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	source := NewSchemaSource(away).Knowing(map[string]int{schemas.Subject("purchases"): 7, schemas.Subject("leadline.state"): 9})
	for id, topic := range map[int]string{7: "purchases", 9: "leadline.state"} {
		want, _ := schemas.ForTopic(topic)
		if text, err := source.SchemaByID(t.Context(), id); err != nil || text != want {
			t.Errorf("%s: %q, %v", topic, text, err)
		}
	}
	if _, err := source.SchemaByID(t.Context(), 8); err == nil || errors.Is(err, wire.ErrUnknownSchema) {
		t.Errorf("a foreign schema without the registry: %v", err)
	}
}

// A proxy's 404 is not the registry's: no record may die of it.
func TestForeignNotFoundIsPassing(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	registry, err := sr.NewClient(sr.URLs(server.URL), sr.HTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSchemaSource(registry).SchemaByID(t.Context(), 1); err == nil || errors.Is(err, wire.ErrUnknownSchema) {
		t.Errorf("got %v", err)
	}
	if _, err := IDs(t.Context(), registry, ""); err == nil || errors.Is(err, ErrNotRegistered) {
		t.Errorf("got %v", err)
	}
}

// TestCatalogueKeepsTheContract holds what other parts rely on.
func TestCatalogueKeepsTheContract(t *testing.T) {
	o := Options{Partitions: 7, InputRetention: 400 * day, JournalRetention: 30 * day}
	byName := map[string]Topic{}
	for _, topic := range Catalogue(o) {
		if _, twice := byName[topic.Name]; twice {
			t.Errorf("%s stands twice", topic.Name)
		}
		byName[topic.Name] = topic
	}
	for _, name := range schemas.Topics() {
		if _, ok := byName[name]; !ok {
			t.Errorf("%s has a schema but is not in the catalogue", name)
		}
	}
	customerKeyed := []string{"purchases", "touchpoints", "customers", "outcomes", "identities", "leadline.moves", "leadline.state",
		"leadline.journal", "alerts.cross-sell", "alerts.upsell", "alerts.declining", "alerts.opportunity", "alerts.suppressed"}
	for _, name := range customerKeyed {
		if byName[name].Partitions != 7 {
			t.Errorf("%s has %d partitions, the shards 7", name, byName[name].Partitions)
		}
	}
	for _, k := range sales.TallyKinds() {
		if byName["leadline.tallies."+string(k)].Partitions != 1 {
			t.Errorf("tallies of %s: want one partition", k)
		}
	}
	for _, name := range []string{"customers", "products", "campaigns", "product-links", "channels", "campaign-results", "forecasts", "leadline.models"} {
		topic := byName[name]
		if !topic.Compacted() || topic.Configs[compactionLag] != millis(o.JournalRetention) {
			t.Errorf("%s: decisions read it, so each version must stay for the journal's time: %v", name, topic.Configs)
		}
	}
	if a, b := byName["purchases"].Kept(), byName["products"].Kept(); a != "400 days" || b != "newest of each key" {
		t.Errorf("kept: %q, %q", a, b)
	}
	if state := byName["leadline.state"]; !state.Compacted() || state.Configs[deleteRetention] != millis(7*24*time.Hour) {
		t.Errorf("leadline.state: %v", state.Configs)
	}
	if got, err := Find(Options{Prefix: "x."}, "x.purchases"); err != nil || got.Name != "purchases" {
		t.Errorf("find: %v, %v", got, err)
	}
	if _, err := Find(o, "nonsense"); err == nil {
		t.Error("found nonsense")
	}
}
