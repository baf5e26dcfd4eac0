package wire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
	"unsafe"

	"leadline/internal/sales"
)

// Bounds on what a value may hold, beside the remaining bytes and a shape's own limit.
const (
	maxText  = 64 << 10 // bytes of one string that is kept; skipped ones may be longer
	maxEmpty = 10_000   // elements that take no byte at all, in the whole value
	maxDepth = 64       // nesting of a writer's recursive types
)

// reader walks the Avro body of one value.
type reader struct {
	buf   []byte
	at    int
	empty int
	depth int
}

func (r *reader) rest() int { return len(r.buf) - r.at }

// located adds to a complaint how far the reader came.
func (r *reader) located(bad *Poison) *Poison {
	if bad != nil {
		bad.Byte = HeaderSize + r.at
	}
	return bad
}

// long reads a zigzag varint of up to ten bytes, as int and long are both written.
func (r *reader) long() (int64, *Poison) {
	if r.at < len(r.buf) {
		if b := r.buf[r.at]; b < 0x80 {
			r.at++
			return int64(b>>1) ^ -int64(b&1), nil
		}
	}
	u, n := binary.Uvarint(r.buf[r.at:])
	if n <= 0 {
		return 0, r.badVarint(n)
	}
	r.at += n
	return int64(u>>1) ^ -int64(u&1), nil
}

// int reads a number that the writer's schema says has 32 bits.
func (r *reader) int() (int64, *Poison) {
	v, bad := r.long()
	if bad == nil && v != int64(int32(v)) {
		bad = notAvro("int of more than 32 bits at byte %d", r.at)
	}
	return v, bad
}

func (r *reader) badVarint(n int) *Poison {
	if n == 0 {
		return notAvro("the value ends inside a number at byte %d", r.at)
	}
	return notAvro("number of more than 64 bits at byte %d", r.at)
}

// length reads the length of a string or bytes, which is never more than what remains.
func (r *reader) length() (int, *Poison) {
	n, bad := r.long()
	if bad != nil {
		return 0, bad
	}
	if n < 0 || n > int64(r.rest()) {
		return 0, notAvro("string of %d bytes at byte %d, %d remain", n, r.at, r.rest())
	}
	return int(n), nil
}

// text reads a string or bytes as a string that aliases the value. Most are shorter than 64 bytes, so that one byte says
// how long they are.
func (r *reader) text() (string, *Poison) {
	var n int
	if r.at < len(r.buf) && r.buf[r.at]&0x81 == 0 && int(r.buf[r.at]>>1) < r.rest() {
		n = int(r.buf[r.at] >> 1)
		r.at++
	} else {
		var bad *Poison
		if n, bad = r.length(); bad != nil {
			return "", bad
		}
	}
	if n == 0 {
		return "", nil
	}
	s := unsafe.String(&r.buf[r.at], n)
	if !printable(s) && !utf8.ValidString(s) {
		return "", poison(sales.DeadInvalid, "string at byte %d is not UTF-8", r.at)
	}
	if n > maxText {
		return "", poison(sales.DeadTooLarge, "string of %d bytes, at most %d are accepted", n, maxText)
	}
	r.at += n
	return s, nil
}

// printable says that a string is printable ASCII, as nearly all are: UTF-8 without control characters. Longer ones are
// looked at eight bytes at a time, the last eight maybe twice.
func printable(s string) bool {
	if len(s) < 8 {
		return printableShort(s)
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	odd := oddBytes(binary.LittleEndian.Uint64(b[len(b)-8:]))
	for ; len(b) > 8; b = b[8:] {
		odd |= oddBytes(binary.LittleEndian.Uint64(b))
	}
	return odd == 0
}

func printableShort(s string) bool {
	for i := range len(s) {
		if s[i]-' ' > '~'-' ' {
			return false
		}
	}
	return true
}

// oddBytes is not 0 if any of eight bytes is not printable ASCII: one below 0x20 borrows from its high bit, one above 0x7e
// carries into it.
func oddBytes(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	return ((x - 0x20*ones) | (x + ones) | x) & highs
}

// fixed takes n bytes.
func (r *reader) fixed(n int) ([]byte, *Poison) {
	if n > r.rest() {
		return nil, notAvro("%d bytes wanted at byte %d, %d remain", n, r.at, r.rest())
	}
	b := r.buf[r.at : r.at+n]
	r.at += n
	return b, nil
}

func (r *reader) float() (float64, *Poison) {
	b, bad := r.fixed(4)
	if bad != nil {
		return 0, bad
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
}

func (r *reader) double() (float64, *Poison) {
	b, bad := r.fixed(8)
	if bad != nil {
		return 0, bad
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

func (r *reader) boolean() (bool, *Poison) {
	b, bad := r.fixed(1)
	if bad != nil {
		return false, bad
	}
	if b[0] > 1 {
		return false, notAvro("boolean is %d at byte %d", b[0], r.at-1)
	}
	return b[0] == 1, nil
}

// index reads the branch of a union or the symbol of an enum.
func (r *reader) index(n int) (int, *Poison) {
	i, bad := r.long()
	if bad != nil {
		return 0, bad
	}
	if i < 0 || i >= int64(n) {
		return 0, notAvro("branch or symbol %d of %d at byte %d", i, n, r.at)
	}
	return int(i), nil
}

// block reads the count of the next block of an array or map; 0 is its end. minSize is the least that an element
// takes, so a count that cannot be true is refused before anything is allocated for it.
func (r *reader) block(minSize int) (int, *Poison) {
	n, bad := r.long()
	if bad != nil {
		return 0, bad
	}
	if n < 0 {
		if n == math.MinInt64 {
			return 0, notAvro("block of %d elements at byte %d", n, r.at)
		}
		n = -n
		if _, bad = r.long(); bad != nil { // size in bytes, for those who skip; elements are walked all the same
			return 0, bad
		}
	}
	if minSize == 0 {
		return r.emptyBlock(n)
	}
	if n > int64(r.rest()/minSize) {
		return 0, notAvro("block of %d elements at byte %d, %d bytes remain", n, r.at, r.rest())
	}
	return int(n), nil
}

func (r *reader) emptyBlock(n int64) (int, *Poison) {
	if n > int64(maxEmpty-r.empty) {
		return 0, poison(sales.DeadTooLarge, "more than %d elements that take no byte", maxEmpty)
	}
	r.empty += int(n)
	return int(n), nil
}

func (r *reader) enter() *Poison {
	r.depth++
	if r.depth > maxDepth {
		return poison(sales.DeadTooLarge, "nested deeper than %d", maxDepth)
	}
	return nil
}

// end says that the whole value was read.
func (r *reader) end() *Poison {
	if r.rest() != 0 {
		return notAvro("%d bytes behind the value", r.rest())
	}
	return nil
}
