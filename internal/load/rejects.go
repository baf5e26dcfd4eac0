package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// shown is how many rejects stand on the screen; all of them stand in the file.
const shown = 5

// Reject is one line of the rejects file: JSON lines, in the order in which they were found.
type Reject struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // where the record began, from 1
	Topic  string `json:"topic"`
	Reason string `json:"reason"`
	Text   string `json:"text"` // as it was read; of lines over 1 MiB the beginning
}

// rejects writes the rejects file. It is used by the sender and by Kafka's acknowledgements at the same time.
type rejects struct {
	path string
	show func(string)

	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	count int64
	by    map[string]int64
	err   error // of writing
}

func newRejects(o Options) *rejects {
	path := o.Rejects
	if path == "" {
		base, _ := stem(o.Paths[0])
		if base == "-" || base == "." || base == "/" {
			base = "leadline"
		}
		path = base + ".rejects.jsonl"
	}
	return &rejects{path: path, by: map[string]int64{}}
}

// add writes one reject. reason is the whole sentence, class the same without the line's own values.
func (r *rejects) add(x Reject, class string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.by[class]++
	if r.count <= shown {
		r.show(fmt.Sprintf("rejected %s:%d: %s", x.File, x.Line, x.Reason))
	}
	if r.count == shown+1 {
		r.show("more rejected lines are in " + r.path)
	}
	if r.err == nil {
		r.err = r.write(x)
	}
}

func (r *rejects) write(x Reject) error {
	if r.file == nil {
		file, err := os.Create(r.path)
		if err != nil {
			return fmt.Errorf("make rejects file: %w", err)
		}
		r.file, r.out = file, bufio.NewWriter(file)
	}
	if err := json.NewEncoder(r.out).Encode(x); err != nil {
		return fmt.Errorf("write rejects file: %w", err)
	}
	return nil
}

// close reports what went wrong with the file. Lines that stand nowhere would be lost without a word.
func (r *rejects) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return r.err
	}
	err := errors.Join(r.err, r.out.Flush(), r.file.Close())
	r.file = nil
	return err
}
