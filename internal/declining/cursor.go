package declining

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/query"
)

// Cursor is where a page ended: behind a row, of a list that was made at some time. With the same list it goes on without a row twice or
// left out; with one made later it goes on behind the same place of the order, so that only rows that moved past it are.
type Cursor struct {
	List uint64 // whoever makes lists numbers them
	Mark Mark
}

const cursorVersion = 1

// Same names all of the query but page and cursor: queries that are the same have the same list.
func (q *Query) Same() uint64 {
	return xxhash.Sum64String(fmt.Sprintf("%+v|%q|%q|%q|%q|%q|%d|%g|%s", [2]Window{q.Recent, q.Baseline}, q.Category, q.OwnerID, q.Attribute, q.Value, q.Filter.Currency,
		q.MinAtRiskMinor, q.MaxQ, q.Sort) + fmt.Sprintf("|%d|%g", q.HorizonDays, q.Margin))
}

// Text is the cursor as it is handed out for a query.
func (c Cursor) Text(q *Query) string {
	b := []byte{cursorVersion}
	b = binary.LittleEndian.AppendUint64(b, q.Same())
	b = binary.LittleEndian.AppendUint64(b, c.List)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Mark.Key))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Mark.AtRiskMinor))
	b = append(binary.AppendUvarint(b, uint64(len(c.Mark.Currency))), c.Mark.Currency...)
	return base64.RawURLEncoding.EncodeToString(append(b, c.Mark.CustomerID...))
}

const cursorHead = 33

// From reads the query's cursor; ok is false for none. A text that was not handed out for this query is a *query.Bad.
func (q *Query) From() (c Cursor, ok bool, err error) {
	if q.Cursor == "" {
		return c, false, nil
	}
	no := &query.Bad{Parameter: "cursor", Why: "it is none that was given for this query: windows, filters and sort must be those of the page before"}
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || len(b) < cursorHead || b[0] != cursorVersion || binary.LittleEndian.Uint64(b[1:]) != q.Same() {
		return c, false, no
	}
	c.List = binary.LittleEndian.Uint64(b[9:])
	c.Mark.Key = math.Float64frombits(binary.LittleEndian.Uint64(b[17:]))
	c.Mark.AtRiskMinor = int64(binary.LittleEndian.Uint64(b[25:]))
	length, n := binary.Uvarint(b[cursorHead:])
	if n <= 0 || length > uint64(len(b)-cursorHead-n) || math.IsNaN(c.Mark.Key) {
		return c, false, no
	}
	rest := b[cursorHead+n:]
	c.Mark.Currency, c.Mark.CustomerID = string(rest[:length]), string(rest[length:])
	return c, true, nil
}
