package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadline/internal/sales"
)

// Peers are the scores that other programs gave the same customers at the same cuts, to be put beside Leadline's, paired by customer.
type Peers struct {
	names []string // of the scores, as the file's columns are called
	cases map[peersKey]peersCase
}

// PeerPrefix begins the names of the peers' scores in a report.
const PeerPrefix = "peer "

type peersKey struct{ window, horizon, t, customer string }

type peersCase struct {
	halved, none bool
	scores       []float64
}

// peersPlaces are the columns that say whom a line is about and what came of it. All others are scores, the higher the likelier to slip.
var peersPlaces = []string{"dataset", "W", "H", "t", "customer_id", string(Halved), string(None)}

// ReadPeers reads comma-separated lines below a line of names: dataset, W and H (days of the window and of the horizon), t (days from the
// first of January of the year in which the data begin to the cut), customer_id, the labels halved and none (1 or 0), and scores. A score
// whose name ends with _halved or _none is about that label alone. Lines of other data sets are passed over.
func ReadPeers(from io.Reader, dataset string) (*Peers, error) {
	r := csv.NewReader(from)
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("peers: read the line of names: %w", err)
	}
	if len(head) <= len(peersPlaces) || !slices.Equal(head[:len(peersPlaces)], peersPlaces) {
		return nil, fmt.Errorf("peers: the columns are %s: want %s, then scores", strings.Join(head, ","), strings.Join(peersPlaces, ","))
	}
	p := &Peers{names: head[len(peersPlaces):], cases: map[peersKey]peersCase{}}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("peers: %w", err)
		}
		if row[0] != dataset {
			continue
		}
		k := peersCase{halved: row[5] == "1", none: row[6] == "1"}
		for i, text := range row[len(peersPlaces):] {
			score, err := strconv.ParseFloat(text, 64)
			if err != nil || score != score {
				line, _ := r.FieldPos(0)
				return nil, fmt.Errorf("peers: line %d: %s is %q, no number", line, p.names[i], text)
			}
			k.scores = append(k.scores, score)
		}
		p.cases[peersKey{row[1], row[2], row[3], row[4]}] = k
	}
	if len(p.cases) == 0 {
		return nil, fmt.Errorf("peers: no line of the data set %q", dataset)
	}
	return p, nil
}

// join adds the peers' scores to a cut's. It insists that they are about the same customers, with the same outcome: figures of others are
// no comparison.
func (p *Peers) join(t *trial, m *moment) error {
	at := peersKey{window: strconv.Itoa(m.question.WindowDays), horizon: strconv.Itoa(m.question.HorizonDays), t: strconv.Itoa(dayOfYear(m.at, m.first))}
	theirs := 0
	for key := range p.cases {
		if key.customer = ""; key == at {
			theirs++
		}
	}
	if theirs != len(t.cases) {
		return fmt.Errorf("the peers have %d customers at a window of %s days, a horizon of %s and t = %s, this history has %d",
			theirs, at.window, at.horizon, at.t, len(t.cases))
	}
	var rows []scored
	var columns []int
	for i, name := range p.names {
		plain := strings.TrimSuffix(name, "_"+string(m.label))
		if plain == name && (strings.HasSuffix(name, "_"+string(Halved)) || strings.HasSuffix(name, "_"+string(None))) {
			continue // about the other label
		}
		rows = append(rows, scored{scorer: scorer{name: PeerPrefix + plain, about: "as the file of peers has it"}})
		columns = append(columns, i)
	}
	for i := range t.cases {
		at.customer = t.cases[i].id
		k, ok := p.cases[at]
		if slipped := m.label == Halved && k.halved || m.label == None && k.none; !ok || slipped != t.cases[i].slipped {
			return fmt.Errorf("customer %s: the peers have it %t and slipped %t, this history slipped %t: are its days counted in the same time zone?",
				at.customer, ok, slipped, t.cases[i].slipped)
		}
		for j, column := range columns {
			rows[j].of = append(rows[j].of, k.scores[column])
		}
	}
	t.scores = append(t.scores, rows...)
	return nil
}

// dayOfYear is how many days lie between the first of January of the year of the day first and the day at.
func dayOfYear(at, first sales.Day) int {
	year := time.Unix(int64(first)*24*3600, 0).UTC().Year()
	return int(at) - int(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix()/(24*3600))
}
