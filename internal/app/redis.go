package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"leadline/internal/state"
)

// redisLook is how often a running engine's Redis is looked at: it may have been replaced by one with other settings.
const redisLook = time.Minute

// redisUsable waits until Redis answers, and refuses one that would throw customers away.
func (a *App) redisUsable(ctx context.Context, ready *readiness, store *state.Redis) error {
	var health state.Health
	err := a.wait(ctx, ready, "redis", strings.Join(a.config.Redis.Addrs, ","), func() (err error) {
		health, err = store.Check(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, note := range health.Notes {
		a.log.Info("redis: " + note)
	}
	if len(health.Problems) > 0 {
		return errors.New("redis can not be used: " + strings.Join(health.Problems, "; "))
	}
	return nil
}

// watchRedis tells when a Redis that was fine no longer is. It does not stop the engine: what is lost there is rebuilt.
func (a *App) watchRedis(ctx context.Context, store *state.Redis) error {
	tick := time.NewTicker(redisLook)
	defer tick.Stop()
	var told []string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		health, err := store.Check(ctx)
		if err != nil {
			continue // the engine tells that Redis is away
		}
		if !slices.Equal(told, health.Problems) {
			told = health.Problems
			a.log.Warn("redis is not as it must be", zap.Strings("problems", told))
		}
	}
}
