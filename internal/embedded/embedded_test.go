package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/goleak"

	"leadline/internal/committed"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, dir string) *Servers {
	t.Helper()
	s, err := Start(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Servers) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, addr, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, addr)).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

// transact writes values in one transaction and ends it as told.
func transact(t *testing.T, c *kgo.Client, topic string, end kgo.TransactionEndTry, values ...string) error {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	for _, v := range values {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			return err
		}
	}
	return c.EndTransaction(t.Context(), end)
}

// values reads what is committed in a topic.
func values(t *testing.T, addr, topic string) []string {
	t.Helper()
	c := client(t, addr)
	spans, err := committed.Whole(t.Context(), kadm.NewClient(c), topic)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	err = committed.Read(t.Context(), []kgo.Opt{kgo.SeedBrokers(addr)}, spans, func(r *kgo.Record) error {
		values = append(values, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func register(t *testing.T, url, subject, schema string) int {
	t.Helper()
	c, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	registered, err := c.CreateSchema(t.Context(), subject, sr.Schema{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	return registered.ID
}

func TestWhatWasCommittedIsThereAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	s := start(t, dir)
	createTopic(t, s.KafkaAddr, "purchases")
	producer := client(t, s.KafkaAddr, kgo.TransactionalID("engine-0"))
	if err := errors.Join(
		transact(t, producer, "purchases", kgo.TryCommit, "a", "b"),
		transact(t, producer, "purchases", kgo.TryAbort, "never"),
		transact(t, producer, "purchases", kgo.TryCommit, "c"),
	); err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client(t, s.KafkaAddr))
	before, err := admin.BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.CommitAllOffsets(t.Context(), "g", kadm.Offsets{"purchases": {0: {Topic: "purchases", At: 2, Metadata: "csn=7"}}}); err != nil {
		t.Fatal(err)
	}
	producer.Close()
	stop(t, s)

	s = start(t, dir)
	if diff := cmp.Diff([]string{"a", "b", "c"}, values(t, s.KafkaAddr, "purchases")); diff != "" {
		t.Error(diff)
	}
	admin = kadm.NewClient(client(t, s.KafkaAddr))
	offsets, err := admin.FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := offsets.Lookup("purchases", 0); at.At != 2 || at.Metadata != "csn=7" {
		t.Errorf("committed offset is %v", at.Offset)
	}
	after, err := admin.BrokerMetadata(t.Context())
	if err != nil || after.Cluster != before.Cluster || after.Cluster == "" {
		t.Errorf("cluster id %q became %q, %v", before.Cluster, after.Cluster, err)
	}
}

func TestDataDirectoriesAreDifferentClusters(t *testing.T) {
	var ids [2]string
	for i := range ids {
		meta, err := kadm.NewClient(client(t, start(t, t.TempDir()).KafkaAddr)).BrokerMetadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = meta.Cluster
	}
	if ids[0] == ids[1] {
		t.Errorf("both are %q", ids[0])
	}
}

func TestTopicsAreNotMadeByMistake(t *testing.T) {
	c := client(t, start(t, t.TempDir()).KafkaAddr, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "purchaces"}).FirstErr(); err == nil {
		t.Error("a misspelt topic was made")
	}
}

func TestRedisAnswers(t *testing.T) {
	c := redis.NewClient(&redis.Options{Addr: start(t, t.TempDir()).RedisAddr})
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestSchemasKeepTheirIDs(t *testing.T) {
	dir := t.TempDir()
	schema := func(i int) (subject, text string) {
		return fmt.Sprintf("topic-%d-value", i%3), fmt.Sprintf(`{"type":"record","name":"R%d","fields":[]}`, i)
	}
	ids := make([]int, 6)
	s := start(t, dir)
	for i := range ids {
		subject, text := schema(i)
		ids[i] = register(t, s.RegistryURL, subject, text)
	}
	shared := register(t, s.RegistryURL, "another-value", `{"type":"record","name":"R0","fields":[]}`)
	stop(t, s)

	s = start(t, dir)
	size := logSize(t, dir)
	for i := range ids {
		subject, text := schema(i)
		if id := register(t, s.RegistryURL, subject, text); id != ids[i] {
			t.Errorf("schema %d had id %d, now %d", i, ids[i], id)
		}
	}
	if shared != ids[0] {
		t.Errorf("one schema has ids %d and %d", ids[0], shared)
	}
	if now := logSize(t, dir); now != size {
		t.Errorf("registering what is there made the log grow from %d to %d bytes", size, now)
	}
	if id := register(t, s.RegistryURL, "new-value", `"long"`); id != 7 {
		t.Errorf("a new schema has id %d, want 7", id)
	}
}

func TestCompatibilityAndDeletionsAreKept(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	c, err := sr.NewClient(sr.URLs(s.RegistryURL))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second registration comes after a deletion and counts
		register(t, s.RegistryURL, "a-value", `"long"`)
		register(t, s.RegistryURL, "b-value", `"int"`)
		_, soft := c.DeleteSubject(t.Context(), "a-value", sr.SoftDelete)
		_, hard := c.DeleteSubject(t.Context(), "a-value", sr.HardDelete)
		if err := errors.Join(soft, hard); err != nil {
			t.Fatal(err)
		}
	}
	register(t, s.RegistryURL, "a-value", `"string"`)
	for _, level := range []sr.CompatibilityLevel{sr.CompatFullTransitive, sr.CompatNone, sr.CompatFullTransitive} {
		if err := c.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, "a-value")[0].Err; err != nil {
			t.Fatal(err)
		}
	}
	stop(t, s)

	s = start(t, dir)
	if c, err = sr.NewClient(sr.URLs(s.RegistryURL)); err != nil {
		t.Fatal(err)
	}
	if level := c.Compatibility(t.Context(), "a-value")[0]; level.Err != nil || level.Level != sr.CompatFullTransitive {
		t.Errorf("compatibility is %v, %v", level.Level, level.Err)
	}
	schemas, err := c.Schemas(t.Context(), "a-value")
	if err != nil || len(schemas) != 1 || schemas[0].Schema.Schema != `"string"` {
		t.Errorf("schemas are %v, %v", schemas, err)
	}
}

func logSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "registry.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestATornLineOfTheRegistryIsForgotten(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	first := register(t, s.RegistryURL, "a-value", `"long"`)
	stop(t, s)
	f, err := os.OpenFile(filepath.Join(dir, "registry.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"method":"POST","url":"/subjects/never-ackn`)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = start(t, dir)
		if id := register(t, s.RegistryURL, "a-value", `"long"`); id != first {
			t.Errorf("id %d became %d", first, id)
		}
		register(t, s.RegistryURL, "b-value", `"int"`)
		stop(t, s)
	}
}

func TestASpoiltRegistryLogIsSaidAloud(t *testing.T) {
	for _, line := range []string{"not json\n", `{"method":"POST","url":"/subjects/a/versions","body":"{}x"}` + "\n", `{"method":"PO ST","url":"%"}` + "\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "registry.jsonl"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), Options{DataDir: dir})
		if err == nil || !strings.Contains(err.Error(), "registry.jsonl: line 1") {
			t.Errorf("%q gives %v", line, err)
		}
	}
}

func TestADataDirectoryServesOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	_, err := Start(t.Context(), Options{DataDir: dir})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error is %v, want one that names directory and process", err)
	}
	stop(t, s)
	stop(t, s)
	start(t, dir)
}

func TestServersStayOnThisMachine(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		for name, o := range map[string]Options{"broker": {KafkaAddr: addr}, "registry": {RegistryAddr: addr}, "Redis": {RedisAddr: addr}} {
			o.DataDir = t.TempDir()
			s, err := Start(t.Context(), o)
			if err == nil {
				stop(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s on %s: %v", name, addr, err)
			}
		}
	}
}

func TestAPortThatIsTakenStopsTheStartAndLeavesNothingBehind(t *testing.T) {
	taken := start(t, t.TempDir())
	dir := t.TempDir()
	for _, o := range []Options{{KafkaAddr: taken.KafkaAddr}, {RegistryAddr: strings.TrimPrefix(taken.RegistryURL, "http://")}, {RedisAddr: taken.RedisAddr}} {
		o.DataDir = dir
		if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("error is %v", err)
		}
	}
	start(t, dir)
}
