package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Health is what Check found out about the servers.
type Health struct {
	Version  string   // of one server, empty when it does not tell
	Problems []string // each must be put right before the projection can be relied on; says how
	Notes    []string // what could not be looked at, and why
}

// oldest is the first version with everything used here and the ACL users that operators need.
var oldest = [2]int{6, 0}

// Check looks at every master: version, eviction policy, and by sample whether any of the tenant's keys may expire.
// Its error is that a server could not be asked at all.
func (r *Redis) Check(ctx context.Context) (Health, error) {
	var mu sync.Mutex
	var all Health
	look := func(ctx context.Context, node *redis.Client) error {
		if err := node.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("check redis %s: %w", node.Options().Addr, err)
		}
		found := examine(ctx, node, r.prefix)
		mu.Lock()
		defer mu.Unlock()
		all.Version = found.Version
		all.Problems = append(all.Problems, found.Problems...)
		all.Notes = append(all.Notes, found.Notes...)
		return nil
	}
	err := EachMaster(ctx, r.client, look)
	return all, err
}

func examine(ctx context.Context, node *redis.Client, prefix string) Health {
	var h Health
	addr := node.Options().Addr
	h.version(ctx, node, addr)
	h.policy(ctx, node, addr)
	h.expiry(ctx, node, addr, prefix)
	return h
}

func (h *Health) version(ctx context.Context, node *redis.Client, addr string) {
	info, err := node.Info(ctx, "server").Result()
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			h.Version = v
		}
	}
	if h.Version == "" {
		h.Notes = append(h.Notes, fmt.Sprintf("redis %s does not tell its version (%v); it must be %d.%d or newer", addr, err, oldest[0], oldest[1]))
		return
	}
	if older(h.Version) {
		h.Problems = append(h.Problems, fmt.Sprintf("redis %s is %s: upgrade it to %d.%d or newer", addr, h.Version, oldest[0], oldest[1]))
	}
}

func older(version string) bool {
	parts := append(strings.Split(version, "."), "0")
	major, _ := strconv.Atoi(parts[0])
	minor, _ := strconv.Atoi(parts[1])
	return major < oldest[0] || major == oldest[0] && minor < oldest[1]
}

func (h *Health) policy(ctx context.Context, node *redis.Client, addr string) {
	config, err := node.ConfigGet(ctx, "maxmemory-policy").Result()
	policy, ok := config["maxmemory-policy"]
	switch {
	case err != nil || !ok:
		h.Notes = append(h.Notes, fmt.Sprintf("redis %s does not show its configuration (%v); make sure that maxmemory-policy is noeviction", addr, err))
	case policy != "noeviction":
		h.Problems = append(h.Problems, fmt.Sprintf("redis %s has maxmemory-policy %s and may throw customers away: set it to noeviction", addr, policy))
	}
}

// sampled bounds how many keys expiry looks at.
const sampled = 500

func (h *Health) expiry(ctx context.Context, node *redis.Client, addr, prefix string) {
	names, err := sample(ctx, node, prefix)
	if err == nil && len(names) > 0 {
		err = h.mortal(ctx, node, addr, names)
	}
	if err != nil {
		h.Notes = append(h.Notes, fmt.Sprintf("redis %s: could not look for keys that expire: %v", addr, err))
	}
}

func sample(ctx context.Context, node *redis.Client, prefix string) ([]string, error) {
	var names []string
	var cursor uint64
	for range 20 {
		page, next, err := node.Scan(ctx, cursor, "{"+prefix+"*}*", sampled).Result()
		if err != nil {
			return nil, err
		}
		names, cursor = append(names, page...), next
		if cursor == 0 || len(names) >= sampled {
			break
		}
	}
	return names[:min(len(names), sampled)], nil
}

func (h *Health) mortal(ctx context.Context, node *redis.Client, addr string, names []string) error {
	ttls := make([]*redis.DurationCmd, len(names))
	_, err := node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, name := range names {
			ttls[i] = pipe.PTTL(ctx, name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i, name := range names {
		if ttls[i].Val() > 0 {
			h.Problems = append(h.Problems, fmt.Sprintf("redis %s: key %s expires, which something else must have asked for: remove that, then PERSIST the key", addr, name))
			return nil
		}
	}
	return nil
}
