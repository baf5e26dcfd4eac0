package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"leadline/internal/config"
	"leadline/internal/embedded"
	"leadline/internal/topics"
	"leadline/internal/web/webtest"
)

func TestMain(m *testing.M) {
	QuietRedis()
	goleak.VerifyTestMain(m)
}

// freeAddr is an address on which nothing listens now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func load(t *testing.T, env ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Environ: append([]string{"LEADLINE_HTTP_ADDR=127.0.0.1:0", "LEADLINE_CLOCK=data", "LEADLINE_TOPICS_PARTITIONS=2"}, env...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(kafka, registry, redis string) []string {
	return []string{"LEADLINE_KAFKA_BROKERS=" + kafka, "LEADLINE_REGISTRY_URL=http://" + registry, "LEADLINE_REDIS_ADDRS=" + redis}
}

func createTopics(t *testing.T, c *config.Config) {
	t.Helper()
	s, err := Connect(c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := topics.New(s.Kafka, s.Registry, TopicOptions(c)).Create(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until the answer is yes; it fails when the patience of a slow machine is used up.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	patience := time.After(60 * time.Second)
	for !yes() {
		select {
		case <-patience:
			t.Fatalf("never: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// run runs the roles until they are stopped, which must go well.
func run(t *testing.T, app *App) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, nil) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// TestStartsBeforeItsServers is the morning after a power cut: all roles are up first, then Redis, registry and Kafka, then
// somebody creates the topics. Nobody restarts anything.
func TestStartsBeforeItsServers(t *testing.T) {
	kafka, registry, redis := freeAddr(t), freeAddr(t), freeAddr(t)
	c := load(t, at(kafka, registry, redis)...)
	core, logs := observer.New(zap.WarnLevel)
	app, err := New(c, All, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, app)
	defer stop()

	url := "http://" + app.HTTPAddr()
	eventually(t, "it says what it waits for", func() bool {
		answer, body := webtest.Get(t, url+"/readyz")
		return answer.StatusCode == http.StatusServiceUnavailable && strings.Contains(body, "waiting for redis at "+redis) && strings.Contains(body, "waiting for schemas")
	})
	if answer, _ := webtest.Get(t, url+"/healthz"); answer.StatusCode != http.StatusOK {
		t.Errorf("alive: %d", answer.StatusCode)
	}
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir(), KafkaAddr: kafka, RegistryAddr: registry, RedisAddr: redis})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "it asks for the topics", func() bool {
		_, body := webtest.Get(t, url+"/readyz")
		return strings.Contains(body, "run leadline topics create")
	})
	createTopics(t, c)
	eventually(t, "all roles are ready", func() bool { return app.Ready() == nil })
	if answer, body := webtest.Get(t, url+"/readyz"); answer.StatusCode != http.StatusOK {
		t.Errorf("ready: %d %s", answer.StatusCode, body)
	}
	if _, body := webtest.Get(t, url+"/metrics"); !strings.Contains(body, "leadline_rules_reloads_total") && !strings.Contains(body, "leadline_state_seconds") {
		t.Error("metrics of the roles are missing")
	}
	if logs.FilterMessageSnippet("waiting for redis").Len() == 0 || logs.FilterMessageSnippet("waiting for schemas").Len() == 0 {
		t.Error("the log does not tell what was waited for")
	}
	stop() // before the servers
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	if err := os.WriteFile(nothing, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ env, want string }{
		"address taken":       {"LEADLINE_HTTP_ADDR=" + taken.Addr().String(), "in use"},
		"authority missing":   {"LEADLINE_REGISTRY_TLS_CA=no/such.pem", "no/such.pem"},
		"authority is no PEM": {"LEADLINE_REGISTRY_TLS_CA=" + nothing, "holds no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(load(t, tc.env), All, zap.NewNop()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func findings(t *testing.T, c *config.Config, environ ...string) (ok bool, text string) {
	t.Helper()
	var all strings.Builder
	ok = Check(t.Context(), c, environ, func(f Finding) {
		fmt.Fprintf(&all, "%s %s: %s -> %s\n", f.Verdict, f.What, f.Text, f.Todo)
	})
	return ok, all.String()
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	c := load(t, at(servers.KafkaAddr, strings.TrimPrefix(servers.RegistryURL, "http://"), servers.RedisAddr)...)
	ok, text := findings(t, c, "LEADLINE_KAFKA_BROKER=oops")
	for _, want := range []string{
		"note configuration: environment LEADLINE_KAFKA_BROKER is read by no setting",
		"ok kafka: ",
		"FAILED topics: topic is missing, want there: purchases, touchpoints, ",
		"-> run leadline topics create",
		"FAILED schemas: schema is not registered, want this version's: purchases-value, ",
		"ok redis: ",
		"ok clock: data",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("check lacks %q:\n%s", want, text)
		}
	}
	if ok {
		t.Error("all is well without any topic")
	}
	createTopics(t, c)
	if ok, text := findings(t, c); !ok || strings.Contains(text, "FAILED") {
		t.Errorf("after create:\n%s", text)
	}
}

func TestCheckWithoutServers(t *testing.T) {
	c := load(t, at(freeAddr(t), freeAddr(t), freeAddr(t))...)
	ok, text := findings(t, c)
	if ok || strings.Count(text, "FAILED") != 3 || strings.Count(text, "-> start it, or mend") != 3 {
		t.Errorf("three servers are away:\n%s", text)
	}
}

// TestLogsInAndKnowsItsLimits reaches a broker that wants a login, as a user who may read one topic only.
func TestLogsInAndKnowsItsLimits(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-512", "root", "s3cret"), kfake.User("PLAIN", "guest", "guest",
			kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "purchases", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationRead, Allow: true},
			kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "*", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribe, Allow: true},
			kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: "*", Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationDescribeConfigs, Allow: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	as := func(mechanism, user, password string) *config.Config {
		env := at(cluster.ListenAddrs()[0], strings.TrimPrefix(servers.RegistryURL, "http://"), servers.RedisAddr)
		return load(t, append(env, "LEADLINE_KAFKA_SASL_MECHANISM="+mechanism, "LEADLINE_KAFKA_SASL_USER="+user, "LEADLINE_KAFKA_SASL_PASSWORD="+password)...)
	}
	createTopics(t, as("scram-sha-512", "root", "s3cret"))
	if ok, text := findings(t, as("scram-sha-512", "root", "s3cret")); !ok {
		t.Errorf("the superuser:\n%s", text)
	}
	ok, text := findings(t, as("plain", "guest", "guest"))
	if ok || !strings.Contains(text, "FAILED permissions: permission to READ is denied") || strings.Contains(text, "READ is denied, want allowed: purchases") {
		t.Errorf("the guest may read purchases and nothing else:\n%s", text)
	}
	if ok, text := findings(t, as("scram-sha-512", "root", "wrong")); ok || !strings.Contains(text, "FAILED kafka") || strings.Contains(text, "wrong") {
		t.Errorf("wrong password:\n%s", text)
	}
}

func TestLoggerWritesJSON(t *testing.T) {
	var out strings.Builder
	log, err := NewLogger("warn", &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("not this")
	log.Named("stream").Warn("this", zap.Int32("partition", 3))
	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	if line["msg"] != "this" || line["partition"] != 3.0 || line["logger"] != "stream" || line["level"] != "warn" {
		t.Errorf("%v", line)
	}
	if _, err := NewLogger("loud", &out); err == nil {
		t.Error("a level that does not exist was accepted")
	}
	if kafkaLevel(log) != kgo.LogLevelWarn {
		t.Error("the Kafka client tells more than the log wants")
	}
}
