package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// runFile is what a state directory says of the run as a whole. Its ends stay as they were found first: a run that goes on does what
// it was begun for.
type runFile struct {
	Format int             `json:"format"`
	Place  place           `json:"place"`
	Asked  json.RawMessage `json:"asked"` // all that makes it this run and no other
	Shards []int32         `json:"shards"`
	Ends   extents         `json:"ends"`
	RunID  string          `json:"run_id,omitempty"`
}

const runFormat = 1

// saves is when a shard was last kept, and what that cost.
type saves struct {
	last time.Time
	took time.Duration
}

// saveEvery is how often a shard is kept, but for shards that take long to write: no more than a twentieth of the time goes into that.
const saveEvery = 20 * time.Second

func (o *Options) saveEvery() time.Duration {
	if o.saveEach != 0 {
		return o.saveEach
	}
	return saveEvery
}

// openState begins a state directory, or goes on with the run that one is of.
func (h *history) openState(asked any, runID string) (string, error) {
	if h.o.StateDir == "" {
		return runID, nil
	}
	want := runFile{Format: runFormat, Place: h.place, Asked: plainJSON(asked), Shards: h.shards, Ends: h.ends, RunID: runID}
	text, err := os.ReadFile(h.runPath())
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(h.o.StateDir, 0o700); err != nil {
			return "", fmt.Errorf("state directory: %w", err)
		}
		return runID, writeFile(h.runPath(), func(f *os.File) error {
			_, err := f.Write(plainJSON(want))
			return err
		})
	}
	if err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	have, err := parseRun(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w: remove the directory and begin anew", h.runPath(), err)
	}
	if have.Place != want.Place || !bytes.Equal(have.Asked, want.Asked) {
		return "", fmt.Errorf("%s is of another run: it was asked for %s of %+v, now for %s of %+v: finish that one, or name another directory",
			h.o.StateDir, have.Asked, have.Place, want.Asked, want.Place)
	}
	h.shards, h.ends = have.Shards, have.Ends
	return have.RunID, nil
}

func parseRun(text []byte) (runFile, error) {
	var r runFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.Format != runFormat || r.Ends == nil {
		return r, errDamaged
	}
	return r, nil
}

func (h *history) runPath() string { return filepath.Join(h.o.StateDir, "run.json") }

func (h *history) shardPath(p int32) string {
	return filepath.Join(h.o.StateDir, fmt.Sprintf("shard-%d.replay", p))
}

// resumed gives what was kept of a shard, nil if nothing was.
func (h *history) resumed(p int32) (*kept, error) {
	if h.o.StateDir == "" {
		return nil, nil
	}
	_, k, err := readShard(h.shardPath(p), p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && k == nil {
		err = errDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: remove it, and the shard is played from its beginning", h.shardPath(p), err)
	}
	return k, nil
}

// readShard gives what a file holds of a shard, nil for nothing, and what the file says of itself.
func readShard(path string, p int32) (head []byte, k *kept, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // it is only read
	r, err := newFrameReader(f)
	if err != nil {
		return nil, nil, err
	}
	head, shards, err := readKept(r, func(have int32) bool { return have == p })
	return head, shards[p], err
}

func (w *walk) saveNowAndThen(ctx context.Context) error {
	if time.Since(w.saves.last) < max(w.h.o.saveEvery(), 20*w.saves.took) {
		return nil
	}
	return w.save(ctx)
}

// lastWork is how long a run that was told to stop may take to leave things in order.
const lastWork = 10 * time.Second

// save keeps the shard as of its last commit, also when the context has ended.
func (w *walk) save(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWork)
	defer cancel()
	if err := w.job.flush(ctx); err != nil {
		return err
	}
	if w.h.o.StateDir == "" {
		return nil
	}
	began := time.Now()
	k, err := w.keep()
	if err == nil {
		err = writeFile(w.h.shardPath(w.p), func(f *os.File) error {
			frames := newFrameWriter(f)
			frames.json(frameHead, w.h.place)
			k.write(frames)
			return frames.end()
		})
	}
	if err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	w.saves = saves{last: time.Now(), took: time.Since(began)}
	return nil
}

// dropState removes what a finished run has kept.
func (h *history) dropState() error {
	if h.o.StateDir == "" {
		return nil
	}
	paths := []string{h.runPath()}
	for _, p := range h.shards {
		paths = append(paths, h.shardPath(p))
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Remove(path))
		if err := os.Remove(path + unfinished); !errors.Is(err, fs.ErrNotExist) { // of a life that was killed while it wrote
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// unfinished is what a file is called until it is whole, beside its name.
const unfinished = ".unfinished"

// writeFile puts a file in its place whole, or leaves what was there.
func writeFile(path string, write func(*os.File) error) (err error) {
	f, err := os.OpenFile(path+unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
