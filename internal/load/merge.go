package load

import (
	"container/heap"
	"context"

	"golang.org/x/sync/errgroup"

	"leadline/internal/sales"
)

// each calls fn for all items of the sources, from one goroutine: sources of reference topics one after another, then the
// events of all others merged by event time. Files that are in time order come out in time order; the order inside
// a file is kept always.
func each(ctx context.Context, sources []*source, weeks int, fn func(item) error) error {
	var events []*source
	for _, s := range sources {
		if !reference(s.topic) {
			events = append(events, s)
			continue
		}
		if err := merged(ctx, []*source{s}, weeks, fn); err != nil {
			return err
		}
	}
	return merged(ctx, events, weeks, fn)
}

// merged reads and parses each source on a goroutine of its own.
func merged(ctx context.Context, sources []*source, weeks int, fn func(item) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var feeds feeds
	for i, s := range sources {
		f := &feed{order: i, from: make(chan []item, 2)}
		feeds = append(feeds, f)
		group.Go(func() error {
			defer close(f.from)
			return s.items(ctx, weeks, f.from)
		})
	}
	group.Go(func() error { return feeds.drain(fn) })
	return group.Wait()
}

// feed is what one source has handed over and not yet been asked for.
type feed struct {
	order int // of the source, settles ties
	from  chan []item
	ahead []item
	at    sales.Millis // of the first item ahead; of a refused one, that of the item before it
}

// fill makes sure that an item is ahead; false: the source is at its end.
func (f *feed) fill() bool {
	if len(f.ahead) == 0 {
		f.ahead = <-f.from
	}
	if len(f.ahead) == 0 {
		return false
	}
	if first := f.ahead[0]; first.err == nil {
		f.at = first.at
	}
	return true
}

// feeds is a heap, the earliest item first.
type feeds []*feed

func (h feeds) Len() int      { return len(h) }
func (h feeds) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h feeds) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}

// Push and Pop make it a heap.Interface.
func (h *feeds) Push(x any) { *h = append(*h, x.(*feed)) }
func (h *feeds) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// drain calls fn for all items, the earliest first.
func (h feeds) drain(fn func(item) error) error {
	open := h[:0:0]
	for _, f := range h {
		if f.fill() {
			open = append(open, f)
		}
	}
	heap.Init(&open)
	for open.Len() > 0 {
		f := open[0]
		it := f.ahead[0]
		f.ahead = f.ahead[1:]
		if err := fn(it); err != nil {
			return err
		}
		if f.fill() {
			heap.Fix(&open, 0)
		} else {
			heap.Pop(&open)
		}
	}
	return nil
}
