package window

import "encoding/binary"

// reader takes an encoding apart. After the first defect bad is set and every further read gives zero, so that callers check once.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.b, r.bad = nil, true }

// uvarint reads a number of at most limit.
func (r *reader) uvarint(limit uint64) uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 && uint64(r.b[0]) <= limit { // most are of one byte
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// varint reads a signed number within [low, high].
func (r *reader) varint(low, high int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < low || v > high {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many elements of at least size bytes follow; more than the rest can hold is a defect, so that no
// length field can ask for more memory than a fixed multiple of the input.
func (r *reader) count(size int) int { return int(r.uvarint(uint64(len(r.b) / size))) }

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	b := r.b[0]
	r.b = r.b[1:]
	return b
}

// number reads n bytes, least significant first.
func (r *reader) number(n int) uint64 {
	if len(r.b) >= 8 {
		v := binary.LittleEndian.Uint64(r.b) & (1<<(8*n) - 1)
		r.b = r.b[n:]
		return v
	}
	var v uint64
	for i, b := range r.bytes(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (r *reader) name() string { return string(r.bytes(int(r.uvarint(maxName)))) }

// appendNumber writes the n low bytes of v, least significant first.
func appendNumber(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}
