package state_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is a store on a server that other tests may use too, hence under a prefix of its own.
type opened struct {
	*state.Redis
	client redis.UniversalClient
	prefix string
}

func open(t *testing.T, addrs ...string) opened {
	client := state.Dial(state.Options{Addrs: addrs})
	prefix := "test-" + uuid.NewString() + "."
	o := opened{Redis: state.NewRedis(client, prefix), client: client, prefix: prefix}
	t.Cleanup(func() {
		o.flush(t)
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// servers are those that the suite runs on: a fake always, and real ones where the environment names them.
func servers() map[string]func(t *testing.T) opened {
	all := map[string]func(t *testing.T) opened{
		"miniredis": func(t *testing.T) opened { return open(t, miniredis.RunT(t).Addr()) },
	}
	if addrs := os.Getenv("LEADLINE_TEST_REDIS"); addrs != "" {
		all["real"] = func(t *testing.T) opened { return open(t, strings.Split(addrs, ",")...) }
	}
	return all
}

// nodes runs do on each server that holds data.
func (o opened) nodes(t *testing.T, do func(ctx context.Context, node *redis.Client) error) {
	t.Helper()
	ctx := context.Background() // cleanups run after the test's context has ended
	var err error
	switch client := o.client.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(ctx, do)
	case *redis.Client:
		err = do(ctx, client)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// keys lists the tenant's keys.
func (o opened) keys(t *testing.T) []string {
	t.Helper()
	var mu sync.Mutex
	var names []string
	o.nodes(t, func(ctx context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		scan := node.Scan(ctx, 0, "{"+o.prefix+"*", 1000).Iterator()
		for scan.Next(ctx) {
			names = append(names, scan.Val())
		}
		return scan.Err()
	})
	return names
}

func (o opened) flush(t *testing.T) {
	t.Helper()
	for _, name := range o.keys(t) {
		if err := o.client.Del(context.Background(), name).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSuite(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		statetest.Run(t, func(*testing.T) statetest.Harness {
			store := state.NewMemory()
			return statetest.Harness{Store: store, Flush: store.Flush}
		})
	})
	t.Run("forgetful", func(t *testing.T) {
		statetest.Run(t, func(*testing.T) statetest.Harness {
			store := statetest.NewForgetful()
			return statetest.Harness{Store: store, Flush: store.Flush}
		})
	})
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			statetest.Run(t, func(t *testing.T) statetest.Harness {
				o := start(t)
				return statetest.Harness{Store: o.Redis, Flush: func() { o.flush(t) }}
			})
		})
	}
}
