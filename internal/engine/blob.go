package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// ErrCorrupt is a blob that was damaged, or not written by this program: the projection it came from cannot be trusted.
var ErrCorrupt = window.ErrCorrupt

// ErrNewer is a blob of a later release, which this one cannot read, or one whose first byte was damaged: an ErrCorrupt, of which a rebuild
// tells what it is.
var ErrNewer = fmt.Errorf("blob of a later release: %w", ErrCorrupt)

// blobVersion is the first byte of the blobs that are written. Those of earlier versions are read too (see blobold.go), and become
// ones of this version with their customer's next change, or when they move to another shard:
//
//	version u8 | crc32c u32 of the rest | csn | day | look day | owner | head | more said | open episodes | said | lifetime | window
//	head = contact (2 bits) | open episodes (3) | said (3); a full field for said means "and this many more"
//	said = kind and whether capped | item | day | event, of a declining spell
//	lifetime = first day | days ever | in pairs (bit 0), offers (bit 1), reports (bit 2), segments (bit 3), watched (bit 4) | offered and taken up, if
//	           there were offers | reports, if there are any (reportblob.go) | segments, if there are any | what is watched, if anything is
//	watched = item | day | expiry day | code
const blobVersion = 4

const (
	flagPairs  = 1 << 0
	flagOffers = 1 << 1

	flagReports = 1 << 2

	flagSegments = 1 << 3

	flagWatched = 1 << 4
)

const (
	blobHeader = 5
	eventBytes = 5 // of window.EventHash
	saidBytes  = 3 // at least
	headSaid   = 7

	suppressionBits = 3 // of an episode's byte; the rest are its updates
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeCustomer appends the blob of a customer.
func EncodeCustomer(dst []byte, c *Customer) []byte {
	start := len(dst)
	dst = append(dst, blobVersion, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(c.CSN))
	dst = binary.AppendVarint(dst, int64(c.Day))
	dst = appendDay(dst, c.LookDay, c.Day)
	dst = binary.AppendUvarint(dst, uint64(len(c.OwnerID)))
	dst = append(dst, c.OwnerID...)
	said := min(len(c.Said), headSaid)
	dst = append(dst, byte(c.Contact)|byte(len(c.Open))<<2|byte(said)<<5)
	if said == headSaid {
		dst = binary.AppendUvarint(dst, uint64(len(c.Said)-headSaid))
	}
	for i := range c.Open {
		dst = appendEpisode(dst, &c.Open[i], c.Day)
	}
	for _, s := range c.Said {
		capped := byte(0)
		if s.Capped {
			capped = 1
		}
		dst = append(dst, byte(s.Kind)<<1|capped)
		dst = binary.AppendUvarint(dst, uint64(s.Item+1)) // NoItem is 0
		dst = binary.AppendVarint(dst, int64(c.Day-s.Day))
		if s.Kind == sales.Declining {
			dst = appendEvent(dst, s.Event)
		}
	}
	dst = appendLifetime(dst, c)
	dst = c.Window.Append(dst)
	binary.LittleEndian.PutUint32(dst[start+1:], crc32.Checksum(dst[start+blobHeader:], castagnoli))
	return dst
}

func appendLifetime(dst []byte, c *Customer) []byte {
	dst = appendDay(dst, c.FirstDay, c.Day)
	dst = binary.AppendUvarint(dst, uint64(c.DaysEver))
	offers, reports := c.Offered > 0 || c.TakenUp > 0, c.Rep != "" || len(c.Reports) > 0
	dst = append(dst, bit(flagPairs, c.Pairs)|bit(flagOffers, offers)|bit(flagReports, reports)|bit(flagSegments, len(c.Segments) > 0)|bit(flagWatched, len(c.Watched) > 0))
	if offers {
		dst = append(dst, c.Offered, c.TakenUp)
	}
	if reports {
		dst = appendReports(dst, c)
	}
	if len(c.Segments) > 0 {
		dst = append(dst, byte(len(c.Segments)))
		for _, segment := range c.Segments {
			dst = appendText(dst, segment)
		}
	}
	if len(c.Watched) > 0 {
		dst = append(dst, byte(len(c.Watched)))
	}
	for i := range c.Watched {
		w := &c.Watched[i]
		dst = binary.AppendUvarint(dst, uint64(w.Item+1))
		dst = binary.AppendVarint(dst, int64(c.Day-w.Day))
		dst = binary.AppendVarint(dst, int64(w.ExpiryDay-w.Day))
		dst = binary.AppendUvarint(dst, w.Code)
	}
	return dst
}

func appendEpisode(dst []byte, e *Episode, day sales.Day) []byte {
	return binary.AppendUvarint(appendEpisodeV2(dst, e, day), e.Code)
}

func appendEpisodeV2(dst []byte, e *Episode, day sales.Day) []byte {
	dst = appendEvent(append(dst, byte(e.Kind), byte(e.Suppressed)|e.Updates<<suppressionBits), e.Event)
	dst = binary.AppendUvarint(dst, uint64(e.From+1))
	dst = binary.AppendUvarint(dst, uint64(e.To+1))
	dst = binary.AppendVarint(dst, int64(day-e.Day))
	dst = appendDay(dst, e.ExpiryDay, e.Day)
	return binary.LittleEndian.AppendUint16(dst, e.Score)
}

// appendDay encodes a day near another one; 0 stays 0, whatever the other is.
func appendDay(dst []byte, d, near sales.Day) []byte {
	if d == 0 {
		return append(dst, 0)
	}
	distance := int64(d - near)
	if distance >= 0 {
		distance++ // 0 is taken
	}
	return binary.AppendVarint(dst, distance)
}

// DecodeCustomer reads a blob whose items are ids of the dictionary. It never panics. A damaged blob is ErrCorrupt.
func DecodeCustomer(blob []byte, items *window.Items) (*Customer, error) {
	c := &Customer{}
	if err := decodeCustomer(c, blob, items, new(window.Decoder)); err != nil {
		return nil, err
	}
	return c, nil
}

// BlobDue reads from a blob only what is due of its customer: a small part of DecodeCustomer's work, and without the dictionary. A damaged
// blob is ErrCorrupt.
func BlobDue(blob []byte) (Due, error) {
	var c Customer
	if _, err := c.decodeHead(blob, window.MaxItems); err != nil {
		return Due{}, err
	}
	return c.Due(), nil
}

// decodeCustomer reads a blob into a customer, of which nothing is left as it was.
func decodeCustomer(c *Customer, blob []byte, items *window.Items, windows *window.Decoder) error {
	rest, err := c.decodeHead(blob, items.Len())
	if err != nil {
		return err
	}
	switch blob[0] {
	case blobV1:
		rest, err = windows.DecodeV1(&c.Window, rest, items)
	case blobV2:
		rest, err = windows.DecodeV2(&c.Window, rest, items)
	default:
		rest, err = windows.Decode(&c.Window, rest, items)
	}
	if err != nil {
		return fmt.Errorf("blob window: %w", err)
	}
	if len(rest) != 0 {
		return fmt.Errorf("blob with %d bytes too many: %w", len(rest), ErrCorrupt)
	}
	if blob[0] <= blobV2 {
		c.Lifetime = lifetimeOf(&c.Window)
	}
	return nil
}

// decodeHead reads all but the window into a customer, of which nothing is left as it was, and gives the window's bytes.
func (c *Customer) decodeHead(blob []byte, items int) (rest []byte, err error) {
	switch {
	case len(blob) < blobHeader || blob[0] == 0:
		return nil, fmt.Errorf("blob of %d bytes without a version: %w", len(blob), ErrCorrupt)
	case blob[0] > blobVersion:
		return nil, fmt.Errorf("blob of version %d, this release reads up to %d: %w", blob[0], blobVersion, ErrNewer)
	}
	if crc32.Checksum(blob[blobHeader:], castagnoli) != binary.LittleEndian.Uint32(blob[1:]) {
		return nil, fmt.Errorf("blob checksum: %w", ErrCorrupt)
	}
	r := blobReader{b: blob[blobHeader:], items: uint64(items)}
	*c = Customer{CSN: int64(r.uvarint(math.MaxInt64)), Day: sales.Day(r.varint())}
	c.LookDay = r.day(c.Day)
	c.OwnerID = string(r.bytes(r.uvarint(uint64(len(r.b)))))
	switch blob[0] {
	case blobV1:
		r.listsV1(c)
	case blobV2:
		r.lists(c, (*blobReader).episodeV2, (*blobReader).saidV2)
	default:
		r.lists(c, (*blobReader).episode, (*blobReader).said)
		r.lifetime(c)
	}
	if r.bad {
		return nil, fmt.Errorf("blob payload: %w", ErrCorrupt)
	}
	return r.b, nil
}

// lists reads consent, open episodes and what was said.
func (r *blobReader) lists(c *Customer, episode func(*blobReader, sales.Day) Episode, read func(*blobReader, sales.Day) Said) {
	head := r.byte(math.MaxUint8)
	if c.Contact = Consent(head & 3); c.Contact > ConsentDenied {
		r.fail()
	}
	said := uint64(head >> 5)
	if said == headSaid {
		said += r.uvarint(uint64(len(r.b)) / saidBytes)
	}
	for range head >> 2 & 7 {
		c.Open = append(c.Open, episode(r, c.Day))
	}
	for range said {
		c.Said = append(c.Said, read(r, c.Day))
	}
}

// blobReader takes a blob apart; after the first defect it gives zeros.
type blobReader struct {
	b     []byte
	items uint64
	bad   bool
}

func (r *blobReader) fail() { r.b, r.bad = nil, true }

func (r *blobReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// varint reads a day or a distance of days.
func (r *blobReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v > math.MaxInt32/2 || v < -math.MaxInt32/2 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *blobReader) day(near sales.Day) sales.Day {
	v := r.varint()
	if v == 0 {
		return 0
	}
	if v > 0 {
		v--
	}
	return near + sales.Day(v)
}

func (r *blobReader) item() window.ItemID { return window.ItemID(r.uvarint(r.items)) - 1 }

func (r *blobReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *blobReader) byte(limit byte) byte {
	b := r.bytes(1)
	if len(b) == 0 || b[0] > limit {
		r.fail()
		return 0
	}
	return b[0]
}

// lifetime reads what appendLifetime has written.
func (r *blobReader) lifetime(c *Customer) {
	c.FirstDay, c.DaysEver = r.day(c.Day), uint32(r.uvarint(math.MaxUint32))
	flags := r.byte(flagPairs | flagOffers | flagReports | flagSegments | flagWatched)
	c.Pairs = flags&flagPairs != 0
	if flags&flagOffers != 0 {
		c.Offered, c.TakenUp = r.byte(math.MaxUint8), r.byte(math.MaxUint8)
	}
	if flags&flagReports != 0 {
		r.reports(c)
	}
	if flags&flagSegments != 0 {
		for range r.byte(math.MaxUint8) {
			c.Segments = append(c.Segments, r.text())
		}
	}
	if flags&flagWatched != 0 {
		for range r.byte(math.MaxUint8) {
			w := Watched{Item: r.item(), Day: c.Day - sales.Day(r.varint())}
			w.ExpiryDay, w.Code = w.Day+sales.Day(r.varint()), r.uvarint(math.MaxUint64)
			c.Watched = append(c.Watched, w)
		}
	}
}

func (r *blobReader) episode(day sales.Day) Episode {
	e := r.episodeV2(day)
	e.Code = r.uvarint(math.MaxUint64)
	return e
}

func (r *blobReader) episodeV2(day sales.Day) Episode {
	e := Episode{Kind: sales.AlertKind(r.byte(byte(sales.Outlook)))}
	suppressed := r.byte(math.MaxUint8)
	e.Suppressed, e.Updates = sales.Suppression(suppressed&(1<<suppressionBits-1)), suppressed>>suppressionBits
	if e.Suppressed > sales.ByExpired {
		r.fail()
	}
	e.Event = r.event()
	e.From, e.To = r.item(), r.item()
	e.Day = day - sales.Day(r.varint())
	e.ExpiryDay = r.day(e.Day)
	if b := r.bytes(2); len(b) == 2 {
		e.Score = binary.LittleEndian.Uint16(b)
	}
	return e
}

func (r *blobReader) said(day sales.Day) Said {
	s := r.saidV2(day)
	if s.Kind == sales.Declining {
		s.Event = r.event()
	}
	return s
}

func (r *blobReader) saidV2(day sales.Day) Said {
	kind := r.byte(byte(sales.Outlook)<<1 | 1)
	return Said{Kind: sales.AlertKind(kind >> 1), Capped: kind&1 != 0, Item: r.item(), Day: day - sales.Day(r.varint())}
}
