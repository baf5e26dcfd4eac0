package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds one line of input. A record larger than this could not be one Kafka message anyway.
const maxLine = 1 << 20

var errLongLine = errors.New("line longer than 1 MiB")

// lines reads numbered lines, with the possibility to push some back.
type lines struct {
	from   *bufio.Reader
	number int // of the line given last
	back   []pushed
}

// pushed is what next gave and got back.
type pushed struct {
	text string
	err  error
}

// next gives the next line without its end. errLongLine comes with the line's first bytes, and the line after it follows.
func (l *lines) next() (string, error) {
	if n := len(l.back); n > 0 {
		again := l.back[n-1]
		l.back = l.back[:n-1]
		l.number++
		return again.text, again.err
	}
	var long []byte
	for {
		part, err := l.from.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(long) <= maxLine {
				long = append(long, part...)
			}
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(part)+len(long) == 0):
			return "", err
		}
		l.number++
		if len(long)+len(part) > maxLine {
			return string(long[:min(len(long), 200)]), errLongLine
		}
		if long != nil {
			part = append(long, part...)
		}
		return string(bytes.TrimSuffix(bytes.TrimSuffix(part, []byte("\n")), []byte("\r"))), nil
	}
}

// unread gives lines back, last one first.
func (l *lines) unread(p pushed) {
	l.back = append(l.back, p)
	l.number--
}
