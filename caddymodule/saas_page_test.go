package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var (
	siteBlock = regexp.MustCompile(`(?s)^[^\n]*\{\n(.*)\n\}\n$`)
	crmLine   = regexp.MustCompile(`(?m)^(\t+)crm .*\{$`)
)

// openPage runs a Caddyfile out of a page in front of a stand-in, with only
// addresses and times replaced: each place that is named becomes the stand-in's
// address, with $CRM for it.
func openPage(t *testing.T, page string, block int, standIn func(*office) http.Handler, places ...string) *desk {
	t.Helper()
	d := &desk{office: &office{t: t, sessions: map[string]bool{}}}
	handler := standIn(d.office)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.office.record(r)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.address = server.URL

	found := snippets(pages(t)[page], "caddyfile")
	if block >= len(found) {
		t.Fatalf("%s has %d Caddyfiles", page, len(found))
	}
	inside := siteBlock.FindStringSubmatch(found[block])
	if inside == nil {
		t.Fatalf("%s: Caddyfile %d is no site", page, block+1)
	}
	site := inside[1]
	for i := 0; i < len(places); i += 2 {
		if !strings.Contains(site, places[i]) {
			t.Fatalf("%s: Caddyfile %d has no %s", page, block+1, places[i])
		}
		site = strings.ReplaceAll(site, places[i], strings.ReplaceAll(places[i+1], "$CRM", d.address))
	}
	site = strings.Replace(site, "origins https://xuc.example.com", "origins "+agentOrigin+"\n\t\tdeadline 20s", 1)
	site = crmLine.ReplaceAllString(site, "$0\n$1\ttimeout 10s")
	site = strings.TrimSuffix(site, "}") + "\ton none popup " + nonePage + "\n\t\ton unreachable popup " + unreachablePage + "\n\t}"
	d.gateway = serve(t, site)
	return d
}
