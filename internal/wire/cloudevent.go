package wire

import (
	"strconv"
	"time"

	"leadline/internal/sales"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// CloudEvent gives the headers that make an alert a CloudEvent in binary mode. ce_id is alert_id and revision together:
// the one key under which a consumer must look for duplicates. source is a URI reference naming this installation.
func CloudEvent(a *sales.Alert, source string) []Header {
	return []Header{
		{"ce_specversion", []byte("1.0")},
		{"ce_id", []byte(a.AlertID + "." + strconv.Itoa(int(a.Revision)))},
		{"ce_type", []byte("leadline.v1.alert." + a.Kind.String())},
		{"ce_source", []byte(source)},
		{"ce_time", []byte(time.UnixMilli(int64(a.DetectedAt)).UTC().Format(timeLayout))},
		{"ce_subject", []byte(a.SubjectID)},
		{"content-type", []byte("application/avro")},
	}
}
