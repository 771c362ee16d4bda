package demo

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed simulator
var simulatorFiles embed.FS

var simulatorPage = template.Must(template.ParseFS(simulatorFiles, "simulator/page.html"))

// simulatorPolicy lets the page run its own files only. It may talk to and frame
// any web address, because the address of the gateway is a field on the page
// and the address in the pane is whatever the gateway answers.
const simulatorPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src http: https:; frame-src http: https:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Simulator is the agent simulator: one page that does with the gateway what
// XiVO's CC Agent application does.
type Simulator struct {
	// Gateway is the address that the page offers as THIRD_PARTY_URL.
	Gateway string
	// CRM is the origin of the demo CRM, which knows the scenarios and the moods.
	CRM string
	// ExpiredLink and ChangedLink are links that no longer open, to see what an
	// agent sees then.
	ExpiredLink, ChangedLink string
}

// simulatorView is what the page's template sees.
type simulatorView struct {
	Simulator
	Moods []Mood
}

// Handler serves the page and its files.
func (s Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.Handle("GET /simulator/", http.FileServerFS(simulatorFiles))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", simulatorPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

func (s Simulator) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A page that breaks off is all a failure could do here, and only a client
	// that has gone away can cause one.
	_ = simulatorPage.Execute(w, simulatorView{Simulator: s, Moods: Moods()})
}
