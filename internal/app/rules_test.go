package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"leadline/internal/config"
)

// TestRulesReload plays what happens to a configuration file in the life of a process.
func TestRulesReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leadline.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules:\n  cooldown_days: 40\n")
	c, err := config.Load(config.Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		rules := newLiveRules(c, zap.New(core), prometheus.NewRegistry())
		hangup := make(chan os.Signal)
		ended := make(chan error, 1)
		go func() { ended <- rules.watch(t.Context(), hangup) }()
		expect := func(when string, cooldown int, ok, failed float64) {
			t.Helper()
			time.Sleep(rulesPoll + time.Millisecond) // virtual
			synctest.Wait()
			if got := rules.Rules().CooldownDays; got != cooldown {
				t.Errorf("%s: cooldown_days is %d, want %d", when, got, cooldown)
			}
			if got := testutil.ToFloat64(rules.reloads.WithLabelValues("ok")); got != ok {
				t.Errorf("%s: %v reloads, want %v", when, got, ok)
			}
			if got := testutil.ToFloat64(rules.reloads.WithLabelValues("failed")); got != failed {
				t.Errorf("%s: %v failed reloads, want %v", when, got, failed)
			}
		}
		expect("nothing happened", 40, 0, 0)
		write("rules:\n  cooldown_days: 50\n# changed\n")
		expect("changed", 50, 1, 0)
		write("rules:\n  cooldown_days: 60\n  link_level: product\n")
		expect("other links", 50, 1, 1)
		if last := logs.All()[logs.Len()-1]; last.Level != zap.ErrorLevel || !strings.Contains(last.Message, "link_level cannot change") {
			t.Errorf("other links are told as %v", last)
		}
		write("rules:\n  cooldown_days: 50\n# changed back\n")
		expect("changed back", 50, 2, 1)
		write("rules:\n  cooldown_dayz: 60\n# a mistake\n")
		expect("mistake", 50, 2, 2)
		if last := logs.All()[logs.Len()-1]; last.Level != zap.ErrorLevel || !strings.Contains(last.ContextMap()["error"].(string), "cooldown_dayz") {
			t.Errorf("the mistake is told as %v", last)
		}
		expect("still the same mistake", 50, 2, 2)
		hangup <- os.Interrupt // any signal: main decides which
		expect("asked again", 50, 2, 3)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expect("file gone", 50, 2, 4)
		expect("still gone", 50, 2, 4)
		write("rules:\n  cooldown_days: 60\n")
		expect("back again", 60, 3, 4)
	})
}
