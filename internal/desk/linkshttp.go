package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"leadline/internal/query"
	"leadline/internal/web"
)

// LinksPath is what Links' handler serves, with all that is under it.
const LinksPath = "/v1/links"

// usualLinks and tableLinks are how many links an answer and a table have at most if nothing is said.
const (
	usualLinks = 100
	tableLinks = 1 << 30
)

// Handler serves the links as API.md says. It asks nobody who they are: it belongs among web's private paths.
func (l *Links) Handler() http.Handler {
	return serving(l.log, "links", "there are "+LinksPath+", "+LinksPath+"/about and "+LinksPath+"/{from}/{to}", map[string]answerer{
		LinksPath: l.list, LinksPath + "/about": l.about, LinksPath + "/{from}/{to}": l.between})
}

func (l *Links) list(_ context.Context, w http.ResponseWriter, r *http.Request) error {
	values, table, err := asked(r)
	if err != nil {
		return err
	}
	limit := usualLinks
	if table {
		limit = tableLinks
	}
	q, err := ParseLinks(values, limit)
	if err != nil {
		return err
	}
	page, err := l.Page(q)
	if err != nil {
		return err
	}
	if !table {
		web.Answer(w, "application/json", http.StatusOK, page.Answer())
		return nil
	}
	tableHead(w, "links.csv")
	_ = page.WriteCSV(w) // only a client that left can make it fail
	return nil
}

// LinksBetween is what is known of two items.
type LinksBetween struct {
	Links []Link    `json:"links"`
	AsOf  LinksAsOf `json:"as_of"`
}

func (l *Links) between(_ context.Context, w http.ResponseWriter, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &query.Bad{Parameter: "the query", Why: err.Error()}
	}
	q, err := parseLinks(values, betweenParameters, usualLinks)
	if err != nil {
		return err
	}
	from, to := r.PathValue("from"), r.PathValue("to")
	found, err := l.Between(from, to, q)
	if err != nil {
		return err
	}
	if len(found.Links) == 0 {
		return &notFound{fmt.Sprintf("no link from %q to %q is published: too few customers have both, or it is not above chance; names are those of %s", from, to, LinksPath)}
	}
	web.Answer(w, "application/json", http.StatusOK, found)
	return nil
}

// LinksAbout is what can be asked of the links.
type LinksAbout struct {
	Links  int        `json:"links"`
	Levels []string   `json:"levels"`
	Kinds  []string   `json:"kinds"`
	Vias   []string   `json:"vias"`
	Sorts  []LinkSort `json:"sorts"`
	AsOf   LinksAsOf  `json:"as_of"`
}

func (l *Links) about(_ context.Context, w http.ResponseWriter, _ *http.Request) error {
	all, next, err := l.published.All()
	if err != nil {
		return err
	}
	a := LinksAbout{Links: len(all), Levels: []string{}, Kinds: []string{}, Vias: []string{}, Sorts: LinkSorts(), AsOf: LinksAsOf{next}}
	for i := range all {
		via := all[i].Via
		if via == "" {
			via = ViaBought
		}
		for list, value := range map[*[]string]string{&a.Levels: all[i].Level, &a.Kinds: all[i].Kind.String(), &a.Vias: via} {
			if !slices.Contains(*list, value) {
				*list = append(*list, value)
			}
		}
	}
	for _, list := range [][]string{a.Levels, a.Kinds, a.Vias} {
		slices.Sort(list)
	}
	web.Answer(w, "application/json", http.StatusOK, a)
	return nil
}
