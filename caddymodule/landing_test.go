package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// land opens the sheet's popup without following where it leads.
func (g *gateway) land(number string, header http.Header) answer {
	g.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+g.address+"/call?number="+number, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header = header
	response, err := client.Transport.RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	defer response.Body.Close()
	if _, err := w.Body.ReadFrom(response.Body); err != nil {
		g.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, w.Body.String()}
}

// fromAgent is a navigation that the agent application begins.
var fromAgent = http.Header{"Referer": {localAgent + "/ccagent"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}}

func (a answer) wantRedirect(t *testing.T, to string) {
	t.Helper()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), to) {
		t.Errorf("%d to %q, want %q", a.status, a.header.Get("Location"), to)
	}
	if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
}

func TestXiVOsSheetLandsOnTheSameDecision(t *testing.T) {
	crm := newWebCRM(t, rosaAlone)
	g := serve(t, crm.site("on internal run \"C:\\erp.exe\""))
	g.land("0427466347", fromAgent).wantRedirect(t, "http://"+g.address+"/pane/frame/")
	crm.finds(several)
	g.land("%2B33427466347", fromAgent).wantRedirect(t, "http://"+g.address+"/pane/chooser/")
	crm.finds(nobody)
	got := g.land("0199000099", fromAgent)
	got.wantRedirect(t, "http://"+g.address+"/pane/unknown/")
	g.open(got.header.Get("Location"), nil).wantText(t, http.StatusOK, "Unknown caller", "01 99 00 00 99")
	crm.finds("")
	got = g.land("0427466347", fromAgent)
	got.wantRedirect(t, "http://"+g.address+"/pane/waiting/")
	crm.finds(several)
	if next := g.become(g.open(got.header.Get("Location"), nil)); !strings.HasPrefix(next, "/pane/chooser/") {
		t.Errorf("it becomes %s", next)
	}
	// A program can't be started from a page, and nothing opens for a hidden number.
	for _, number := range []string{"1013", "", "-", "anonymous"} {
		g.land(number, fromAgent).wantText(t, http.StatusOK, "Nothing to show")
	}
	if line := g.lastCall(); line["outcome"] != "withheld" {
		t.Errorf("logged %v", line)
	}
}

func TestAPageThatIsNotFramedOpensInTheSheetsOwnWindow(t *testing.T) {
	crm := newWebCRM(t, rosaAlone, "X-Frame-Options", "DENY")
	serve(t, crm.site("")).land("0427466347", fromAgent).wantRedirect(t, crm.record("7"))
}

func TestOnlyTheAgentApplicationLands(t *testing.T) {
	crm := newWebCRM(t, several)
	g := serve(t, crm.site(""))
	for name, header := range map[string]http.Header{
		"a stranger's page":                {"Referer": {"https://evil.example.net/x"}, "Sec-Fetch-Site": {"cross-site"}},
		"a stranger's page in the same":    {"Referer": {"http://127.0.0.1:99/"}, "Sec-Fetch-Site": {"same-site"}},
		"a page that hides where it is":    {"Sec-Fetch-Site": {"cross-site"}},
		"one of the same site, hidden":     {"Sec-Fetch-Site": {"same-site"}},
		"a stranger's script":              {"Origin": {"https://evil.example.net"}, "Referer": {localAgent + "/"}},
		"a sandboxed page":                 {"Origin": {"null"}},
		"a look-alike":                     {"Referer": {"http://127.0.0.1.evil.example.net:9/"}},
		"nonsense":                         {"Referer": {localAgent + ".evil.example.net/"}},
		"an agent application named after": {"Referer": {"https://evil.example.net/?" + localAgent}},
	} {
		t.Run(name, func(t *testing.T) {
			got := g.land("0427466347", header)
			got.wantText(t, http.StatusForbidden, "This page is not for you", "Close")
		})
	}
	if crm.timesSearched() != 0 {
		t.Error("the CRM was asked for a stranger")
	}
	if line := g.lastLine("refused a link"); line["level"] != "warn" {
		t.Errorf("logged %v", line)
	}
	for name, header := range map[string]http.Header{
		"the agent application":       fromAgent,
		"an address that was typed":   {"Sec-Fetch-Site": {"none"}},
		"the gateway itself":          {"Sec-Fetch-Site": {"same-origin"}},
		"a program without a page":    {},
		"a page that says its origin": {"Origin": {localAgent}},
	} {
		t.Run(name, func(t *testing.T) { g.land("0427466347", header).wantRedirect(t, "http://"+g.address+"/pane/chooser/") })
	}
}

func TestWithOriginsOpenToAllAnybodyLands(t *testing.T) {
	crm := newWebCRM(t, several)
	g := serve(t, strings.Replace(crm.site(""), "origins "+localAgent, "origins *", 1))
	g.land("0427466347", http.Header{"Referer": {"https://any.example.net/"}, "Sec-Fetch-Site": {"cross-site"}}).wantRedirect(t, "http://"+g.address+"/pane/chooser/")
}

func TestASheetOnlyAsks(t *testing.T) {
	g := serve(t, newWebCRM(t, several).site("endpoint /pop"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		got := g.request(method, "/pop/call?number=0427466347", "", nil)
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET" {
			t.Errorf("%s: %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
	g.request(http.MethodGet, "/call?number=0427466347", "", nil).want(t, http.StatusNotFound, "not ours")
}
