//go:build integration

package stream

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// realWorld is a tenant of its own on the brokers and the Redis that LEADLINE_KAFKA_BROKERS and LEADLINE_REDIS_ADDRS name.
func realWorld(t *testing.T) *world {
	w := bareWorld(t)
	w.prefix = "s" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	w.brokers = strings.Split(os.Getenv("LEADLINE_KAFKA_BROKERS"), ",")
	w.dial = new(net.Dialer).DialContext
	redis := state.Dial(state.Options{Addrs: strings.Split(os.Getenv("LEADLINE_REDIS_ADDRS"), ",")})
	t.Cleanup(func() { _ = redis.Close() })
	w.store = state.NewRedis(redis, w.prefix)
	w.rules = func() engine.Rules { // who is held out and what is tried out depends on the prefix
		r := engine.DefaultRules()
		r.HoldoutShare, r.ExploreShare = 0, 0
		return r
	}
	w.client = w.open(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	t.Cleanup(w.client.Close)
	var all []string
	adm := kadm.NewClient(w.client)
	create := func(partitions int32, topics []string) {
		for i := range topics {
			topics[i] = w.prefix + topics[i]
		}
		resp, err := adm.CreateTopics(t.Context(), partitions, 1, nil, topics...)
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, topics...)
	}
	create(testPartitions, shardTopics())
	create(1, append(singleTopics(), deadLettersTopic, lateEventsTopic))
	t.Cleanup(func() {
		cl := w.open()
		defer cl.Close()
		if _, err := kadm.NewClient(cl).DeleteTopics(t.Context(), all...); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return w
}

// facts says what each alert says, without the id, which holds the tenant's prefix.
func (w *world) facts() []string {
	w.said()
	var out []string
	for _, a := range w.alerts() {
		out = append(out, fmt.Sprintf("%s %s %s %s>%s %d %s", a.CustomerID, a.Kind, a.Status, a.FromProduct, a.ToProduct, a.EventTime, a.SuppressedBy))
	}
	slices.Sort(out)
	return out
}

// A real broker has what kfake has not: markers that come later than the end of a transaction, and offsets that are not stable yet.
func TestExactlyOnceOnARealBroker(t *testing.T) {
	calm := realWorld(t)
	calm.play(waiting(0))
	disturbed := realWorld(t)
	round := 0
	disturbed.play(func(w *world, e *running, part int, send func()) *running {
		send()
		for range 3 {
			round++
			time.Sleep(time.Duration(round*7) * time.Millisecond)
			switch round % 4 {
			case 0:
				e.line.blip()
			case 1:
				e.stop()
				e = w.engine("a", data)
			default:
				e.line.cut() // as the broker sees a kill -9; what is left of the engine ends beside
				e.cancel()
				e = w.engine("a", data)
			}
			e.ready()
		}
		return e
	})
	if diff := cmp.Diff(calm.facts(), disturbed.facts()); diff != "" {
		t.Errorf("said differs (-undisturbed +killed):\n%s", diff)
	}
}
