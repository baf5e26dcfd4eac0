package desk

import (
	"embed"
	"net/http"

	"leadline/internal/web"
)

// Where the pages are, each with all that is under it. They hold no data: they ask for them, with the token if there is one.
const (
	PagePath      = "/declining"
	LinksPagePath = "/links"
)

//go:embed page
var files embed.FS

// PageHandler serves the page of declining customers.
func PageHandler() http.Handler {
	return pageHandler(PagePath, "declining.html", "declining.css", "list.css", "list.js", "declining.js")
}

// PageOfLinks is the page of product links, and what it gives the page of alerts: beside an alert its link's numbers and curve.
func PageOfLinks() web.Page {
	return web.Page{Path: LinksPagePath, Name: "Product links", Handler: LinksPageHandler(), Script: "link.js", Style: "link.css"}
}

// LinksPageHandler serves the page of product links.
func LinksPageHandler() http.Handler {
	return pageHandler(LinksPagePath, "links.html", "links.css", "link.css", "list.css", "list.js", "link.js", "draw.js", "links.js")
}

// pageHandler serves the page, and its files under it.
func pageHandler(at, page string, parts ...string) http.Handler {
	mux := http.NewServeMux()
	serve := func(path, file string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, "page/"+file)
		})
	}
	serve(at, page)
	for _, file := range parts {
		serve(at+"/"+file, file)
	}
	return mux
}
