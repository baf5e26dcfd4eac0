package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"

	"leadline/internal/sales"
)

// Page is one more page: a body in the frame that all pages have, with its name in everybody's navigation. It has no data of its own: its
// scripts ask for them.
type Page struct {
	Path  string // with all that is under it
	Name  string
	Files fs.FS
	// Body is one of Files: HTML from the element main on.
	Body string
	// Styles and Scripts are files that are served under Path and loaded in this order.
	Styles, Scripts []string
	// AlertStyle and AlertScript are two of them that the page with alerts loads too, empty for none. A script that has a function linkOfAlert is
	// asked by it for an element beside an alert.
	AlertStyle, AlertScript string
}

//go:embed page
var files embed.FS

// frame is around every page, and the page with alerts, whose body is a template too.
var frame = template.Must(template.ParseFS(files, "page/frame.html", "page/alerts.html"))

// framed is what the frame shows. Addresses are relative: all pages are in the root.
type framed struct {
	Name            string
	Styles, Scripts []string
	Keep            int // alerts that the page with alerts keeps, 0 elsewhere
	Pages           []framedPage
	Body            template.HTML
}

// framedPage is an entry of the navigation.
type framedPage struct {
	At, Name string
	Current  bool
}

// registerPages adds the page with alerts, the others, and what they load.
func (o Options) registerPages(mux *http.ServeMux) {
	if o.Feed == nil && len(o.Pages) == 0 {
		return
	}
	for _, name := range []string{"page.css", "every.js", "alerts.js", "icon.svg"} {
		serveFile(mux, "/page/"+name, files, "page/"+name)
	}
	if o.Feed != nil {
		alerts := framed{Name: "Live alerts", Styles: []string{"page/page.css"}, Scripts: []string{"page/every.js", "page/alerts.js"}, Keep: o.Feed.keep,
			Body: template.HTML(rendered("alerts", sales.AlertKinds()))} // the template has escaped what it was given
		for _, p := range o.Pages {
			alerts.Styles = append(alerts.Styles, p.at(p.AlertStyle)...)
			alerts.Scripts = append(alerts.Scripts, p.at(p.AlertScript)...)
		}
		o.servePage(mux, "/", "/{$}", alerts)
	}
	for _, p := range o.Pages {
		o.servePage(mux, p.Path, p.Path, framed{Name: p.Name, Styles: append([]string{"page/page.css"}, p.at(p.Styles...)...),
			Scripts: append([]string{"page/every.js"}, p.at(p.Scripts...)...), Body: p.body()})
		for _, name := range append(p.Styles[:len(p.Styles):len(p.Styles)], p.Scripts...) {
			serveFile(mux, p.Path+"/"+name, p.Files, name)
		}
	}
}

// at is where a page finds the files of p.
func (p *Page) at(names ...string) (at []string) {
	for _, name := range names {
		if name != "" {
			at = append(at, path.Join(p.Path, name)[1:])
		}
	}
	return at
}

func (p *Page) body() template.HTML {
	body, err := fs.ReadFile(p.Files, p.Body)
	if err != nil {
		panic(fmt.Errorf("body of the page %s: %w", p.Path, err)) // a page of this program
	}
	return template.HTML(body)
}

// servePage serves a page that stays as it is.
func (o Options) servePage(mux *http.ServeMux, at, pattern string, page framed) {
	navigation := o.Pages
	if o.Feed != nil {
		navigation = append([]Page{{Path: "/", Name: "Live alerts"}}, o.Pages...)
	}
	for _, p := range navigation {
		page.Pages = append(page.Pages, framedPage{At: "." + p.Path, Name: p.Name, Current: p.Path == at})
	}
	text := rendered("frame", page)
	mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(text) // a client that left is no error
	})
}

func rendered(name string, about any) []byte {
	var text bytes.Buffer
	if err := frame.ExecuteTemplate(&text, name, about); err != nil {
		panic(fmt.Errorf("template %s: %w", name, err)) // a template of this program
	}
	return text.Bytes()
}

func serveFile(mux *http.ServeMux, at string, from fs.FS, name string) {
	mux.HandleFunc("GET "+at, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, from, name)
	})
}
