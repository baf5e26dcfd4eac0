package desk

import (
	"embed"
	"io/fs"

	"leadline/internal/web"
)

// Where the pages are.
const (
	PagePath      = "/declining"
	LinksPagePath = "/links"
)

//go:embed page
var files embed.FS

// Pages are that of declining customers, and that of product links, which gives the page of alerts its link's numbers and curve beside an alert.
func Pages() []web.Page {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // a directory of this program
	}
	return []web.Page{
		{Path: PagePath, Name: "Declining customers", Files: page, Body: "declining.html", Styles: []string{"list.css", "declining.css"},
			Scripts: []string{"list.js", "declining.js"}},
		{Path: LinksPagePath, Name: "Product links", Files: page, Body: "links.html", Styles: []string{"list.css", "link.css", "links.css"},
			Scripts: []string{"list.js", "link.js", "draw.js", "links.js"}, AlertStyle: "link.css", AlertScript: "link.js"},
	}
}
