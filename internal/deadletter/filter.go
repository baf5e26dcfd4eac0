package deadletter

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// Filter chooses letters; the zero Filter chooses all. Several conditions must all hold.
type Filter struct {
	Class       sales.DeadLetterClass
	Reason      string // this stands in the reason, in capitals or not
	SourceTopic string // as in Kafka, with the tenant's prefix
	Since       time.Time
	Until       time.Time  // refused before this
	Key         string     // as KeyText shows it
	At          []Position // one of these
	Unsent      bool       // not sent again yet
}

func (f *Filter) chooses(l *Letter) bool {
	return (f.Class == "" || f.Class == l.Class) &&
		(f.Reason == "" || strings.Contains(strings.ToLower(l.Reason), strings.ToLower(f.Reason))) &&
		(f.SourceTopic == "" || f.SourceTopic == l.Source.Topic) &&
		!l.RefusedAt.Before(f.Since) && (f.Until.IsZero() || l.RefusedAt.Before(f.Until)) &&
		(f.Key == "" || f.Key == KeyText(l.Key)) && (len(f.At) == 0 || slices.Contains(f.At, l.Position)) &&
		(!f.Unsent || !l.Sent)
}

// KeyText is the key if it is text, else base64: and its bytes in base64.
func KeyText(key []byte) string {
	if utf8.Valid(key) {
		return string(key)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(key)
}

// ParseClass reads the name of a class; empty is any.
func ParseClass(text string) (sales.DeadLetterClass, error) {
	class := sales.DeadLetterClass(text)
	if text != "" && !slices.Contains(sales.DeadLetterClasses(), class) {
		return "", fmt.Errorf("%.40q: want one of %v", text, sales.DeadLetterClasses())
	}
	return class, nil
}

// input is the name without prefix of one of the tenant's input topics. Nothing is sent to any other: whoever may write to dead-letters
// could name any topic in a header, and have Leadline write there.
func (b *Box) input(topic string) (name string, ok bool) {
	name, ok = strings.CutPrefix(topic, b.Prefix)
	return name, ok && slices.Contains(wire.InputTopics[:], name)
}

// TopicName adds the prefix to the name of one of Leadline's topics; any other name is taken as it is.
func (b *Box) TopicName(name string) string {
	if _, ours := schemas.Record(name); ours {
		return b.Prefix + name
	}
	return name
}
