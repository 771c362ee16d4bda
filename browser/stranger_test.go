package browser

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// newPage serves a page of a web site that the gateway knows nothing of, and
// returns its address.
func newPage(t *testing.T, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Elsewhere</title>`+body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
