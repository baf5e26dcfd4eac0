package state

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"leadline/internal/engine"
)

// layout stands before each meta. Whoever changes what stands under the shard's keys gives it another number: then the projection of the release
// before is rebuilt, and not half read. (A release that knew no layout takes it for a part of the cluster's id, and rebuilds too.)
//
//	2: timers are a hash, two days each; before, without any word in the meta, a sorted set by the instant
const layout = "layout2|"

// String gives the form in which Redis holds it: layout|cluster|topic id|generation|csn|next state offset. A write compares
// it as a whole.
func (m Meta) String() string {
	return fmt.Sprintf(layout+"%s|%s|%d|%d|%d", m.Cluster, m.TopicID, m.Generation, m.CSN, m.StateOffset)
}

// encode is String with the zero Meta as the empty string, which is how writes see a key that is not there.
func (m Meta) encode() string {
	if m == (Meta{}) {
		return ""
	}
	return m.String()
}

// decodeMeta reads String's form, the empty string as the zero Meta. Only the cluster's id may hold a bar.
func decodeMeta(s string) (Meta, error) {
	if s == "" {
		return Meta{}, nil
	}
	rest, ours := strings.CutPrefix(s, layout)
	m, err := decodeFields(rest)
	if err != nil {
		return Meta{}, fmt.Errorf("meta %q: %w", s, err)
	}
	if !ours {
		return Meta{}, fmt.Errorf("meta %q: %w", s, ErrEarlier)
	}
	return m, nil
}

func decodeFields(rest string) (Meta, error) {
	var numbers [3]int64
	for i := 2; i >= 0; i-- {
		cut := strings.LastIndexByte(rest, '|')
		if cut < 0 {
			return Meta{}, ErrCorrupt
		}
		n, err := strconv.ParseInt(rest[cut+1:], 10, 64)
		if err != nil {
			return Meta{}, ErrCorrupt
		}
		numbers[i], rest = n, rest[:cut]
	}
	cut := strings.LastIndexByte(rest, '|')
	if cut < 0 {
		return Meta{}, ErrCorrupt
	}
	return Meta{Cluster: rest[:cut], TopicID: rest[cut+1:], Generation: numbers[0], CSN: numbers[1], StateOffset: numbers[2]}, nil
}

// keys names a shard's keys. All share one hash tag, hence one slot of a cluster.
type keys struct{ tag string }

// shardKeys sets a colon, which no topic's name can hold, between a prefix that ends in a digit and the partition:
// otherwise tenants "a1" and "a" would meet in partitions 2 and 12.
func shardKeys(prefix string, p int32) keys {
	if n := len(prefix); n > 0 && prefix[n-1] >= '0' && prefix[n-1] <= '9' {
		prefix += ":"
	}
	return keys{tag: "{" + prefix + strconv.Itoa(int(p)) + "}"}
}

func (k keys) meta() string { return k.tag + "meta" }

// claim names the rebuild that may write, as generation|token.
func (k keys) claim() string { return k.tag + "rebuild" }

func (k keys) timers(gen int64) string { return k.generation(gen) + "timers" }

func (k keys) items(gen int64) string { return k.generation(gen) + "items" }

// customers is what precedes a customer's id.
func (k keys) customers(gen int64) string { return k.generation(gen) + "c:" }

func (k keys) generation(gen int64) string { return k.tag + strconv.FormatInt(gen, 10) + ":" }

// belongs tells the generation that a key of the shard belongs to; false for meta and claim.
func (k keys) belongs(key string) (gen int64, ok bool) {
	rest, ok := strings.CutPrefix(key, k.tag)
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, ":")
	if !ok {
		return 0, false
	}
	gen, err := strconv.ParseInt(digits, 10, 64)
	return gen, err == nil
}

// runHead is the length of the first index, in hex, before a run in the items list. Text, for who looks with redis-cli.
const runHead = 8

func encodeRun(run engine.ItemsRun) string {
	return fmt.Sprintf("%08x", uint32(run.First)) + string(run.Run)
}

func decodeRun(s string) (engine.ItemsRun, error) {
	if len(s) < runHead {
		return engine.ItemsRun{}, fmt.Errorf("item run of %d bytes: %w", len(s), ErrCorrupt)
	}
	first, err := hex.DecodeString(s[:runHead])
	if err != nil || first[0] >= 0x80 {
		return engine.ItemsRun{}, fmt.Errorf("item run begins with %q: %w", s[:runHead], ErrCorrupt)
	}
	index := int32(first[0])<<24 | int32(first[1])<<16 | int32(first[2])<<8 | int32(first[3])
	return engine.ItemsRun{First: index, Run: []byte(s[runHead:])}, nil
}
