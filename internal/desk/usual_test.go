package desk

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"leadline/internal/engine"
)

// From the first question on the usual windows are counted all the time, and their list needs no counting, whatever the filter; other windows
// are counted when they are asked for, and not twice at once.
func TestTheUsualWindowsAreCountedBeforehand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newTown(t, 30)
		d := NewDeclining(x, engine.DefaultRules, nil, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		counted := func(want int64, when string) {
			t.Helper()
			synctest.Wait()
			if n := x.counted.Load(); n != want {
				t.Errorf("%s: counted %d times, want %d", when, n, want)
			}
		}
		page := func(values map[string][]string) *Page {
			t.Helper()
			q, err := d.Query(values, 10)
			if err != nil {
				t.Fatal(err)
			}
			p, err := d.Page(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		time.Sleep(time.Hour)
		counted(0, "before anybody asks")
		x.reading.Store(true)
		if _, err := d.Query(nil, 10); err == nil {
			t.Error("a question is answered while customers are read")
		}
		time.Sleep(10 * time.Second)
		counted(0, "while customers are read")
		x.reading.Store(false)
		time.Sleep(2 * time.Second)
		counted(1, "once they are read")
		if p := page(nil); p.listed != d.standing {
			t.Error("the usual list is not the one that was made beforehand")
		}
		for _, values := range []map[string][]string{{"owner": {"rep1"}}, {"sort": {"p"}, "horizon": {"30"}, "margin": {"0.2"}}} {
			page(values)
		}
		counted(1, "asked for the usual windows")
		time.Sleep(usualEvery)
		counted(2, "a while later")
		if age := time.Since(page(nil).counted.at); age > usualEvery {
			t.Errorf("the list is of %v ago", age)
		}
		fortnight := map[string][]string{"recent": {"14d"}}
		first := page(fortnight)
		if again := page(fortnight); again.id != first.id {
			t.Error("the same question at once makes another list")
		}
		counted(3, "asked for other windows")
		time.Sleep(freshEnough + time.Second)
		page(fortnight)
		counted(4, "asked for them again later")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
