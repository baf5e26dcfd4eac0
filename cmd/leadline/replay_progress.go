package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"leadline/internal/replay"
)

// progressLine shows how far a replay is: one line drawn again and again on a terminal, a plain one every ten seconds elsewhere.
type progressLine struct {
	out      io.Writer
	terminal bool
	began    time.Time
	last     time.Time
}

func newProgressLine(out io.Writer) *progressLine {
	file, ok := out.(*os.File)
	return &progressLine{out: out, began: time.Now(), last: time.Now(), terminal: ok && term.IsTerminal(int(file.Fd()))}
}

func (l *progressLine) show(p replay.Progress) {
	every := 10 * time.Second
	if l.terminal {
		every = 200 * time.Millisecond
	}
	if time.Since(l.last) < every {
		return
	}
	l.last = time.Now()
	took := time.Since(l.began)
	text := fmt.Sprintf("%d records in %d commits, %.0f/s, %.0f%%", p.Records, p.Commits, float64(p.Records)/took.Seconds(), 100*p.Share)
	if p.Share > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(took)*(1-p.Share)/p.Share).Round(time.Second))
	}
	if l.terminal {
		fmt.Fprint(l.out, "\r\x1b[K"+text)
		return
	}
	fmt.Fprintln(l.out, text)
}

// end leaves the terminal's line empty.
func (l *progressLine) end() {
	if l.terminal {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}
