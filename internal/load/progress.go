package load

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far a load is: one line redrawn on a terminal, a plain line every ten seconds elsewhere.
type progress struct {
	out      io.Writer // nil: silent
	terminal bool
	began    time.Time

	mu    sync.Mutex
	drawn bool // an unfinished line stands on the terminal
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, began: time.Now(), terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// every is the time between two reports.
func (p *progress) every() time.Duration {
	if p.terminal {
		return 200 * time.Millisecond
	}
	return 10 * time.Second
}

// say prints a line of its own.
func (p *progress) say(line string) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
	fmt.Fprintln(p.out, line)
}

// report shows where the load is.
func (p *progress) report(s standing) {
	switch {
	case p.out == nil:
	case p.terminal:
		p.mu.Lock()
		fmt.Fprint(p.out, "\r\x1b[K"+s.line(time.Since(p.began)))
		p.drawn = true
		p.mu.Unlock()
	default:
		p.say(s.line(time.Since(p.began)))
	}
}

// standing is how far a load is.
type standing struct {
	sent, rejected int64
	share          float64 // of all bytes, 0 to 1; below 0 when unknown
}

// line words it. Time left assumes that the rest goes as fast as what was done.
func (s standing) line(took time.Duration) string {
	text := fmt.Sprintf("%s sent, %s/s", grouped(s.sent), grouped(int64(float64(s.sent)/max(took.Seconds(), 0.001))))
	if s.share > 0 {
		left := time.Duration(float64(took) * (1 - s.share) / s.share).Round(time.Second)
		text += fmt.Sprintf(", %.0f%%, %s left", 100*s.share, left)
	}
	if s.rejected > 0 {
		text += fmt.Sprintf(", %s rejected", grouped(s.rejected))
	}
	return text
}

// grouped writes a count with a comma at each thousand.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
