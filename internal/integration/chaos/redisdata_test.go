//go:build integration

package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// redisData is the data directory of a Redis. What is done to it here is done while Redis is down, except for a snapshot.
type redisData string

// nodes is where a master of a cluster keeps who it is. A master that forgot that would not be the same with less in it, but another.
const nodes = "nodes.conf"

// snapshot copies what there is now. The append-only file only grows, so that a copy is what a power cut would have left.
func (d redisData) snapshot() (redisData, error) {
	to := filepath.Clean(string(d)) + "-snapshot"
	if err := os.RemoveAll(to); err != nil {
		return "", fmt.Errorf("snapshot of Redis: %w", err)
	}
	if err := os.CopyFS(to, os.DirFS(string(d))); err != nil {
		return "", fmt.Errorf("snapshot of Redis: %w", err)
	}
	return redisData(to), nil
}

func (d redisData) remove() { _ = os.RemoveAll(string(d)) } // the run's directory goes too

// restore replaces everything but the identity by a snapshot.
func (d redisData) restore(snapshot redisData) error {
	if err := os.Remove(filepath.Join(string(snapshot), nodes)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("restore Redis: %w", err)
	}
	if err := d.empty(); err != nil {
		return err
	}
	if err := os.CopyFS(string(d), os.DirFS(string(snapshot))); err != nil {
		return fmt.Errorf("restore Redis: %w", err)
	}
	return nil
}

func (d redisData) empty() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	for _, e := range entries {
		if e.Name() == nodes {
			continue
		}
		if err := os.RemoveAll(filepath.Join(string(d), e.Name())); err != nil {
			return fmt.Errorf("empty Redis: %w", err)
		}
	}
	return nil
}

// appended is the append-only file that is written now.
func (d redisData) appended() (string, error) {
	names, err := filepath.Glob(filepath.Join(string(d), "appendonlydir", "*.incr.aof"))
	if err != nil || len(names) == 0 {
		return "", fmt.Errorf("no append-only file in %s: %w", d, os.ErrNotExist)
	}
	slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
	return names[len(names)-1], nil
}

// tear takes bytes off the end of the append-only file.
func (d redisData) tear(n int64) error {
	name, err := d.appended()
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("tear: %w", err)
	}
	if err := os.Truncate(name, max(0, info.Size()-n)); err != nil {
		return fmt.Errorf("tear: %w", err)
	}
	return nil
}

var multi = []byte("*1\r\n$5\r\nMULTI\r\n")

// tearMulti cuts the append-only file inside the last transaction. Luck says where.
func (d redisData) tearMulti(luck uint64) error {
	name, err := d.appended()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("tear: %w", err)
	}
	at := bytes.LastIndex(text, multi)
	if at < 0 {
		return nil // nothing was written since it was emptied
	}
	inside := at + len(multi)
	if err := os.Truncate(name, int64(inside)+int64(luck%uint64(max(1, len(text)-inside)))); err != nil {
		return fmt.Errorf("tear: %w", err)
	}
	return nil
}
