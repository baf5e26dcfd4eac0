package program

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// midnightZone is a time zone that no other system has.
const midnightZone = "Leadline/Midnight"

// Midnight makes a time zone in which a day ends after so long, to the second: that is when timers are due under the live clock. Programs that are
// given the settings count the business's days in it. Its file goes into the directory.
func Midnight(dir string, after time.Duration) (zone *time.Location, settings []string, err error) {
	east := int32((24*time.Hour - time.Since(time.Now().Truncate(24*time.Hour)) - after) / time.Second)
	if east > 12*3600 {
		east -= 24 * 3600
	}
	data := tzif(east)
	file := filepath.Join(dir, filepath.FromSlash(midnightZone))
	if zone, err = time.LoadLocationFromTZData(midnightZone, data); err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make a time zone: %w", err)
	}
	return zone, []string{"LEADLINE_BUSINESS_TIME_ZONE=" + midnightZone, "ZONEINFO=" + dir}, nil
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
