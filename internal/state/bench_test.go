package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// BenchmarkApply writes commits of a shard with 25,000 customers to the server that LEADLINE_TEST_REDIS names. It reports the processor
// time of Redis and of this process for one changed customer. (The time of an iteration is that of one commit, waiting included.)
func BenchmarkApply(b *testing.B) {
	addrs := os.Getenv("LEADLINE_TEST_REDIS")
	if addrs == "" {
		b.Skip("LEADLINE_TEST_REDIS names no server")
	}
	for _, size := range []int{100, 2_000, 10_000} {
		for _, timers := range []string{"stand", "move"} {
			b.Run(fmt.Sprintf("changes=%d/timers=%s", size, timers), func(b *testing.B) {
				client := state.Dial(state.Options{Addrs: strings.Split(addrs, ",")})
				defer client.Close()
				applyMany(b, client, size, timers == "move")
			})
		}
	}
}

func applyMany(b *testing.B, client redis.UniversalClient, size int, move bool) {
	const shard, blobBytes = 25_000, 350
	ctx, random := context.Background(), rand.New(rand.NewPCG(1, 2))
	store := state.NewRedis(client, "bench-apply.")
	all := make([]engine.Change, shard)
	blob := make([]byte, blobBytes)
	for i := range all {
		all[i] = engine.Change{CustomerID: fmt.Sprintf("customer-%06d", i), Blob: blob, Due: engine.Due{Look: 20_000 + sales.Day(random.IntN(7))}}
	}
	defer client.FlushAll(ctx)
	csn := int64(1)
	if err := store.Apply(ctx, 3, state.Write{To: statetest.At(1, csn), Changes: all}); err != nil {
		b.Fatal(err)
	}
	commits := make([][]engine.Change, 16)
	for i := range commits {
		for _, j := range random.Perm(shard)[:size] {
			c := all[j]
			if move {
				c.Due.Look += sales.Day(1 + i)
			}
			commits[i] = append(commits[i], c)
		}
	}
	b.ReportAllocs()
	redisBefore, clientBefore := redisCPU(b, client), clientCPU()
	for b.Loop() {
		w := state.Write{From: statetest.At(1, csn), To: statetest.At(1, csn+1), Changes: commits[csn%16]}
		if err := store.Apply(ctx, 3, w); err != nil {
			b.Fatal(err)
		}
		csn++
	}
	per := float64(b.N*size) / 1e6
	b.ReportMetric((redisCPU(b, client)-redisBefore).Seconds()/per, "redis-µs/customer")
	b.ReportMetric((clientCPU()-clientBefore).Seconds()/per, "client-µs/customer")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/customer")
}

func redisCPU(b *testing.B, client redis.UniversalClient) time.Duration {
	info := client.InfoMap(context.Background(), "cpu")
	var user, sys float64
	_, err1 := fmt.Sscan(info.Item("CPU", "used_cpu_user"), &user)
	_, err2 := fmt.Sscan(info.Item("CPU", "used_cpu_sys"), &sys)
	if err1 != nil || err2 != nil {
		b.Fatal(err1, err2)
	}
	return time.Duration((user + sys) * float64(time.Second))
}

func clientCPU() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
