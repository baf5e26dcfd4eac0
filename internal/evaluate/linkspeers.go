package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// LinkPeers are other rankers' figures by customer, for paired comparison at the same cuts.
type LinkPeers struct {
	names []string
	cuts  map[peerCut]map[string]peerCase
}

// peerCut is a cut as a table names it.
type peerCut struct{ since, horizon int }

// peerCase is one customer's part.
type peerCase struct {
	relevant int
	ndcg     []float64 // as the names are
}

// peerColumn is what the columns of nDCG end in.
const peerColumn = "_ndcg5"

// ReadLinkPeers reads a table with a head: cut (days from the first of January of the year in which the data begin), H (days from it on), customer_id, relevant, and for each
// peer NAME_ndcg5. Other columns are passed over.
func ReadLinkPeers(from io.Reader) (*LinkPeers, error) {
	rows := csv.NewReader(from)
	rows.ReuseRecord = true
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	head = slices.Clone(head)
	p := &LinkPeers{cuts: map[peerCut]map[string]peerCase{}}
	var columns []int
	for i, name := range head {
		if name, ok := strings.CutSuffix(name, peerColumn); ok {
			p.names, columns = append(p.names, name), append(columns, i)
		}
	}
	place := map[string]int{}
	for _, name := range []string{"cut", "H", "customer_id", "relevant"} {
		if place[name] = slices.Index(head, name); place[name] < 0 || len(columns) == 0 {
			return nil, fmt.Errorf("want columns cut, H, customer_id, relevant and NAME%s, have %s", peerColumn, strings.Join(head, ", "))
		}
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		at, err1 := parsePeerCut(row[place["cut"]], row[place["H"]])
		relevant, err2 := strconv.Atoi(row[place["relevant"]])
		if line, _ := rows.FieldPos(0); err1 != nil || err2 != nil {
			return nil, fmt.Errorf("line %d: cut %q, H %q, relevant %q are not all numbers", line, row[place["cut"]], row[place["H"]], row[place["relevant"]])
		}
		c := peerCase{relevant: relevant}
		for _, i := range columns {
			v, err := strconv.ParseFloat(row[i], 64)
			if line, _ := rows.FieldPos(i); err != nil {
				return nil, fmt.Errorf("line %d, %s: %w", line, head[i], err)
			}
			c.ndcg = append(c.ndcg, v)
		}
		if p.cuts[at] == nil {
			p.cuts[at] = map[string]peerCase{}
		}
		p.cuts[at][strings.Clone(row[place["customer_id"]])] = c
	}
}

func parsePeerCut(cut, horizon string) (at peerCut, err error) {
	var err2 error
	at.since, err = strconv.Atoi(cut)
	at.horizon, err2 = strconv.Atoi(horizon)
	return at, errors.Join(err, err2)
}

// PeerLine is Leadline beside one peer. Both are over the customers that both have; who of the cases is not among the peer's, or has another
// number of relevant items, shows that they were asked something else.
type PeerLine struct {
	Name         string   `json:"name"`
	NDCG         Estimate `json:"ndcg"`
	LeadlineOver Estimate `json:"leadline_over"` // nDCG of Leadline minus this one's, paired
	Customers    int      `json:"customers"`
	Unlike       int      `json:"unlike"` // of the cases here and there
}

// beside compares Leadline's figures with the peers' at the cut, the best peer first. A cut that they do not have gives nothing.
func (p *LinkPeers) beside(q *question, first sales.Day, leadline []float64) []PeerLine {
	if p == nil {
		return nil
	}
	theirs := p.cuts[peerCut{dayOfYear(q.cut, first), int(q.horizon)}]
	if theirs == nil {
		return nil
	}
	shared, unlike := 0, 0
	over, own := make([][]float64, len(p.names)), make([][]float64, len(p.names))
	for i := range q.cases {
		c, ok := theirs[q.cases[i].customer.id]
		if !ok || c.relevant != q.cases[i].wanted {
			unlike++
		}
		if !ok {
			continue
		}
		shared++
		for j, v := range c.ndcg {
			own[j], over[j] = append(own[j], v), append(over[j], leadline[i]-v)
		}
	}
	unlike += len(theirs) - shared
	if shared == 0 {
		return nil
	}
	var lines []PeerLine
	for j, name := range p.names {
		lines = append(lines, PeerLine{Name: name, NDCG: bootstrap(own[j]), LeadlineOver: bootstrap(over[j]), Customers: shared, Unlike: unlike})
	}
	slices.SortStableFunc(lines, func(a, b PeerLine) int { return compareDown(a.NDCG.Mean, b.NDCG.Mean) })
	return lines
}
