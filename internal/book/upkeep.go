package book

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// upkeep keeps something read from the first question on. Until then nothing is read: who never asks pays neither time nor memory.
type upkeep struct {
	wanted  chan struct{} // closed with the first question
	want    sync.Once
	trouble atomic.Pointer[error]
}

func newUpkeep() upkeep { return upkeep{wanted: make(chan struct{})} }

// ask makes what is kept be read, and says why it is not there yet, nil if nothing is known of that.
func (u *upkeep) ask() error {
	u.want.Do(func() { close(u.wanted) })
	if why := u.trouble.Load(); why != nil {
		return *why
	}
	return nil
}

// well says that what was asked for is there.
func (u *upkeep) well() { u.trouble.Store(nil) }

const firstWait, longestWait = 250 * time.Millisecond, 10 * time.Second

// run reads and follows from the first question on until the context ends. Where it cannot go on, all is forgotten, and read again after a
// while.
func (u *upkeep) run(ctx context.Context, log *zap.Logger, again string, follow func(context.Context) error, forget func()) {
	select {
	case <-u.wanted:
	case <-ctx.Done():
		return
	}
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestWait) {
		began := time.Now()
		err := follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestWait {
			wait = firstWait
		}
		u.trouble.Store(&err)
		forget()
		log.Warn(again, zap.Error(err), zap.Duration("in", wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
