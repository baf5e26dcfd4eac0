package web

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"

	"leadline/internal/wire"
)

// guard lets through who may use what is private. The Host is looked at because a page of another site can have its own name resolved
// to this machine, and its requests then look as if they were this site's own.
func (o Options) guard(at net.Addr) func(http.Handler) http.Handler {
	want := sha256.Sum256([]byte(o.Token))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case o.Token != "":
				token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				if have := sha256.Sum256([]byte(token)); !ok || subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
					w.Header().Set("WWW-Authenticate", `Bearer realm="leadline"`)
					Problem{Status: http.StatusUnauthorized, Detail: "send the header Authorization: Bearer with the token of http.token"}.Answer(w)
					return
				}
			case !Loopback(at.String()):
				Problem{Status: http.StatusForbidden, Detail: "other machines reach this address: set http.token (or http.token_file), and send it"}.Answer(w)
				return
			case !Loopback(r.Host):
				Problem{Status: http.StatusForbidden, Detail: "without http.token only 127.0.0.1, [::1] and localhost are served"}.Answer(w)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Loopback tells of host or host:port whether only this machine reaches it.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Problem is an error as RFC 9457 has it. Other packages embed it beside what more they have to say.
type Problem struct {
	Title  string `json:"title"` // of the status, set by Answer
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// Answer writes the problem alone.
func (p Problem) Answer(w http.ResponseWriter) {
	p.Title = http.StatusText(p.Status)
	Answer(w, ProblemJSON, p.Status, p)
}

// ProblemJSON is the media type of a Problem.
const ProblemJSON = "application/problem+json"

// Answer writes a body as JSON that prints (wire.PlainJSON) and is not to be kept. That the client went away meanwhile is not worth a word.
func Answer(w http.ResponseWriter, mediaType string, status int, body any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // nosniff keeps browsers from taking it for a page
	if err := enc.Encode(body); err != nil {
		panic(fmt.Sprintf("web: an answer is no JSON: %v", err)) // their types are the program's own
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(wire.PlainJSON(text.Bytes()))
}
