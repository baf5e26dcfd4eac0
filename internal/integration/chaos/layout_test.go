//go:build integration

package chaos

import (
	"fmt"

	"leadline/internal/engine"
)

// layout is what a seed runs on.
type layout struct {
	brokers, masters, engines int
	clock                     engine.Clock
	learned                   bool   // links come from an analyst; otherwise they are published before the load
	fsync                     string // Redis's appendfsync
}

// layouts take turns, so that three seeds in a row have seen one broker and three, one Redis and a cluster, both clocks, and links
// that are learned and that are given.
var layouts = [...]layout{
	{brokers: 1, masters: 3, engines: 3, clock: engine.Data, learned: true, fsync: "everysec"},
	{brokers: 3, masters: 3, engines: 2, clock: engine.Live, learned: true, fsync: "everysec"},
	{brokers: 1, masters: 1, engines: 3, clock: engine.Data, fsync: "always"},
	{brokers: 3, masters: 1, engines: 2, clock: engine.Live, learned: true, fsync: "always"},
}

func layoutOf(seed uint64) layout { return layouts[seed%uint64(len(layouts))] }

func (l layout) String() string {
	links := "given"
	if l.learned {
		links = "learned"
	}
	return fmt.Sprintf("%d Kafka, %d Redis (fsync %s), %d engines, clock %s, links %s", l.brokers, l.masters, l.fsync, l.engines, l.clock, links)
}

// servers names the processes of a kind, as deploy/local/servers does.
func servers(kind string, count int) []string {
	if count == 1 {
		return []string{kind}
	}
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("%s-%d", kind, i+1))
	}
	return names
}

func (l layout) engineNames() []string {
	var names []string
	for i := range l.engines {
		names = append(names, fmt.Sprintf("engine-%d", i+1))
	}
	return names
}
