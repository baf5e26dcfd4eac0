package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"leadline/internal/sales"
)

// plainShown is how many of the newest alerts a plain report tells.
const plainShown = 3

// screen shows what happens: a few lines redrawn on a terminal, plain lines now and then elsewhere.
type screen struct {
	out      io.Writer
	terminal *os.File // nil elsewhere

	mu        sync.Mutex
	live      bool
	drawn     int // lines of the live part that stand on the terminal
	began     time.Time
	within    time.Duration // how long the live part is planned to take; 0 = without end
	before    int           // events when it began
	processed int           // events at the last drawing
	shown     int           // alerts that plain lines have told of
	prepared  bool
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.terminal = file
	}
	return s
}

// every is the time between two drawings.
func (s *screen) every() time.Duration {
	if s.terminal != nil {
		return 250 * time.Millisecond
	}
	return 5 * time.Second
}

// begin starts a live part; within is how long it is planned to take, 0 if it has no end.
func (s *screen) begin(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.prepared, s.began, s.within = true, false, time.Now(), within
}

// stop ends the live part and leaves its last state standing.
func (s *screen) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.drawn = false, 0
}

// print writes text of its own.
func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprint(s.out, text)
}

// tell writes text in the middle of a live part, which is drawn anew below it.
func (s *screen) tell(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = 0
	fmt.Fprint(s.out, text)
}

// draw shows the state of things, if a part is live. processed counts the engine's events in this process.
func (s *screen) draw(now seen, processed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return
	}
	if !s.prepared {
		s.prepared, s.before, s.shown = true, processed, max(s.shown, now.total)
	}
	if s.terminal == nil && processed == s.processed && now.total == s.shown {
		return
	}
	s.processed = processed
	took := time.Since(s.began)
	rate := float64(processed-s.before) / max(took.Seconds(), 0.1)
	lines := []string{fmt.Sprintf("%s events, %.0f/s%s   %s", grouped(processed), rate, s.planned(took), counts(now))}
	if s.terminal == nil {
		for _, a := range now.newest[max(0, len(now.newest)-min(plainShown, now.total-s.shown)):] {
			lines = append(lines, sentence(a))
		}
		s.shown = now.total
		fmt.Fprintln(s.out, strings.Join(lines, "\n"))
		return
	}
	for i := len(now.newest) - 1; i >= 0; i-- {
		lines = append(lines, sentence(now.newest[i]))
	}
	s.redraw(lines)
}

// planned says how much of the plan is done. The sample is paced by the clock, so the clock knows.
func (s *screen) planned(took time.Duration) string {
	switch {
	case s.within == 0:
		return ""
	case took >= s.within:
		return ", catching up"
	}
	return fmt.Sprintf(", %.0f%%, %s left", 100*took.Seconds()/s.within.Seconds(), (s.within - took).Round(time.Second))
}

// redraw writes the lines over the ones drawn last.
func (s *screen) redraw(lines []string) {
	width, _, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	var text strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", s.drawn)
	}
	text.WriteString("\x1b[J")
	for _, l := range lines {
		text.WriteString(cut(l, width-1) + "\n")
	}
	s.drawn = len(lines)
	fmt.Fprint(s.out, text.String())
}

// cut keeps a line from running over the terminal's edge, which would spoil the next drawing.
func cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}

func counts(now seen) string {
	var parts []string
	for _, k := range []sales.AlertKind{sales.CrossSell, sales.Upsell, sales.Declining} {
		n := 0
		if c := now.kinds[k]; c != nil {
			n = c.decided
		}
		parts = append(parts, fmt.Sprintf("%s %s", k, grouped(n)))
	}
	return strings.Join(parts, "   ")
}

func sentence(a sales.Alert) string {
	return fmt.Sprintf("  %s  %-10s  %s", time.UnixMilli(int64(a.EventTime)).UTC().Format(time.DateOnly), a.Kind, a.Title)
}

// grouped writes a count with a comma at each thousand.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
