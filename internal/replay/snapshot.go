package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// snapshotHead says what a snapshot is of.
type snapshotHead struct {
	Format int   `json:"format"`
	Place  place `json:"place"`
}

// snapshotFile takes the shards as they come to their ends.
type snapshotFile struct {
	path string

	mu     sync.Mutex
	f      *os.File
	frames *frameWriter
}

// newSnapshot writes beside the path, and only end puts it there.
func newSnapshot(path string, at place) (*snapshotFile, error) {
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	s := &snapshotFile{path: path, f: f, frames: newFrameWriter(f)}
	s.frames.json(frameHead, snapshotHead{runFormat, at})
	return s, nil
}

// add writes a shard as of its last commit.
func (s *snapshotFile) add(w *walk) error {
	k, err := w.keep()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.head.Sum = ShardReport{}
	k.write(s.frames)
	return s.frames.err
}

// end completes the file; with an error of the replay nothing is left of it.
func (s *snapshotFile) end(err error) error {
	if err == nil {
		if err = s.frames.end(); err == nil {
			err = s.f.Sync()
		}
	}
	if closing := s.f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		if err = os.Rename(s.f.Name(), s.path); err == nil {
			return nil
		}
	}
	_ = os.Remove(s.f.Name()) // the error that matters is the other one
	return err
}

// startAtSnapshot goes to where a snapshot was made.
func (w *walk) startAtSnapshot(ctx context.Context) error {
	head, k, err := readShard(w.h.o.Snapshot, w.p)
	if err == nil {
		err = w.h.fits(head)
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", w.h.o.Snapshot, err)
	}
	if k == nil {
		return fmt.Errorf("snapshot %s: shard %d is not in it", w.h.o.Snapshot, w.p)
	}
	if begin := w.h.begins[journalTopic][w.p]; k.head.Journal < begin {
		return &cutError{fmt.Sprintf("the snapshot is of commit %d, and the journal now begins after it: what was between has outlived its retention", k.head.CSN)}
	}
	if s, ok := w.job.(interface {
		startAt(json.RawMessage) error
	}); ok && k.head.Job != nil {
		if err := s.startAt(k.head.Job); err != nil {
			return fmt.Errorf("snapshot %s: %w: %w", w.h.o.Snapshot, errDamaged, err)
		}
	}
	w.h.skipped(k.head.Journal - w.h.begins[journalTopic][w.p])
	return w.restore(ctx, k)
}

// fits refuses a snapshot of other topics, or of another release's form.
func (h *history) fits(head []byte) error {
	var have snapshotHead
	if err := json.Unmarshal(head, &have); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	want := snapshotHead{runFormat, h.place}
	for _, d := range []struct {
		what       string
		have, want any
	}{
		{"format", have.Format, want.Format}, {"cluster", have.Place.Cluster, want.Place.Cluster}, {"topic prefix", have.Place.Prefix, want.Place.Prefix},
		{"number of partitions", have.Place.Partitions, want.Place.Partitions}, {"business time zone", have.Place.Zone, want.Place.Zone},
		{"topic leadline.journal (by its id)", have.Place.TopicID, want.Place.TopicID},
	} {
		if d.have != d.want {
			return fmt.Errorf("it does not fit: its %s is %v, here it is %v", d.what, d.have, d.want)
		}
	}
	return nil
}
