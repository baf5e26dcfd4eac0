package replay

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// result is a report without what depends on how and when it came about.
func result(r *Report) string {
	again := *r
	again.Took, again.Notes = 0, nil
	text, err := json.Marshal(again)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// tampered is a past in which something differs, so that a report has something to lose.
func (w *world) tampered() {
	w.past()
	victim := w.all("alerts.cross-sell")[7]
	again := *victim
	again.Offset = 0
	w.Write(&again)
}

// killedAfter runs a verification that keeps its state, and gives a copy of what it had kept when it had played so many commits: what
// a process that was killed then would have left.
func (w *world) killedAfter(commits int64, edit ...func(*Options)) (dir string) {
	w.t.Helper()
	dir, running := w.t.TempDir(), w.t.TempDir()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	o := w.options()
	for _, e := range edit {
		e(&o)
	}
	o.StateDir, o.saveEach = running, -1
	copied := false
	o.Progress = func(p Progress) {
		if p.Commits >= commits && !copied {
			copied = true
			if err := copyFiles(dir, running); err != nil {
				w.t.Error(err)
			}
			cancel()
		}
	}
	report, err := Verify(ctx, o, Check{})
	if !copied || !errors.Is(err, context.Canceled) || report == nil || !report.Stopped || report.Verified {
		w.t.Fatalf("copied %t, %v, report %+v", copied, err, report)
	}
	return dir
}

// copyFiles copies a directory in which others are writing: a file that got its final name meanwhile is found under that, or was there
// before.
func copyFiles(to, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(from, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A run that is killed wherever it is goes on from what it had kept, and comes to the report that it would have come to.
func TestResumeAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tampered()
		whole := w.verify()
		var commits int64
		for _, s := range whole.Shards {
			commits += s.Commits
		}
		for _, at := range []int64{1, 2, commits / 3, commits / 2, commits - 1} {
			dir := w.killedAfter(at)
			var played int64
			again := w.verify(func(o *Options) {
				o.StateDir, o.saveEach = dir, -1
				o.Progress = func(p Progress) { played = p.Commits }
			})
			if result(again) != result(whole) {
				t.Errorf("killed after %d of %d commits, then\n%s\nin one go\n%s", at, commits, text(again), text(whole))
			}
			if at > 2 && played >= commits {
				t.Errorf("killed after %d commits, and then %d were played", at, played)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
				t.Errorf("%v, %d files are left of a run that is done", err, len(files))
			}
		}
	})
}

// A state directory is of one run, and says so when it is given to another.
func TestStateOfAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		dir := w.killedAfter(4)
		for name, edit := range map[string]func(*Options){
			"another scope":    func(o *Options) { o.Customers = []string{"cj-1"} },
			"another calendar": func(o *Options) { o.Calendar = sales.NewCalendar(time.FixedZone("east", 3600)) },
		} {
			o := w.options()
			o.StateDir = dir
			edit(&o)
			if _, err := Verify(t.Context(), o, Check{}); err == nil || !strings.Contains(err.Error(), "is of another run") {
				t.Errorf("%s: %v", name, err)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "shard-*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		kept, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		kept[len(kept)/2] ^= 1
		if err := os.WriteFile(files[0], kept, 0o600); err != nil {
			t.Fatal(err)
		}
		o := w.options()
		o.StateDir = dir
		if _, err := Verify(t.Context(), o, Check{}); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("a damaged file: %v", err)
		}
	})
}

// A verification from a snapshot on says what one from the first commit on says of the same range.
func TestSnapshotStartEqualsFullStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.learn(w.links()...)
		orders := w.orders()
		w.During(engine.Data, func() { w.send(orders[:170]...) })
		time.Sleep(time.Hour)
		since := time.Now()
		time.Sleep(time.Hour)
		file := filepath.Join(t.TempDir(), "snapshot")
		report, err := Verify(t.Context(), w.options(), Check{SnapshotTo: file})
		if err != nil {
			t.Fatal(err)
		}
		verified(t, report)
		w.Rules.CooldownDays = 20
		w.During(engine.Data, func() {
			w.unlearn(w.links()[5])
			w.send(orders[170:]...)
		})
		full := w.verify(func(o *Options) { o.Since = since })
		verified(t, full)
		short := w.verify(func(o *Options) { o.Since, o.Snapshot = since, file })
		verified(t, short)
		for i, topic := range full.Topics {
			if topic != short.Topics[i] {
				t.Errorf("from the first commit on %+v, from the snapshot on %+v", topic, short.Topics[i])
			}
		}
		if compared(full, "alerts.cross-sell") == 0 {
			t.Error("nothing was compared")
		}
		for i, s := range short.Shards {
			if s.Commits >= full.Shards[i].Commits || s.Customers != full.Shards[i].Customers || s.Customers == 0 || s.CSN != full.Shards[i].CSN {
				t.Errorf("from the snapshot %+v, else %+v", s, full.Shards[i])
			}
		}
		// What is older may go.
		for p := range int32(testPartitions) {
			w.forget("leadline.journal", p, 3)
			w.forget("purchases", p, 5)
		}
		verified(t, w.verify(func(o *Options) { o.Snapshot = file }))

		refused := func(name, says string, edit func(*Options)) {
			o := w.options()
			o.Snapshot = file
			edit(&o)
			if _, err := Verify(t.Context(), o, Check{}); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused("another calendar", "its business time zone is UTC, here it is east", func(o *Options) { o.Calendar = sales.NewCalendar(time.FixedZone("east", 3600)) })
		refused("no file", "no such file", func(o *Options) { o.Snapshot += "s" })
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(t.TempDir(), "bad")
		for name, says := range map[string]string{"cut": "damaged or cut", "changed": "damaged or cut", "foreign": "not a file of this release"} {
			content := append([]byte(nil), kept...)
			switch name {
			case "cut":
				content = content[:len(content)-20]
			case "changed":
				content[len(content)/2] ^= 4
			case "foreign":
				content[16] = '2'
			}
			if err := os.WriteFile(bad, content, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(name, says, func(o *Options) { o.Snapshot = bad })
		}
		for what, edit := range map[string]func(*place){
			"cluster": func(p *place) { p.Cluster = "other" }, "topic prefix": func(p *place) { p.Prefix = "b." },
			"number of partitions": func(p *place) { p.Partitions = 9 }, "topic leadline.journal (by its id)": func(p *place) { p.TopicID = "x" },
		} {
			h := history{place: place{Cluster: "c", Prefix: "a.", Partitions: 3, TopicID: "t", Zone: "UTC"}}
			head := snapshotHead{runFormat, h.place}
			edit(&head.Place)
			if err := h.fits(plainJSON(head)); err == nil || !strings.Contains(err.Error(), "its "+what+" is") {
				t.Errorf("%s: %v", what, err)
			}
		}
		for p := range int32(testPartitions) {
			w.forget("leadline.journal", p, w.ends("leadline.journal", p)-1)
		}
		r := w.verify(func(o *Options) { o.Snapshot = file })
		if r.Verified || r.Differences != 0 || !strings.Contains(r.Shards[0].Stopped, "the journal now begins after it") {
			t.Errorf("a snapshot that is too old: %s", text(r))
		}
	})
}

// A run that is told to stop says what was done.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		ctx, cancel := context.WithCancel(t.Context())
		o := w.options()
		o.Progress = func(p Progress) {
			if p.Commits == 5 {
				cancel()
			}
		}
		r, err := Verify(ctx, o, Check{})
		if !errors.Is(err, context.Canceled) || r == nil || !r.Stopped || r.Verified || !strings.Contains(text(r), "Stopped before the end") {
			t.Fatalf("%v, %+v", err, r)
		}
		commits := int64(0)
		for _, s := range r.Shards {
			commits += s.Commits
		}
		if commits < 5 {
			t.Errorf("five commits were played, the report has %d", commits)
		}
	})
}

// No more records a second than allowed.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		began := time.Now()
		r := w.verify(func(o *Options) { o.Rate = 10 })
		verified(t, r)
		if took := time.Since(began); took < 35*time.Second || took > 40*time.Second {
			t.Errorf("354 records at 10 a second took %s", took)
		}
	})
}
