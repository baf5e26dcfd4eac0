package replay

import (
	"bytes"
	"testing"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// written is a file as the program writes it.
func written() []byte {
	items := window.NewItems()
	if _, err := items.ID(window.Item{Category: "tea"}); err != nil {
		panic(err)
	}
	blob := engine.EncodeCustomer(nil, &engine.Customer{CSN: 3, Day: 10_000, OwnerID: "rep"})
	k := kept{head: shardHead{Partition: 2, CSN: 3, Journal: 7, Next: map[string]int64{"purchases": 4}, Rules: engine.DefaultRules().JSON(), Cores: 1},
		cores: []keptCore{{record: sales.ShardRecord{Partition: 2, CSN: 3, Items: 1}, items: runs(items), customers: map[string][]byte{"anna": blob}}}}
	var b bytes.Buffer
	f := newFrameWriter(&b)
	f.json(frameHead, snapshotHead{runFormat, place{Cluster: "c", Prefix: "p."}})
	k.write(f)
	if err := f.end(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Whatever stands in a snapshot or in what was kept of a run, reading it neither panics nor takes more memory than it is worth, and what
// can be read is written and read again the same.
func FuzzKept(f *testing.F) {
	whole := written()
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), frameHead, 0xff, 0xff, 0xff, 0xff, 0x0f))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newFrameReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		head, shards, err := readKept(r, func(int32) bool { return true })
		if err != nil {
			return
		}
		for p, k := range shards {
			for i := range k.cores {
				c := core{shard: engine.NewShard(engine.Config{Partitions: 1, Clock: engine.Data, Rules: engine.DefaultRules()})}
				_ = c.restore(&k.cores[i]) // an error, or a core: both are fine
			}
			var b bytes.Buffer
			w := newFrameWriter(&b)
			w.frame(frameHead, head)
			k.write(w)
			if err := w.end(); err != nil {
				t.Fatal(err)
			}
			r, err := newFrameReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			again, all, err := readKept(r, func(int32) bool { return true })
			if err != nil || !bytes.Equal(again, head) || len(all) != 1 || len(all[p].cores) != len(k.cores) || all[p].head.CSN != k.head.CSN {
				t.Fatalf("%v: written and read again it is %d shards", err, len(all))
			}
		}
	})
}

// What a run was asked for is read whole or refused.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"format":1,"place":{"cluster":"c","prefix":"","partitions":1,"topic_id":"","zone":"UTC"},"asked":{},"shards":[0],"ends":{"a":{"0":1}}}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRun(text)
		if err != nil {
			return
		}
		if _, err := parseRun(plainJSON(r)); err != nil {
			t.Errorf("%v: written again as %s", err, plainJSON(r))
		}
	})
}

// A file is whole or damaged: no bit of it can change unseen.
func TestEveryBitOfAFileCounts(t *testing.T) {
	whole := written()
	read := func(data []byte) error {
		r, err := newFrameReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		_, _, err = readKept(r, func(int32) bool { return true })
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if read(whole[:i]) == nil {
			t.Errorf("cut to %d bytes it is whole", i)
		}
		for bit := range 8 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << bit
			if read(changed) == nil {
				t.Errorf("bit %d of byte %d does not count", bit, i)
			}
		}
	}
}
