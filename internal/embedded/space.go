package embedded

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// What must be free where the broker writes. The broker itself goes on when it cannot write the end of a transaction, which would break
// it in two. So records are refused while there still is room for the ends of what was begun, and the ends before there is none for them.
const (
	roomForRecords = 16 << 20
	roomForEnds    = 4 << 20
)

// space watches the disk of the data directory. Clients take its refusals for what passes: they try again until there is room.
type space struct {
	dir  string
	free func(dir string) (int64, error)
	log  *zap.Logger
	full atomic.Bool
}

// faults are what the broker answers while there is too little room.
func (s *space) faults() []kfake.Fault {
	return []kfake.Fault{
		{Keys: []kmsg.Key{kmsg.Produce, kmsg.CreateTopics, kmsg.CreatePartitions}, Err: kerr.KafkaStorageError, Count: -1,
			When: func(kmsg.Request) bool { return s.short(roomForRecords) }},
		{Keys: []kmsg.Key{kmsg.InitProducerID, kmsg.TxnOffsetCommit, kmsg.OffsetCommit, kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: -1,
			When: func(kmsg.Request) bool { return s.short(roomForEnds) }},
	}
}

// short tells whether less than so much is free, and says so once. A disk that cannot be asked is taken to have room.
func (s *space) short(of int64) bool {
	free, err := s.free(s.dir)
	if err != nil {
		return false
	}
	if full := free < roomForRecords; s.full.CompareAndSwap(!full, full) {
		if full {
			s.log.Error("the disk is full: the broker takes no more records until there is room; nothing that it has taken is lost",
				zap.String("directory", s.dir), zap.Int64("free_bytes", free), zap.Int64("needed_bytes", roomForRecords))
		} else {
			s.log.Info("there is room on the disk again: the broker takes records", zap.String("directory", s.dir), zap.Int64("free_bytes", free))
		}
	}
	return free < of
}

// Full says that the broker takes no records because its disk is full, and where; nil while there is room.
func (s *Servers) Full() error {
	if s.space == nil || !s.space.full.Load() {
		return nil
	}
	return fmt.Errorf("the disk is full: free at least %d MiB where %s is", roomForRecords>>20, filepath.Clean(s.space.dir))
}

// freeBytes is what a process without privileges may still write.
func freeBytes(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("room in %s: %w", dir, err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // the types differ from system to system
}
