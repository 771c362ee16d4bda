package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	d.address = runStandIn(t, d.office, standIn)
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
	site = strings.Replace(site, "origins https://xuc.example.com", "origins "+agentOrigin+"\n\t\tdeadline 20s\n\t\tcache off", 1)
	site = crmLine.ReplaceAllString(site, "$0\n$1\ttimeout 10s")
	site = strings.TrimSuffix(site, "}") + "\ton none popup " + nonePage + "\n\t\ton unreachable popup " + unreachablePage + "\n\t}"
	d.gateway = serve(t, site)
	return d
}

// runStandIn returns the address of a stand-in.
func runStandIn(t *testing.T, o *office, standIn func(*office) http.Handler) string {
	handler := standIn(o)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.record(r)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// testSample lists records of each kind, as `check --sample` does, and finds
// them again.
func (p product) testSample(t *testing.T) {
	o := &office{t: t, sessions: map[string]bool{}}
	address := runStandIn(t, o, p.standIn)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	text := fmt.Sprintf("http://127.0.0.1:1 {\n\tscreen_pop {\n\t\torigins %s\n\t\tregion FR\n\t\tcrm %s %s%s {\n%s\n}\n}\n}\n",
		agentOrigin, p.preset, address, p.path, strings.ReplaceAll(p.options, "$CRM", address))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, k := range p.kinds {
		o.file(k.name, card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord", Phones: []string{"+33123456789"}})
		var out strings.Builder
		status, err := check{out: &out, config: config, adapter: "caddyfile", sample: 50}.run()
		if err != nil || status != exitFound || !strings.Contains(out.String(), k.name+": 1 record") {
			t.Errorf("a sample of each %s: status %d, %v\n%s", k.name, status, err, out.String())
		}
	}
}

// saasSpellings are those that CRMs are asked for which compare texts.
var saasSpellings = []string{"+33123456789", "33123456789", "0123456789", "0033123456789", "+33 1 23 45 67 89", "01 23 45 67 89", "01.23.45.67.89", "01-23-45-67-89"}

// testFirst makes the first searches only: each must find a number in all
// fields, and all spellings but those that are left to the second.
func (p product) testFirst(t *testing.T, found, missed []string) {
	d := p.open(t, p.options+"\notherwise off")
	for _, k := range p.kinds {
		rosa := card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord"}
		store := func(field int, spelling string) {
			rosa.Phones = make([]string, k.phones)
			rosa.Phones[field] = spelling
			d.office.file(k.name, rosa)
		}
		for field := range k.phones {
			for _, spelling := range found {
				store(field, spelling)
				d.expect(t, fill(k.page, d.address, rosa))
			}
		}
		for _, spelling := range missed {
			store(0, spelling)
			d.expect(t, nonePage)
		}
	}
}
