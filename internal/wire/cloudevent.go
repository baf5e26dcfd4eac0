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

// What all events say alike.
var specVersion, avroType = []byte("1.0"), []byte("application/avro")

// CloudEvent gives the headers that make an alert a CloudEvent in binary mode. ce_id is alert_id and revision together:
// the one key under which a consumer must look for duplicates. source is a URI reference naming this installation. The values share memory and are
// not to be changed.
func CloudEvent(a *sales.Alert, source string) [7]Header {
	const typ = "leadline.v1.alert."
	b := make([]byte, 0, len(a.AlertID)+len(typ)+len(source)+len(timeLayout)+len(a.SubjectID)+32)
	value := func(end []byte) []byte {
		v := end[len(b):len(end):len(end)]
		b = end
		return v
	}
	return [...]Header{
		{"ce_specversion", specVersion},
		{"ce_id", value(strconv.AppendInt(append(append(b, a.AlertID...), '.'), int64(a.Revision), 10))},
		{"ce_type", value(append(append(b, typ...), a.Kind.String()...))},
		{"ce_source", value(append(b, source...))},
		{"ce_time", value(time.UnixMilli(int64(a.DetectedAt)).UTC().AppendFormat(b, timeLayout))},
		{"ce_subject", value(append(b, a.SubjectID...))},
		{"content-type", avroType},
	}
}
