//go:build integration

package deadletter

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestOnARealBroker runs what depends on transactions as a broker really does them, on LEADLINE_KAFKA_BROKERS.
func TestOnARealBroker(t *testing.T) {
	for name, story := range map[string]func(*testing.T, *world){
		"a letter is sent once":   aLetterIsSentOnce,
		"an edited one too":       anEditedLetterIsSentOnce,
		"its history":             historyOfARecord,
		"of two one goes on":      ofTwoRetriesAtOnceOneGoesOn,
		"in several transactions": manyLettersAreSentInSeveralTransactions,
	} {
		t.Run(name, func(t *testing.T) {
			prefix := "d" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
			w := settle(t, prefix, kgo.SeedBrokers(strings.Split(os.Getenv("LEADLINE_KAFKA_BROKERS"), ",")...))
			story(t, w)
			if _, err := kadm.NewClient(w.cl).DeleteTopics(t.Context(), prefix+"purchases", prefix+"customers", prefix+"dead-letters"); err != nil {
				t.Error(err)
			}
		})
	}
}
