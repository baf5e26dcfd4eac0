package replay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// What a replay keeps in files is a magic line and frames, each of a kind, a length, a payload and its checksum:
//
//	kind u8 | length uvarint | payload | crc32c u32 of kind and payload
//
// The last frame is frameEnd, so that a file that was cut is known.
const magic = "leadline-replay 1\n"

const (
	frameHead     = 'h' // JSON: what the file is, and of which place
	frameShard    = 's' // JSON shardHead: from here on about one shard
	frameCore     = 'k' // JSON coreHead: from here on about one of its cores
	frameItems    = 'i' // first index uvarint | run of the dictionary
	frameCustomer = 'c' // length of customer_id uvarint | customer_id | blob
	frameEnd      = 'e'
)

// maxFrame bounds what a damaged length can ask for.
const maxFrame = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is a file that is not as it was written.
var errDamaged = errors.New("the file is damaged or cut")

// frameWriter writes frames; its first error stays.
type frameWriter struct {
	w   *bufio.Writer
	err error
}

func newFrameWriter(w io.Writer) *frameWriter {
	f := &frameWriter{w: bufio.NewWriterSize(w, 64<<10)}
	_, f.err = f.w.WriteString(magic)
	return f
}

func (f *frameWriter) frame(kind byte, payload []byte) {
	if f.err != nil {
		return
	}
	head := binary.AppendUvarint([]byte{kind}, uint64(len(payload)))
	sum := crc32.Update(crc32.Checksum(head[:1], castagnoli), castagnoli, payload)
	_, err1 := f.w.Write(head)
	_, err2 := f.w.Write(payload)
	_, err3 := f.w.Write(binary.LittleEndian.AppendUint32(nil, sum))
	f.err = errors.Join(err1, err2, err3)
}

func (f *frameWriter) json(kind byte, v any) { f.frame(kind, plainJSON(v)) }

// end completes the file.
func (f *frameWriter) end() error {
	f.frame(frameEnd, nil)
	return errors.Join(f.err, f.w.Flush())
}

// frameReader reads what frameWriter wrote. It never panics, and takes no more memory than the file has.
type frameReader struct{ r *bufio.Reader }

func newFrameReader(r io.Reader) (*frameReader, error) {
	f := &frameReader{r: bufio.NewReaderSize(r, 64<<10)}
	have := make([]byte, len(magic))
	if _, err := io.ReadFull(f.r, have); err != nil || string(have) != magic {
		return nil, errors.New("not a file of this release's replay")
	}
	return f, nil
}

// next gives the next frame; after the last one frameEnd, over and over.
func (f *frameReader) next() (kind byte, payload []byte, err error) {
	if kind, err = f.r.ReadByte(); err != nil {
		return 0, nil, damaged(err)
	}
	n, err := binary.ReadUvarint(f.r)
	if err != nil || n > maxFrame {
		return 0, nil, damaged(err)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, f.r, int64(n)); err != nil {
		return 0, nil, damaged(err)
	}
	var sum [4]byte
	if _, err := io.ReadFull(f.r, sum[:]); err != nil {
		return 0, nil, damaged(err)
	}
	payload = b.Bytes()
	if crc32.Update(crc32.Checksum([]byte{kind}, castagnoli), castagnoli, payload) != binary.LittleEndian.Uint32(sum[:]) {
		return 0, nil, damaged(nil)
	}
	return kind, payload, nil
}

// damaged keeps errors of reading apart from those of the content.
func damaged(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errDamaged
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// appendText appends a length and so many bytes.
func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// cutText takes apart what appendText and more after it made.
func cutText(b []byte) (text string, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, errDamaged
	}
	return string(b[size : size+int(n)]), b[size+int(n):], nil
}
