package wire

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// PlainJSON is the same JSON, with every character escaped that does not print: Go's JSON leaves DEL, the control characters from
// U+0080 on and those that turn the direction of writing as they are, and terminals obey them. Bytes that are no UTF-8 become U+FFFD.
func PlainJSON(text []byte) []byte {
	if harmless(text) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r < 0x7f || r != utf8.RuneError && strconv.IsPrint(r): // control characters below are white space between tokens
			out = append(out, text[i:i+n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = appendEscape(appendEscape(out, high), low)
		default:
			out = appendEscape(out, r)
		}
		i += n
	}
	return out
}

func harmless(text []byte) bool {
	for _, b := range text {
		if b >= 0x7f {
			return false
		}
	}
	return true
}

func appendEscape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&0xf], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}

// Plain is text that was written by others, fit for a terminal: if anything in it does not print, all of it is quoted as in Go.
func Plain(s string) string {
	if !utf8.ValidString(s) {
		return quoted(s)
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return quoted(s)
		}
	}
	return s
}

func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
