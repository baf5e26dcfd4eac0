package state_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// answers is a hook that answers CONFIG and INFO in the server's place, as servers of another kind would.
type answers struct {
	redis.Hook
	policy, version string
	forbidden       bool
}

func (a answers) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a answers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a answers) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		config, isConfig := cmd.(*redis.MapStringStringCmd)
		info, isInfo := cmd.(*redis.StringCmd)
		switch {
		case isConfig && a.forbidden, isInfo && cmd.Name() == "info" && a.forbidden:
			cmd.SetErr(errors.New("NOPERM this user has no permissions to run the command"))
			return cmd.Err()
		case isConfig:
			config.SetVal(map[string]string{"maxmemory-policy": a.policy})
			return nil
		case isInfo && cmd.Name() == "info":
			info.SetVal("# Server\r\nredis_version:" + a.version + "\r\nredis_mode:standalone\r\n")
			return nil
		}
		return next(ctx, cmd)
	}
}

func checked(t *testing.T, a answers, expire bool) state.Health {
	t.Helper()
	o := servers()["miniredis"](t)
	o.client.AddHook(a)
	apply(t, o, state.Meta{}, statetest.At(1, 1), engine.Change{CustomerID: "ann", Blob: []byte("b")})
	if expire {
		if err := o.client.Expire(t.Context(), "{"+o.prefix+"3}1:c:ann", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	health, err := o.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return health
}

func TestCheckSaysWhatIsWrongWithAServer(t *testing.T) {
	for name, c := range map[string]struct {
		answers        answers
		expire         bool
		problem, notes string
	}{
		"all well":          {answers: answers{policy: "noeviction", version: "7.0.15"}},
		"6.0 is enough":     {answers: answers{policy: "noeviction", version: "6.0.0"}},
		"evicts":            {answers: answers{policy: "allkeys-lru", version: "7.0.15"}, problem: "maxmemory-policy allkeys-lru"},
		"too old":           {answers: answers{policy: "noeviction", version: "5.9.9"}, problem: "is 5.9.9: upgrade"},
		"a key expires":     {answers: answers{policy: "noeviction", version: "8.2"}, expire: true, problem: "1:c:ann expires"},
		"questions refused": {answers: answers{forbidden: true}, notes: "does not tell its version (NOPERM this user has no permissions to run the command); it must be 6.0 or newer"},
	} {
		t.Run(name, func(t *testing.T) {
			health := checked(t, c.answers, c.expire)
			if got := strings.Join(health.Problems, "\n"); !strings.Contains(got, c.problem) || (c.problem == "") != (got == "") {
				t.Errorf("problems are %q, want %q", got, c.problem)
			}
			if got := strings.Join(health.Notes, "\n"); !strings.Contains(got, c.notes) || (c.notes == "") != (got == "") {
				t.Errorf("notes are %q, want %q", got, c.notes)
			}
		})
	}
}

func TestCheckOfAServerThatIsNotThereIsAnError(t *testing.T) {
	client := state.Dial(state.Options{Addrs: []string{"127.0.0.1:1"}})
	defer client.Close()
	if _, err := state.NewRedis(client, "x.").Check(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error is %v, want one that names the server", err)
	}
}

func TestOperationsAreCounted(t *testing.T) {
	o := servers()["miniredis"](t)
	reg := prometheus.NewPedanticRegistry()
	if err := o.Register(reg); err != nil {
		t.Fatal(err)
	}
	apply(t, o, state.Meta{}, statetest.At(1, 1), engine.Change{CustomerID: "ann", Blob: []byte("b")})
	var refused state.ErrRefused
	if err := o.Apply(t.Context(), 3, state.Write{From: statetest.At(1, 9), To: statetest.At(1, 10)}); !errors.As(err, &refused) {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()] += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if got["leadline_state_refused_total"] != 1 || got["leadline_state_customers_total"] != 1 || got["leadline_state_seconds"] != 2 {
		t.Errorf("counted %v", got)
	}
}
