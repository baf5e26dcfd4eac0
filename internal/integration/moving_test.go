//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/integration/program"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// ofShards is an installation with another number of shards.
func ofShards(n int32) func(*installation) { return func(in *installation) { in.partitions = n } }

// Shards that become more in the middle decide what as many would have decided from the start. The growing is killed several times, and
// what was sent by the old count afterwards is mended as the procedure says.
func TestTopicsGrow(t *testing.T) {
	const more = 6
	lines := slices.Collect(bytes.Lines(smallPurchases(t)))
	half := len(lines) / 2
	want := decisionsAfter(t, func(in *installation) { in.send(bytes.Join(lines, nil)) }, ofShards(more))
	in := installWithLinks(t)
	engine := in.start("engine")
	in.send(bytes.Join(lines[:half], nil))
	in.drained(engine)
	engine.stop()
	if out, err := in.leadline("topics", "grow", "--partitions", "6"); err == nil || !strings.Contains(err.Error(), "stop all") {
		t.Fatalf("while the group still counts on an engine: %v\n%s", err, out)
	}
	in.must("engines", "remove", "engine-1")
	in.must("topics", "grow", "--partitions", "6", "--dry-run")
	killed := 0
	for range 6 {
		growing := in.start("topics", "grow", "--partitions", "6")
		select {
		case <-growing.Done():
		case <-time.After(time.Duration(50+rand.IntN(600)) * time.Millisecond):
			killed++
		}
		growing.Kill()
	}
	t.Logf("killed %d times", killed)
	in.must("topics", "grow", "--partitions", "6")
	if out := in.must("topics", "grow", "--partitions", "6"); !strings.Contains(out, "nothing to do: there are 6 shards") {
		t.Error(out)
	}
	in.partitions = more
	in.must("topics", "check")

	engine = in.start("engine")
	in.send(bytes.Join(lines[half:], nil))
	in.drained(engine)
	alerts := in.alerts()
	onlyOnce(t, alerts)
	same(t, want, decisions(alerts))
	in.byTheOldCount(engine)
	engine.stop()
	if out := in.must("replay", "verify"); !strings.Contains(out, "4 shards became 6") {
		t.Error(out)
	}
}

// byTheOldCount sends an order to where its customer belonged before the shards were more.
func (in *installation) byTheOldCount(engine *process) {
	in.t.Helper()
	customer := ""
	for i := 0; customer == ""; i++ {
		id := strconv.Itoa(i)
		if wire.Partition([]byte(id), partitions) != wire.Partition([]byte(id), in.partitions) {
			customer = id
		}
	}
	schema, err := in.registry.SchemaByVersion(in.t.Context(), in.prefix+"purchases-value", -1)
	in.check(err)
	order := sales.Purchase{EventID: "by-the-old-count", CustomerID: customer, OccurredAt: sales.Millis(time.Date(2017, 12, 1, 0, 0, 0, 0, time.UTC).UnixMilli()),
		OrderID: "o", Currency: "USD", Lines: []sales.Line{{ProductID: "p", Category: "CHEESE", Quantity: 1, AmountMinor: 100}}}
	value, err := wire.NewEncoder(map[string]int{"purchases-value": schema.ID}).AppendPurchase(nil, &order)
	in.check(err)
	old, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(os.Getenv("LEADLINE_KAFKA_BROKERS"), ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	in.check(err)
	defer old.Close()
	in.check(old.ProduceSync(in.t.Context(), &kgo.Record{Topic: in.prefix + "purchases", Key: []byte(customer), Value: value,
		Partition: wire.Partition([]byte(customer), partitions)}).FirstErr())
	within(in.t, limit, "it is a dead letter", func() bool { engine.alive(); return len(in.records("dead-letters")) == 1 })
	in.must("dead-letters", "retry", "--class", string(sales.DeadMisrouted))
	within(in.t, limit, "it is the customer's", func() bool {
		engine.alive()
		out, err := in.leadline("state", "show", customer, "--changelog")
		return err == nil && strings.Contains(out, "CHEESE")
	})
}

// Another Redis, the old one again with what it held then, a cluster, and the old one once more: nothing is lost, nothing said twice.
func TestMovesToAnotherRedis(t *testing.T) {
	lines := slices.Collect(bytes.Lines(smallPurchases(t)))
	want := decisionsAfter(t, func(in *installation) { in.send(bytes.Join(lines, nil)) })
	first, second, cluster := startRedis(t), startRedis(t), startCluster(t)
	in := installWithLinks(t)
	places := []string{first, second, first, cluster, first}
	for i, part := range slices.Collect(slices.Chunk(lines, (len(lines)+len(places)-1)/len(places))) {
		in.env = []string{"LEADLINE_REDIS_ADDRS=" + places[i]}
		engine := in.start("engine")
		in.send(bytes.Join(part, nil))
		in.drained(engine)
		engine.stop()
	}
	alerts := in.alerts()
	onlyOnce(t, alerts)
	same(t, want, decisions(alerts))
	in.must("replay", "verify")
}

// startRedis gives the address of a server that nobody else uses.
func startRedis(t *testing.T, args ...string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(context.Background(), "redis-server", append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "",
		"--appendonly", "yes"}, args...)...)
	server, err := program.Start("redis "+port, cmd, filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	addr := "127.0.0.1:" + port
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	within(t, limit, "redis answers", func() bool { return client.Ping(t.Context()).Err() == nil })
	return addr
}

// startCluster gives the addresses of three masters.
func startCluster(t *testing.T) string {
	t.Helper()
	var addrs []string
	for range 3 {
		_, bus, err := net.SplitHostPort(freeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus))
	}
	if out, err := output(exec.CommandContext(t.Context(), "redis-cli", append(append([]string{"--cluster", "create"}, addrs...), "--cluster-yes")...)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	defer client.Close()
	within(t, limit, "the cluster works", func() bool {
		for i := range 20 {
			if err := client.Get(t.Context(), fmt.Sprint("slot-", i)).Err(); !errors.Is(err, redis.Nil) {
				return false
			}
		}
		return true
	})
	return strings.Join(addrs, ",")
}

// freeAddr is an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
