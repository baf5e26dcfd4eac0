package web

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Private paths are for this machine alone, or for whoever brings the token; pages of other sites get nowhere.
func TestWhoMayUseWhatIsPrivate(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	loopback, everywhere := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, &net.TCPAddr{IP: net.IPv4zero, Port: 8080}
	for name, c := range map[string]struct {
		at    net.Addr
		token string
		host  string
		send  map[string]string
		want  int
	}{
		"this machine":                    {loopback, "", "127.0.0.1:8080", nil, 200},
		"this machine, by name":           {loopback, "", "localhost:8080", nil, 200},
		"this machine, IPv6":              {&net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, "", "[::1]:8080", nil, 200},
		"this machine, without a port":    {loopback, "", "[::1]", nil, 200},
		"a name that leads here":          {loopback, "", "evil.example:8080", nil, 403},
		"a name that begins like it":      {loopback, "", "localhost.evil.example", nil, 403},
		"an address that begins like it":  {loopback, "", "127.0.0.1.evil.example", nil, 403},
		"no name":                         {loopback, "", "", nil, 403},
		"another machine":                 {everywhere, "", "127.0.0.1:8080", nil, 403},
		"another machine, a made up one":  {everywhere, "", "x", map[string]string{"Authorization": "Bearer "}, 403},
		"the token":                       {everywhere, secret, "leadline.example", map[string]string{"Authorization": "Bearer " + secret}, 200},
		"no token":                        {everywhere, secret, "leadline.example", nil, 401},
		"no token, from this machine":     {loopback, secret, "127.0.0.1:8080", nil, 401},
		"another token":                   {everywhere, secret, "x", map[string]string{"Authorization": "Bearer " + strings.ToUpper(secret)}, 401},
		"a part of the token":             {everywhere, secret, "x", map[string]string{"Authorization": "Bearer " + secret[:15]}, 401},
		"the token, not as bearer":        {everywhere, secret, "x", map[string]string{"Authorization": secret}, 401},
		"the token, from another site":    {everywhere, secret, "x", map[string]string{"Authorization": "Bearer " + secret, "Sec-Fetch-Site": "cross-site"}, 403},
		"this machine, from another site": {loopback, "", "127.0.0.1:8080", map[string]string{"Origin": "https://evil.example"}, 403},
	} {
		o := Options{Metrics: prometheus.NewRegistry(), Token: c.token, Private: map[string]http.Handler{
			"/v1/own": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "private") })}}
		h := o.handler(c.at)
		for _, path := range []string{"/v1/own", "/v1/own/below"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
			r.Host = c.host
			for k, v := range c.send {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || (w.Body.String() == "private") != (c.want == 200) {
				t.Errorf("%s, %s: %d %s", name, path, w.Code, w.Body)
			}
			if c.want != 200 && (w.Header().Get("Content-Type") != ProblemJSON || strings.Contains(w.Body.String(), secret)) {
				t.Errorf("%s: %v %s", name, w.Header(), w.Body)
			}
		}
	}
}
