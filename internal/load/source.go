package load

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"leadline/internal/wire"
)

// inputs are the topics that files can be loaded to, in the order of loading.
var inputs = wire.InputTopics[:]

// reference topics carry what is, not what happened: they are not merged by time.
func reference(topic string) bool {
	return topic == "products" || topic == "campaigns" || topic == "customers"
}

// source is one file, or standard input.
type source struct {
	name   string // as messages show it
	topic  string
	csv    bool
	sniff  bool // the name does not tell JSON from CSV: look
	size   int64
	read   atomic.Int64 // bytes read so far, of size
	open   func() (io.ReadCloser, error)
	fields *mapping
}

// find turns the paths into sources, in the order in which they are loaded.
func (o Options) find() ([]*source, error) {
	var found []*source
	for _, p := range o.Paths {
		some, err := o.sources(p)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("nothing to load in %s: files are named NAME.TOPIC.jsonl or NAME.TOPIC.csv, topics are %s",
			strings.Join(o.Paths, ", "), strings.Join(inputs, ", "))
	}
	for _, s := range found {
		var err error
		if s.fields, err = newMapping(s.topic, o.Map); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b *source) int {
		return cmp.Compare(slices.Index(inputs, a.topic), slices.Index(inputs, b.topic))
	})
	return found, nil
}

func (o Options) sources(p string) ([]*source, error) {
	if p == "-" {
		if o.Shift {
			return nil, errors.New("shift cannot be used with standard input: the newest event must be known first")
		}
		if !slices.Contains(inputs, o.Topic) {
			return nil, unknownTopic(p, o.Topic)
		}
		return []*source{{name: "standard input", topic: o.Topic, sniff: true,
			open: func() (io.ReadCloser, error) { return io.NopCloser(o.Stdin), nil }}}, nil
	}
	info, err := o.stat(p)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if info.IsDir() {
		return o.directory(p)
	}
	s := o.file(p, info.Size())
	if !slices.Contains(inputs, s.topic) {
		return nil, unknownTopic(p, s.topic)
	}
	return []*source{s}, nil
}

func unknownTopic(p, topic string) error {
	return fmt.Errorf("load %s: %q is not an input topic, name one of %s", p, topic, strings.Join(inputs, ", "))
}

// directory takes the files that say by their name to which topic they go; others lie there for other reasons.
func (o Options) directory(p string) ([]*source, error) {
	entries, err := o.readDir(p)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	var found []*source
	for _, e := range entries {
		name := o.join(p, e.Name())
		info, err := o.stat(name)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		s := o.file(name, info.Size())
		if info.IsDir() || s.sniff || !slices.Contains(inputs, s.topic) || o.Topic != "" && named(e.Name()) != o.Topic {
			continue
		}
		found = append(found, s)
	}
	return found, nil
}

func (o Options) file(p string, size int64) *source {
	topic := o.Topic
	if topic == "" {
		topic = named(p)
	}
	_, kind := stem(p)
	return &source{name: p, topic: topic, csv: kind == ".csv", sniff: kind == "", size: size,
		open: func() (io.ReadCloser, error) { return o.openFile(p) }}
}

// stem takes compression and kind off a file's name: "a.purchases.csv.gz" gives "a.purchases", ".csv".
func stem(p string) (base, kind string) {
	base = filepath.Base(p)
	for _, ext := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, ext)
	}
	switch ext := filepath.Ext(base); ext {
	case ".csv", ".tsv":
		return strings.TrimSuffix(base, ext), ".csv"
	case ".jsonl", ".ndjson", ".json":
		return strings.TrimSuffix(base, ext), ".jsonl"
	}
	return base, ""
}

// named is the topic that a file's name says.
func named(p string) string {
	base, _ := stem(p)
	return base[strings.LastIndexByte(base, '.')+1:]
}

func (o Options) stat(p string) (fs.FileInfo, error) {
	if o.FS != nil {
		return fs.Stat(o.FS, p)
	}
	return os.Stat(p)
}

func (o Options) readDir(p string) ([]fs.DirEntry, error) {
	if o.FS != nil {
		return fs.ReadDir(o.FS, p)
	}
	return os.ReadDir(p)
}

func (o Options) openFile(p string) (io.ReadCloser, error) {
	if o.FS != nil {
		return o.FS.Open(p)
	}
	return os.Open(p)
}

func (o Options) join(dir, name string) string {
	if o.FS != nil {
		return path.Join(dir, name)
	}
	return filepath.Join(dir, name)
}

// text opens the source from its beginning, decompressed. The returned function closes it.
func (s *source) text() (*bufio.Reader, func(), error) {
	file, err := s.open()
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", err)
	}
	s.read.Store(0)
	counted := bufio.NewReaderSize(&counter{from: file, n: &s.read}, 1<<16)
	plain, release, err := decompress(counted)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("decompress %s: %w", s.name, err)
	}
	buffered := bufio.NewReaderSize(plain, 1<<16)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(3) // peeked, so it is there
	}
	if s.sniff {
		s.csv = !looksLikeJSON(buffered)
	}
	return buffered, func() { release(); file.Close() }, nil
}

// Open opens a file of text, as it is or compressed with gzip or zstd. The function that it gives closes it.
func Open(name string) (io.Reader, func(), error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	plain, release, err := decompress(bufio.NewReaderSize(file, 1<<16))
	if err != nil {
		_ = file.Close() // only read
		return nil, nil, fmt.Errorf("decompress %s: %w", name, err)
	}
	return plain, func() { release(); _ = file.Close() }, nil
}

// decompress goes by the first bytes, not by the name: standard input has none, and names lie.
func decompress(from *bufio.Reader) (io.Reader, func(), error) {
	magic, _ := from.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(from)
		return z, func() {}, err
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return from, func() {}, nil
}

// looksLikeJSON goes by the first character that is no space. It peeks no further: of a pipe, more may be long in coming.
func looksLikeJSON(from *bufio.Reader) bool {
	for n := 1; ; n++ {
		start, err := from.Peek(n)
		if err != nil {
			return false
		}
		if c := start[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c == '{'
		}
	}
}

// counter counts what is read of the file itself, for the share done.
type counter struct {
	from io.Reader
	n    *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(int64(n))
	return n, err
}
