package state_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// on runs a test on each server.
func on(t *testing.T, test func(t *testing.T, o opened)) {
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func apply(t *testing.T, o opened, from, to state.Meta, changes ...engine.Change) {
	t.Helper()
	if err := o.Apply(t.Context(), 3, state.Write{From: from, To: to, Changes: changes}); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatForgotTheScriptsIsTaughtAgain(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		for generation := range int64(2) {
			b, err := o.Rebuild(t.Context(), 3, statetest.At(1+generation, 1))
			if err != nil {
				t.Fatal(err)
			}
			o.nodes(t, func(ctx context.Context, node *redis.Client) error { return node.ScriptFlush(ctx).Err() })
			if err := b.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestKeysOfAShardShareOneHashTag(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		w := state.Write{To: statetest.At(1, 1), ItemRuns: []engine.ItemsRun{{Run: []byte("x")}},
			Changes: []engine.Change{{CustomerID: "{other}", Blob: []byte("x"), Due: engine.Due{Look: 1}}}}
		if err := o.Apply(t.Context(), 3, w); err != nil {
			t.Fatal(err)
		}
		tag := "{" + o.prefix + "3}"
		want := []string{tag + "1:c:{other}", tag + "1:items", tag + "1:timers", tag + "meta"}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(o.keys(t)))); diff != "" {
			t.Error(diff)
		}
		if meta := o.client.Get(t.Context(), tag+"meta").Val(); meta != "layout2|c-1|t-1|1|1|10" {
			t.Errorf("meta is %q", meta)
		}
	})
}

func TestTenantsWhosePrefixesEndInDigitsDoNotMeet(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		short, long := state.NewRedis(o.client, o.prefix), state.NewRedis(o.client, o.prefix+"1")
		apply(t, opened{Redis: long}, state.Meta{}, statetest.At(1, 1))
		if _, ok, err := short.Meta(t.Context(), 13); ok || err != nil {
			t.Error("partition 3 of one tenant is partition 13 of another")
		}
	})
}

func TestAFinishedRebuildLeavesOneGeneration(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		var many []engine.Change
		for i := range 1200 {
			many = append(many, engine.Change{CustomerID: strings.Repeat("x", i%5) + string(rune('A'+i)), Blob: []byte("b"), Due: engine.Due{Look: 1}})
		}
		apply(t, o, state.Meta{}, statetest.At(4, 1), many...)
		abandoned, err := o.Rebuild(t.Context(), 3, statetest.At(6, 1))
		if err != nil {
			t.Fatal(err)
		}
		b, err1 := o.Rebuild(t.Context(), 3, statetest.At(5, 1))
		err2 := b.Put(t.Context(), many[:1], nil)
		if err := errors.Join(err1, err2, b.Finish(t.Context())); err != nil {
			t.Fatal(err)
		}
		tag := "{" + o.prefix + "3}"
		want := []string{tag + "5:c:" + many[0].CustomerID, tag + "5:timers", tag + "meta"}
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(o.keys(t)))); diff != "" {
			t.Error(diff)
		}
		var refused state.ErrRefused
		if err := abandoned.Put(t.Context(), many, nil); !errors.As(err, &refused) {
			t.Errorf("the abandoned rebuild still writes: %v", err)
		}
	})
}

func TestWhatCannotBeReadIsCorrupt(t *testing.T) {
	for name, spoil := range map[string]func(ctx context.Context, c redis.UniversalClient, tag string) error{
		"meta": func(ctx context.Context, c redis.UniversalClient, tag string) error {
			return c.Set(ctx, tag+"meta", "c|t|1|two|3", 0).Err()
		},
		"meta of another type": func(ctx context.Context, c redis.UniversalClient, tag string) error {
			return errors.Join(c.Del(ctx, tag+"meta").Err(), c.RPush(ctx, tag+"meta", "x").Err())
		},
		"items": func(ctx context.Context, c redis.UniversalClient, tag string) error {
			return c.RPush(ctx, tag+"1:items", "not hex!").Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, o opened) {
				apply(t, o, state.Meta{}, statetest.At(1, 1))
				if err := spoil(t.Context(), o.client, "{"+o.prefix+"3}"); err != nil {
					t.Fatal(err)
				}
				if _, err := o.Items(t.Context(), 3); !errors.Is(err, state.ErrCorrupt) {
					t.Errorf("reading items gives %v", err)
				}
			})
		})
	}
}

// Redis is restarted in the middle of a rebuild and has lost the last write, the claim of the one before stands: the rebuild must not
// go on, for what it made visible would have a hole, and a customer in it would count as new.
func TestARebuildThatLostAWriteIsRefused(t *testing.T) {
	for name, goOn := range map[string]func(b state.Rebuild, ctx context.Context) error{
		"put": func(b state.Rebuild, ctx context.Context) error {
			return b.Put(ctx, []engine.Change{{CustomerID: "cyd", Blob: []byte("c")}}, nil)
		},
		"finish": func(b state.Rebuild, ctx context.Context) error { return b.Finish(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, o opened) {
				ctx, claim := t.Context(), "{"+o.prefix+"3}rebuild"
				b, err := o.Rebuild(ctx, 3, statetest.At(1, 5))
				if err != nil {
					t.Fatal(err)
				}
				put := func(id string) {
					if err := b.Put(ctx, []engine.Change{{CustomerID: id, Blob: []byte(id)}}, nil); err != nil {
						t.Fatal(err)
					}
				}
				put("ann")
				before := o.client.Get(ctx, claim).Val()
				put("bob")
				err = errors.Join(o.client.Set(ctx, claim, before, 0).Err(), o.client.Del(ctx, "{"+o.prefix+"3}1:c:bob").Err())
				if err != nil {
					t.Fatal(err)
				}
				if err := goOn(b, ctx); !errors.As(err, new(state.ErrRefused)) {
					t.Errorf("went on: %v", err)
				}
			})
		})
	}
}

// A meta that nobody can read must not stop the rebuild that mends it, and what stood under it is gone afterwards.
func TestARebuildReplacesAnUnreadableMeta(t *testing.T) {
	for name, spoil := range map[string]func(ctx context.Context, c redis.UniversalClient, meta string) error{
		"not one": func(ctx context.Context, c redis.UniversalClient, meta string) error {
			return c.Set(ctx, meta, "c|t|1|two|3", 0).Err()
		},
		"of another type": func(ctx context.Context, c redis.UniversalClient, meta string) error {
			return errors.Join(c.Del(ctx, meta).Err(), c.RPush(ctx, meta, "x").Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, o opened) {
				ctx := t.Context()
				w := state.Write{To: statetest.At(1, 1), Changes: []engine.Change{{CustomerID: "old", Blob: []byte("o"), Due: engine.Due{Look: 7}}}}
				if err := errors.Join(o.Apply(ctx, 3, w), spoil(ctx, o.client, "{"+o.prefix+"3}meta")); err != nil {
					t.Fatal(err)
				}
				b, err := o.Rebuild(ctx, 3, statetest.At(1, 5))
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(b.Put(ctx, []engine.Change{{CustomerID: "new", Blob: []byte("n")}}, nil), b.Finish(ctx)); err != nil {
					t.Fatal(err)
				}
				m, blobs, err := o.Load(ctx, 3, []string{"old", "new"})
				if err != nil || m != statetest.At(1, 5) || blobs[0] != nil || string(blobs[1]) != "n" {
					t.Errorf("it is at %v with %q, %v", m, blobs, err)
				}
			})
		})
	}
}

// A command of a transaction that fails does not stop the others: the meta must not move on over timers or items that are something else.
func TestAWriteOntoAnotherTypeIsCorrupt(t *testing.T) {
	for _, key := range []string{"1:timers", "1:items"} {
		t.Run(key, func(t *testing.T) {
			on(t, func(t *testing.T, o opened) {
				apply(t, o, state.Meta{}, statetest.At(1, 1))
				if err := o.client.Set(t.Context(), "{"+o.prefix+"3}"+key, "x", 0).Err(); err != nil {
					t.Fatal(err)
				}
				w := state.Write{From: statetest.At(1, 1), To: statetest.At(1, 2), Changes: []engine.Change{{CustomerID: "ann", Blob: []byte("b"), Due: engine.Due{Look: 1}}},
					ItemRuns: []engine.ItemsRun{{Run: []byte("x")}}}
				if err := o.Apply(t.Context(), 3, w); !errors.Is(err, state.ErrCorrupt) {
					t.Errorf("apply gives %v", err)
				}
				if m, _, err := o.Meta(t.Context(), 3); m != w.From || err != nil {
					t.Errorf("it is at %v, %v", m, err)
				}
			})
		})
	}
}

// atExec is a hook that does something when a client is about to send a transaction, which is after it has looked, and knows its
// connections.
type atExec struct {
	do    func()
	conns []net.Conn
}

func (h *atExec) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		h.conns = append(h.conns, conn)
		return conn, err
	}
}

func (h *atExec) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *atExec) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "multi" && h.do != nil {
			do := h.do
			h.do = nil
			do()
		}
		return next(ctx, cmds)
	}
}

// Between the look of a write and its EXEC lies a moment, in which another engine may write, or the connection end, and with it the
// watch. Nothing of the write may happen then.
func TestAWriteThatIsOvertakenChangesNothing(t *testing.T) {
	for name, cut := range map[string]bool{"on a connection that stands": false, "on one that ends": true} {
		t.Run(name, func(t *testing.T) {
			on(t, func(t *testing.T, o opened) {
				if _, single := o.client.(*redis.Client); !single {
					t.Skip("a cluster's nodes take no hooks")
				}
				apply(t, o, state.Meta{}, statetest.At(1, 1))
				other := state.Dial(state.Options{Addrs: []string{o.client.(*redis.Client).Options().Addr}})
				defer other.Close()
				late, hook := state.NewRedis(other, o.prefix), &atExec{}
				other.AddHook(hook)
				hook.do = func() {
					apply(t, o, statetest.At(1, 1), statetest.At(1, 2), engine.Change{CustomerID: "ann", Blob: []byte("first")})
					if cut {
						for _, conn := range hook.conns {
							conn.Close()
						}
					}
				}
				w := state.Write{From: statetest.At(1, 1), To: statetest.At(1, 3), Changes: []engine.Change{{CustomerID: "ann", Blob: []byte("late")},
					{CustomerID: "bob", Blob: []byte("late")}}}
				err := late.Apply(t.Context(), 3, w)
				if errors.As(err, &state.ErrRefused{}) == cut || err == nil {
					t.Errorf("the overtaken write gives %v", err)
				}
				if err := late.Apply(t.Context(), 3, w); !errors.As(err, &state.ErrRefused{}) {
					t.Errorf("again it gives %v", err)
				}
				m, blobs, err := o.Load(t.Context(), 3, []string{"ann", "bob"})
				if m != statetest.At(1, 2) || string(blobs[0]) != "first" || blobs[1] != nil || err != nil {
					t.Errorf("it is at %v with %q, %v", m, blobs, err)
				}
			})
		})
	}
}

// TestRedisDoesWhatMemoryDoes runs random histories of writes, rebuilds, flushes and stale writers on both.
func TestRedisDoesWhatMemoryDoes(t *testing.T) {
	start := servers()["miniredis"]
	o := start(t)
	rapid.Check(t, func(rt *rapid.T) {
		o.flush(t)
		h := history{rt: rt, stores: []state.Store{state.NewRedis(o.client, o.prefix), state.NewMemory()}}
		memory := h.stores[1].(*state.Memory)
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) { h.compare() },
			"apply":   func(*rapid.T) { h.apply() },
			"begin":   func(*rapid.T) { h.begin() },
			"put":     func(*rapid.T) { h.put() },
			"finish":  func(*rapid.T) { h.finish() },
			"flush":   func(*rapid.T) { o.flush(t); memory.Flush() },
			"forget":  func(*rapid.T) { h.stores[0] = state.NewRedis(o.client, o.prefix) },
			"restart": func(*rapid.T) { h.rebuilds = nil },
		})
	})
}

type history struct {
	rt       *rapid.T
	stores   []state.Store
	rebuilds [][]state.Rebuild // per rebuild the one of each store
}

var customers = []string{"ann", "bob", "1:c:ann", "{3}"}

func (h *history) changes() []engine.Change {
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom(customers), 0, 4, rapid.ID[string]).Draw(h.rt, "ids")
	var changes []engine.Change
	for _, id := range ids {
		blob := rapid.SampledFrom([][]byte{nil, []byte("a"), []byte("b\x00")}).Draw(h.rt, "blob")
		day := rapid.SampledFrom([]sales.Day{0, 1, 2, 20_454, -1, 1<<23 - 1})
		due := engine.Due{Look: day.Draw(h.rt, "look"), Expiry: day.Draw(h.rt, "expiry")}
		changes = append(changes, engine.Change{CustomerID: id, Blob: blob, Due: due})
	}
	return changes
}

func (h *history) runs() []engine.ItemsRun {
	var runs []engine.ItemsRun
	for _, first := range rapid.SliceOfN(rapid.Int32Range(0, 20), 0, 3).Draw(h.rt, "runs") {
		runs = append(runs, engine.ItemsRun{First: first, Run: []byte{byte(first)}})
	}
	return runs
}

func (h *history) meta() state.Meta {
	return statetest.At(rapid.Int64Range(1, 3).Draw(h.rt, "generation"), rapid.Int64Range(1, 3).Draw(h.rt, "csn"))
}

// both compares the errors of the stores.
func (h *history) both(do func(i int) error) {
	h.rt.Helper()
	redis, memory := do(0), do(1)
	var a, b state.ErrRefused
	if errors.As(redis, &a) != errors.As(memory, &b) || a != b || (redis == nil) != (memory == nil) {
		h.rt.Fatalf("redis says %v, memory %v", redis, memory)
	}
}

func (h *history) apply() {
	from := h.meta()
	if m, _, err := h.stores[1].Meta(h.rt.Context(), 3); err == nil && rapid.Bool().Draw(h.rt, "truthful") {
		from = m
	}
	to := statetest.At(max(1, from.Generation), rapid.Int64Range(1, 3).Draw(h.rt, "to"))
	w := state.Write{From: from, To: to, Changes: h.changes(), ItemRuns: h.runs()}
	h.both(func(i int) error { return h.stores[i].Apply(h.rt.Context(), 3, w) })
}

func (h *history) begin() {
	to, begun := h.meta(), make([]state.Rebuild, 2)
	h.both(func(i int) (err error) {
		begun[i], err = h.stores[i].Rebuild(h.rt.Context(), 3, to)
		return err
	})
	if begun[0] != nil {
		h.rebuilds = append(h.rebuilds, begun)
	}
}

func (h *history) pick() []state.Rebuild {
	if len(h.rebuilds) == 0 {
		h.rt.Skip("no rebuild is under way")
	}
	return rapid.SampledFrom(h.rebuilds).Draw(h.rt, "rebuild")
}

func (h *history) put() {
	b, changes, runs := h.pick(), h.changes(), h.runs()
	h.both(func(i int) error { return b[i].Put(h.rt.Context(), changes, runs) })
}

func (h *history) finish() {
	b := h.pick()
	h.both(func(i int) error { return b[i].Finish(h.rt.Context()) })
}

// compare reads everything from both.
func (h *history) compare() {
	type content struct {
		Meta   state.Meta
		Blobs  [][]byte
		Timers []engine.Timer
		Runs   []engine.ItemsRun
	}
	var seen [2]content
	h.both(func(i int) (err error) {
		seen[i].Meta, seen[i].Blobs, err = h.stores[i].Load(h.rt.Context(), 3, customers)
		return err
	})
	h.both(func(i int) error {
		return h.stores[i].Timers(h.rt.Context(), 3, func(tm engine.Timer) error {
			seen[i].Timers = append(seen[i].Timers, tm)
			slices.SortFunc(seen[i].Timers, func(a, b engine.Timer) int { return strings.Compare(a.CustomerID, b.CustomerID) })
			return nil
		})
	})
	h.both(func(i int) (err error) {
		runs, err := h.stores[i].Items(h.rt.Context(), 3)
		seen[i].Runs = append(seen[i].Runs, runs...)
		return err
	})
	if diff := cmp.Diff(seen[1], seen[0]); diff != "" {
		h.rt.Fatalf("-memory +redis\n%s", diff)
	}
}

func TestTimersOfAStoreEmptiedHalfWayAreRefused(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		var many []engine.Change
		for i := range 2500 { // several pages
			many = append(many, engine.Change{CustomerID: string(rune('一' + i)), Blob: []byte("b"), Due: engine.Due{Look: 1}})
		}
		apply(t, o, state.Meta{}, statetest.At(1, 1), many...)
		seen := 0
		err := o.Timers(t.Context(), 3, func(engine.Timer) error {
			if seen++; seen == 1 {
				o.flush(t)
			}
			return nil
		})
		if errors.As(err, &state.ErrRefused{}) == (seen == len(many)) { // miniredis gives all of them as one page
			t.Errorf("after %d timers: %v, want a refusal half-way", seen, err)
		}
	})
}
