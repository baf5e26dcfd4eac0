//go:build integration

package chaos

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"leadline/internal/sales"
)

// zoneName is a time zone of the harness's own, given to the roles by ZONEINFO.
const zoneName = "Chaos/Midnight"

// writeZone makes a zone in which a day of the business ends in the middle of the run: that is when timers are due under the live
// clock.
func (r *rig) writeZone() error {
	now := time.Now().UTC()
	midnight := now.Add(midnightAfter)
	since := time.Duration(midnight.Hour())*time.Hour + time.Duration(midnight.Minute())*time.Minute + time.Duration(midnight.Second())*time.Second
	east := -since // where it is midnight now
	if since > 12*time.Hour {
		east = 24*time.Hour - since
	}
	data := tzif(int32(east / time.Second))
	zone, err := time.LoadLocationFromTZData(zoneName, data)
	if err != nil {
		return fmt.Errorf("make a time zone: %w", err)
	}
	r.zone = zone
	file := filepath.Join(r.dir, "zones", filepath.FromSlash(zoneName))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make a time zone: %w", err)
	}
	return os.WriteFile(file, data, 0o600)
}

// tzif is a zone that is always so many seconds east of UTC, in the format of RFC 8536, version 1.
func tzif(east int32) []byte {
	data := append([]byte("TZif"), make([]byte, 16)...)
	for _, count := range []uint32{0, 0, 0, 0, 1, 4} { // one type with a name of four bytes, no transition
		data = binary.BigEndian.AppendUint32(data, count)
	}
	data = binary.BigEndian.AppendUint32(data, uint32(east))
	return append(data, 0, 0, 'M', 'I', 'D', 0)
}

// calendar counts the business's days.
func (r *rig) calendar() sales.Calendar { return sales.NewCalendar(r.zone) }

// midnightAfter is when the business's day ends, after the start.
const midnightAfter = 90 * time.Second
