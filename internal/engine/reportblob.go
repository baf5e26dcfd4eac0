package engine

import (
	"encoding/binary"
	"math"

	"leadline/internal/sales"
)

// How reports stand in a blob, behind who was assigned before them:
//
//	rep | count | reports, each:
//	event | head: result (4 bits), undone, has until, has a rep, has ended an episode | day | kind | item | opened | until | rep | episode
const (
	reportUndone = 1 << (4 + iota)
	reportUntil
	reportRep
	reportEnded
)

// reportBytes is what one takes at least.
const reportBytes = eventBytes + 5

func appendEvent(dst []byte, event uint64) []byte {
	for shift := 0; shift < 8*eventBytes; shift += 8 {
		dst = append(dst, byte(event>>shift))
	}
	return dst
}

func (r *blobReader) event() (event uint64) {
	for i, b := range r.bytes(eventBytes) {
		event |= uint64(b) << (8 * i)
	}
	return event
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func (r *blobReader) text() string { return string(r.bytes(r.uvarint(uint64(len(r.b))))) }

func appendReports(dst []byte, c *Customer) []byte {
	dst = binary.AppendUvarint(appendText(dst, c.Rep), uint64(len(c.Reports)))
	for i := range c.Reports {
		dst = appendReport(dst, &c.Reports[i], c.Day)
	}
	return dst
}

func bit(b byte, set bool) byte {
	if set {
		return b
	}
	return 0
}

func appendReport(dst []byte, r *Report, day sales.Day) []byte {
	head := byte(r.Result) | bit(reportUndone, r.Undone) | bit(reportUntil, r.Until != 0) | bit(reportRep, r.Rep != "") | bit(reportEnded, r.Ended != nil)
	dst = append(appendEvent(dst, r.Event), head)
	dst = binary.AppendVarint(dst, int64(day-r.Day))
	dst = append(dst, byte(r.Kind))
	dst = binary.AppendUvarint(dst, uint64(r.Item+1))
	dst = binary.AppendVarint(dst, int64(r.Day-r.Opened))
	if r.Until != 0 {
		dst = binary.AppendVarint(dst, int64(r.Until-r.Day))
	}
	if r.Rep != "" {
		dst = appendText(dst, r.Rep)
	}
	if r.Ended != nil {
		dst = appendEpisode(dst, r.Ended, r.Day)
	}
	return dst
}

func (r *blobReader) reports(c *Customer) {
	c.Rep = r.text()
	for range r.uvarint(min(maxReports, uint64(len(r.b))/reportBytes)) {
		c.Reports = append(c.Reports, r.report(c.Day))
	}
}

func (r *blobReader) report(day sales.Day) Report {
	rep := Report{Event: r.event()}
	head := r.byte(math.MaxUint8)
	if rep.Result = Result(head & 15); rep.Result > Assigned {
		r.fail()
	}
	rep.Undone, rep.Day = head&reportUndone != 0, day-sales.Day(r.varint())
	rep.Kind, rep.Item = sales.AlertKind(r.byte(byte(sales.Outlook))), r.item()
	rep.Opened = rep.Day - sales.Day(r.varint())
	if head&reportUntil != 0 {
		rep.Until = rep.Day + sales.Day(r.varint())
	}
	if head&reportRep != 0 {
		rep.Rep = r.text()
	}
	if head&reportEnded != 0 {
		ended := r.episode(rep.Day)
		rep.Ended = &ended
	}
	return rep
}
