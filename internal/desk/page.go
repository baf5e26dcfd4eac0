package desk

import (
	"embed"
	"net/http"
)

// PagePath is where the page is, with all that is under it. It holds no data: it asks for them at Path, with the token if there is one.
const PagePath = "/declining"

//go:embed page
var files embed.FS

// PageHandler serves the page.
func PageHandler() http.Handler {
	mux := http.NewServeMux()
	for path, name := range map[string]string{PagePath: "page/declining.html", PagePath + "/page.css": "page/declining.css", PagePath + "/page.js": "page/declining.js"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache")
			http.ServeFileFS(w, r, files, name)
		})
	}
	return mux
}
