// Package load brings files to the input topics: JSON lines and CSV, plain or compressed with gzip or zstd, single
// files, directories or standard input.
//
// Guarantees: a line that breaks the contract is written to the rejects file with its number and the reason, and the
// rest goes on; what Stats counts as sent was acknowledged by Kafka; the same file sends the same event_ids, keys,
// partitions and values each time, so loading twice changes nothing. It does not create topics, register schemas, or
// send tombstones. The commands and the demo import it.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Options says what is loaded, and how.
type Options struct {
	// Paths are files, directories, or "-" for standard input. Files may be compressed; that is seen from their content.
	// From a directory the files named NAME.TOPIC.jsonl or .csv (or TOPIC.jsonl), with .gz or .zst if need be, are taken:
	// products, campaigns and customers first, then the events of all files in event-time order.
	Paths []string
	// FS is where Paths are looked up; nil means this machine's files.
	FS fs.FS
	// Stdin is what "-" reads.
	Stdin io.Reader
	// Topic is the input topic without the tenant's prefix; empty takes it from the file's name.
	Topic string
	// Prefix is the tenant's topic prefix.
	Prefix string
	// Map renames columns of CSV or keys of JSON: "COLUMN=FIELD" each, "COLUMN=" ignores the column. A field of an order's
	// line is "lines.product_id" or short "product_id"; an entry of a map is "attributes.age". A column may be named
	// twice, to fill two fields. Columns that are not named keep their name and must be fields of the contract.
	Map []string
	// Rate is the most records a second; 0 = as fast as Kafka takes them.
	Rate float64
	// Speedup paces events by their time: 1 as they happened, 3600 an hour in a second; 0 = not paced. Reference data
	// (products, campaigns, customers) is not paced by it.
	Speedup float64
	// Shift moves all times by the number of whole weeks that puts the newest event just before Now. It reads the files
	// twice, so it cannot be used with standard input.
	Shift bool
	// Weeks moves all times by so many weeks, with Shift by so many more. A load with the Stats.Weeks of an earlier one
	// (and without Shift) repeats its records.
	Weeks int
	// Now is the time that Shift moves to.
	Now time.Time
	// Rejects is the file for refused lines, made when there is one; empty = "<first path's name>.rejects.jsonl" in the
	// working directory.
	Rejects string
	// Out shows progress and the first rejects; nil shows nothing. On a terminal one line is redrawn.
	Out io.Writer
}

// Stats is what a load did. Read = Sent + Rejected once it ended without an error.
type Stats struct {
	Files    int
	Read     int64 // records read: lines of JSON, orders or rows of CSV
	Sent     int64 // acknowledged by Kafka
	Rejected int64
	Reasons  map[string]int64 // rejected by reason, the line's own values left out
	ByTopic  map[string]int64 // sent by topic
	Bytes    int64            // encoded values that were sent
	Weeks    int              // by how many weeks times were moved
	Oldest   sales.Millis     // event times as sent, 0 when there was no event
	Newest   sales.Millis
	Duration time.Duration
}

// RejectsError says that the load went through but left lines out.
type RejectsError struct {
	Count int64
	File  string // where they are, with the reasons
}

// Error names the count and the file.
func (e *RejectsError) Error() string {
	return fmt.Sprintf("%d rejected, see %s", e.Count, e.File)
}

// Run loads Options.Paths through a client of its own made from the connection options. enc must know the inputs'
// schema ids. It returns *RejectsError when lines were refused; any other error means that the load did not finish, and
// may be repeated as it is: what was sent already changes nothing.
func Run(ctx context.Context, connection []kgo.Opt, enc *wire.Encoder, o Options) (Stats, error) {
	began := time.Now()
	sources, err := o.find()
	if err != nil {
		return Stats{}, err
	}
	if o.Shift {
		weeks, err := o.weeksToNow(ctx, sources)
		if err != nil {
			return Stats{}, err
		}
		o.Weeks += weeks
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, connection...), producing()...)...)
	if err != nil {
		return Stats{}, fmt.Errorf("make producer: %w", err)
	}
	defer client.Close()
	rejects := newRejects(o)
	sender, err := newSender(ctx, client, enc, rejects, o, sources)
	if err != nil {
		return Stats{}, err
	}
	err = sender.run(ctx, sources)
	stats := sender.stats()
	stats.Files, stats.Weeks, stats.Duration = len(sources), o.Weeks, time.Since(began)
	err = errors.Join(err, rejects.close())
	if err == nil && stats.Rejected > 0 {
		err = &RejectsError{Count: stats.Rejected, File: rejects.path}
	}
	return stats, err
}
