package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// phonebook is a small CRM over real HTTP: a search that returns what contains
// the digits, as many CRMs do, strangers included.
type phonebook struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

// requests are those that the CRM got so far.
func (b *phonebook) requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

var people = []struct{ id, name, company, phone string }{
	{"7", "Camille Moreau", "Moreau & Fils", "04 27 46 63 47"},
	{"8", "Stranger", "Elsewhere", "+33 9 04 27 46 63 47"},
	{"9", "Ana Costa", "Switch SA", "+33 1 99 00 00 50"},
	{"10", "Luc Petit", "Switch SA", "01.99.00.00.50"},
}

func newPhonebook(t testing.TB) *phonebook {
	book := &phonebook{}
	book.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		book.mu.Lock()
		book.seen = append(book.seen, r)
		book.mu.Unlock()
		digits := func(s string) string {
			return strings.Map(func(c rune) rune {
				if c < '0' || c > '9' {
					return -1
				}
				return c
			}, s)
		}
		var found []string
		for _, p := range people {
			if wanted := digits(r.URL.Query().Get("phone")); wanted != "" && strings.Contains(digits(p.phone), wanted) {
				found = append(found, fmt.Sprintf(`{"id":%q,"name":%q,"company":%q,"phone":%q}`, p.id, p.name, p.company, p.phone))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(found, ","))
	}))
	t.Cleanup(book.Close)
	return book
}

// site is a screen_pop directive over the phonebook, with more options.
func (b *phonebook) site(options string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 5s
	crm rest ` + b.URL + ` {
		name phonebook
		lookup contact {
			GET /search
			query phone {number.nsn}
			records items
			company {record.company}
			phones {record.phone}
			url https://crm.example.com/contacts/{record.id}
		}
		search_url https://crm.example.com/search?q={number.national}
		create_url https://crm.example.com/new?phone={number.e164}
	}
	` + options + `
}
respond "not ours" 404`)
}

func TestThePreflightIsAnsweredWithoutCredentials(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	preflight := func(origin string) answer {
		return g.request(http.MethodOptions, "/", "", http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type"},
			"Access-Control-Request-Private-Network": {"true"},
		})
	}
	got := preflight(agentOrigin)
	got.want(t, http.StatusNoContent, "")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":          agentOrigin,
		"Access-Control-Allow-Methods":         "POST, OPTIONS",
		"Access-Control-Allow-Headers":         "Origin, X-Requested-With, Content-Type, Accept",
		"Access-Control-Max-Age":               "7200",
		"Access-Control-Allow-Private-Network": "true",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if !slices.Contains(got.header.Values("Vary"), "Origin") {
		t.Errorf("Vary: %q", got.header.Values("Vary"))
	}

	stranger := preflight("https://evil.example.net")
	if stranger.header.Get("Access-Control-Allow-Origin") != "" || stranger.header.Get("Access-Control-Allow-Private-Network") != "" {
		t.Errorf("a stranger's page is allowed: %v", stranger.header)
	}
	if stranger.header.Get("Access-Control-Allow-Methods") != "POST, OPTIONS" {
		t.Error("the documented headers are missing for a stranger's page")
	}
	if plain := g.request(http.MethodOptions, "/", "", nil); plain.status != http.StatusNoContent {
		t.Errorf("a plain OPTIONS gets %d", plain.status)
	}
}

func TestAPageOfAnotherOriginGetsNothing(t *testing.T) {
	book := newPhonebook(t)
	g := serve(t, book.site(""))
	got := g.request(http.MethodPost, "/", payload(nil), http.Header{"Content-Type": {"application/json"}, "Origin": {"https://evil.example.net"}})
	if got.status != http.StatusForbidden || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("answered %d %v", got.status, got.header)
	}
	if len(book.requests()) != 0 {
		t.Error("the CRM was asked for a stranger's page")
	}
	if !strings.Contains(g.log(), "https://evil.example.net") || !strings.Contains(g.log(), "add it to origins") {
		t.Error("the log does not say which origin was refused and what to do")
	}
}

func TestARequestWithTwoOriginsGetsNothing(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	got := g.request(http.MethodPost, "/", payload(nil), http.Header{"Content-Type": {"application/json"}, "Origin": {agentOrigin, "https://evil.example.net"}})
	if got.status != http.StatusForbidden {
		t.Errorf("answered %d", got.status)
	}
}

func TestARequestWithoutAnOriginIsServed(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	got := g.request(http.MethodPost, "/", payload(nil), http.Header{"Content-Type": {"application/json"}})
	if got.status != http.StatusOK || got.field("action") != "popup" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

func TestAnyOriginCanBeAllowed(t *testing.T) {
	book := newPhonebook(t)
	g := serve(t, strings.Replace(book.site(""), "origins "+agentOrigin, "origins *", 1))
	got := g.request(http.MethodPost, "/", payload(nil), http.Header{"Content-Type": {"application/json"}, "Origin": {"https://any.example.net"}})
	if got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("answered %d %v", got.status, got.header)
	}
}

// The payloads of the documentation, as the client writes them.
var documentedPayloads = map[string]string{
	"2016.02 queue": `{"user":{"userId":4,"agentId":1,"firstName":"James","lastName":"Bond","fullName":"James Bond"},
		"callee":"1000","caller":"0427466347","queue":{"id":2,"name":"trucks","displayName":"Trucks","number":"3001"},
		"userData":{"XIVO_CONTEXT":"default","XIVO_USERID":"2","XIVO_SRCNUM":"0427466347","XIVO_DSTNUM":"3001"}}`,
	"2017.03 call id": `{"user":{"userId":4,"agentId":1,"firstName":"James","lastName":"Bond","fullName":"James Bond"},
		"callee":"1000","caller":"0427466347","userData":{"XIVO_CONTEXT":"default"},"callDataCallId":"1471858488.233"}`,
	"2022.10 queue": `{"user":{"userId":4,"agentId":1,"firstName":"James","lastName":"Bond","fullName":"James Bond"},
		"callee":"1000","caller":"0427466347","queue":{"id":2,"name":"trucks","displayName":"Trucks","number":"3001"},
		"userData":{"XIVO_CONTEXT":"default","XIVO_USERID":"2","XIVO_SRCNUM":"0427466347","XIVO_DSTNUM":"3001"},"callDataCallId":"1471858488.233"}`,
	"2024.05 with attached data": `{"user":{"userId":54,"agentId":29,"firstName":"James","lastName":"Bond","fullName":"James Bond","token":"` + agentToken + `"},
		"callee":"1000","caller":"0427466347",
		"userData":{"XIVO_CONTEXT":"from-extern","XIVO_USERID":"1","USR_var1":"val1","USR_var2":"val2","XIVO_EXTENPATTERN":"_012305XXXX",
		"XIVO_SRCNUM":"0427466347","XIVO_DSTNUM":"0123053012","XIVO_DST_FIRSTNAME":"Brucé","XIVO_DST_LASTNAME":"Wail"},
		"callDataCallId":"1469709757.74","queue":{"id":2,"name":"bluesky","displayName":"Blue sky","number":"3001"}}`,
	"a number as a JSON number":   `{"user":{"userId":4,"agentId":1},"callee":1000,"caller":33427466347,"callDataCallId":"1.2"}`,
	"everything absent or null":   `{"user":null,"caller":"+33427466347","queue":null,"userData":null,"callDataCallId":null,"later":{"release":true}}`,
	"what PHP makes of no values": `{"caller":"0033427466347","userData":[]}`,
}

func TestEveryDocumentedPayloadOpensTheCallersRecord(t *testing.T) {
	g := serve(t, newPhonebook(t).site(`on one popup {contact.url} {
		title "{contact.name}, {contact.company}"
	}`))
	for name, body := range documentedPayloads {
		t.Run(name, func(t *testing.T) {
			got := g.post(body)
			got.want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7","title":"Camille Moreau, Moreau & Fils"}`)
			if got.header.Get("Access-Control-Allow-Origin") != agentOrigin || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

func TestTheDirectInternalCallOfTheDocumentationIsAColleague(t *testing.T) {
	book := newPhonebook(t)
	g := serve(t, book.site(""))
	g.post(`{"user":{"userId":54,"agentId":29,"firstName":"James","lastName":"Bond","fullName":"James Bond","token":"`+agentToken+`"},
		"callee":"1023","caller":"1013","userData":{"XIVO_USERID":"54","SIPCALLID":"fd32a3a3-9647-457e-be04-16d7d4000000"},"callDataCallId":"1724763400.12"}`).
		want(t, http.StatusOK, `{"action":"none"}`)
	if line := g.lastCall(); line["outcome"] != "internal" {
		t.Errorf("logged %v", line)
	}
	if len(book.requests()) != 0 {
		t.Error("the CRM was asked about a colleague")
	}
}

func TestEachOutcomeHasItsDefaultAnswer(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	for caller, page := range map[string]string{
		"0199000050": "chooser",
		"0199000099": "unknown",
	} {
		g.ring(caller).wantPage(t, g, page)
	}
	// Its CRM is of another site than the agent application: a framed page would
	// have no cookies.
	g.ring("0427466347").want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`)
	for _, nobody := range []string{"", "anonymous", "1013"} {
		g.ring(nobody).want(t, http.StatusOK, `{"action":"none"}`)
	}
}

func TestWithoutPagesOfOurOwnEachOutcomeHasAnotherDefaultAnswer(t *testing.T) {
	g := serve(t, newPhonebook(t).site("pane off"))
	for caller, want := range map[string]string{
		"0427466347": `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`,
		"0199000050": `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/search?q=0199000050"}`,
		"0199000099": `{"action":"none"}`,
		"":           `{"action":"none"}`,
		"anonymous":  `{"action":"none"}`,
		"1013":       `{"action":"none"}`,
	} {
		g.ring(caller).want(t, http.StatusOK, want)
	}
}

func TestEveryActionAndOptionReachesTheAnswer(t *testing.T) {
	g := serve(t, newPhonebook(t).site(`
	on one open {contact.url} {
		title "{contact.name}"
		autopause wrapup
	}
	on many popup {crm.search_url}&count={contact.count} {
		event EventEstablished
		multitab
	}
	on none popup {crm.create_url}
	on withheld popup https://help.example.com/withheld?queue={call.queue.displayName}
	on internal run "C:\Program Files\Erp\erp.exe" {
		args --ext {call.caller} "{call.user.fullName} & co"
		title ERP
	}
	when queue trucks {
		on one {
			event EventReleased
			autopause off
		}
	}
	when did 0800* {
		on one popup https://vip.example.com/{contact.id}
	}
	when data USR_LEVEL gold {
		on one popup https://gold.example.com/{contact.id}#{call.userData.USR_LEVEL}
	}
	when agent 77 {
		on one none
	}
	when caller +33199* {
		on many none
	}
	when expression `+"`call.user.agentId > 1000 && call.queue.number == \"3001\"`"+` {
		on one popup https://big.example.com/
	}
	pane {
		framed https://crm.example.com
	}`))
	for _, test := range []struct {
		name    string
		changes map[string]any
		want    string
	}{
		{"open", nil, `{"action":"open","event":"EventRinging","url":"https://crm.example.com/contacts/7","title":"Camille Moreau","autopause":true,"autopauseReason":"wrapup"}`},
		{
			"a rule's own options, the rest from outside",
			map[string]any{"queue": map[string]any{"name": "trucks"}},
			`{"action":"open","event":"EventReleased","url":"https://crm.example.com/contacts/7","title":"Camille Moreau"}`,
		},
		{"withheld", map[string]any{"caller": nil}, `{"action":"popup","event":"EventRinging","url":"https://help.example.com/withheld?queue=Blue%20sky"}`},
		{"run", map[string]any{"caller": "1013"}, `{"action":"run","event":"EventRinging","url":"C:\\Program Files\\Erp\\erp.exe","title":"ERP","executableArgs":["--ext","1013","James Bond & co"]}`},
		{"did", map[string]any{"userData": map[string]any{"XIVO_DSTNUM": "0800123456"}}, `{"action":"popup","event":"EventRinging","url":"https://vip.example.com/7","title":"Camille Moreau"}`},
		{"data", map[string]any{"userData": map[string]any{"USR_LEVEL": "gold"}}, `{"action":"popup","event":"EventRinging","url":"https://gold.example.com/7#gold","title":"Camille Moreau"}`},
		{"agent", map[string]any{"user": map[string]any{"agentId": 77}}, `{"action":"none"}`},
		{"caller", map[string]any{"caller": "0199000050"}, `{"action":"none"}`},
		{"expression", map[string]any{"user": map[string]any{"agentId": 2000}}, `{"action":"popup","event":"EventRinging","url":"https://big.example.com/","title":"Camille Moreau"}`},
		{"nobody", map[string]any{"caller": "+33199000099"}, `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/new?phone=%2B33199000099"}`},
	} {
		t.Run(test.name, func(t *testing.T) { g.post(payload(test.changes)).want(t, http.StatusOK, test.want) })
	}
}

func TestAStrangersRecordIsNeverOpened(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	// The search by digits returns the stranger too; only Camille's number is the caller's.
	if got := g.ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" {
		t.Errorf("answered %s", got.body)
	}
	// Here it returns strangers only.
	g.ring("0274663470").wantPage(t, g, "unknown")
	g.ring("+33274663479").wantPage(t, g, "unknown")
	if line := g.lastCall(); line["outcome"] != "none" {
		t.Errorf("logged %v", line)
	}
}

func TestLookupByTakesTheNumberFromTheCallData(t *testing.T) {
	g := serve(t, newPhonebook(t).site("lookup_by {call.userData.USR_CALLER} {call.caller}"))
	transferred := payload(map[string]any{"caller": "1013", "userData": map[string]any{"USR_CALLER": "0427466347"}})
	if got := g.post(transferred); got.field("url") != "https://crm.example.com/contacts/7" {
		t.Errorf("answered %s", got.body)
	}
	for _, blank := range []string{"", "  ", "anonymous", "hello"} {
		call := payload(map[string]any{"userData": map[string]any{"USR_CALLER": blank}})
		if got := g.post(call); got.field("url") != "https://crm.example.com/contacts/7" {
			t.Errorf("with USR_CALLER %q answered %s", blank, got.body)
		}
	}
}

func TestWhatIsNotACallGetsAClearError(t *testing.T) {
	book := newPhonebook(t)
	g := serve(t, book.site(""))
	asJSON := http.Header{"Content-Type": {"application/json"}, "Origin": {agentOrigin}}
	for _, test := range []struct {
		name   string
		method string
		header http.Header
		body   string
		status int
		code   string
	}{
		{"malformed", "POST", asJSON, `{"caller":`, 400, "invalid_json"},
		{"empty", "POST", asJSON, ``, 400, "empty_body"},
		{"an array", "POST", asJSON, `[{"caller":"0427466347"}]`, 400, "not_an_object"},
		{"a string", "POST", asJSON, `"0427466347"`, 400, "not_an_object"},
		{"two documents", "POST", asJSON, `{}{}`, 400, "invalid_json"},
		{"invalid UTF-8", "POST", asJSON, "{\"caller\":\"\xff\"}", 400, "invalid_utf8"},
		{"caller is an object", "POST", asJSON, `{"caller":{"a":1}}`, 400, "invalid_caller"},
		{"caller is an array", "POST", asJSON, `{"caller":["0427466347"]}`, 400, "invalid_caller"},
		{"caller is a fraction", "POST", asJSON, `{"caller":1.5}`, 400, "invalid_caller"},
		{"user is a string", "POST", asJSON, `{"user":"bond"}`, 400, "invalid_user"},
		{"10 MB", "POST", asJSON, `{"caller":"` + strings.Repeat("7", 10<<20) + `"}`, 413, "too_large"},
		{"deeply nested", "POST", asJSON, strings.Repeat(`{"a":`, 20000), 413, "too_large"},
		{"nested too deep", "POST", asJSON, strings.Repeat(`[`, 20000), 400, "invalid_json"},
		{"a form", "POST", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {agentOrigin}}, "caller=1", 415, "unsupported_media_type"},
		{"plain text", "POST", http.Header{"Content-Type": {"text/plain"}, "Origin": {agentOrigin}}, `{}`, 415, "unsupported_media_type"},
		{"no media type", "POST", http.Header{"Origin": {agentOrigin}}, `{}`, 415, "unsupported_media_type"},
		{"another charset", "POST", http.Header{"Content-Type": {"application/json; charset=utf-16"}, "Origin": {agentOrigin}}, `{}`, 415, "unsupported_charset"},
		{"compressed", "POST", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}, "Origin": {agentOrigin}}, `x`, 415, "unsupported_encoding"},
		{"GET", "GET", http.Header{"Origin": {agentOrigin}}, ``, 405, "method_not_allowed"},
		{"PUT", "PUT", asJSON, `{}`, 405, "method_not_allowed"},
		{"DELETE", "DELETE", asJSON, ``, 405, "method_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.request(test.method, "/", test.body, test.header)
			if got.status != test.status {
				t.Errorf("answered %d %s, want %d", got.status, got.body, test.status)
			}
			problem, _ := got.field("error").(map[string]any)
			if problem["code"] != test.code || problem["message"] == "" {
				t.Errorf("the error is %v, want code %s", problem, test.code)
			}
			if got.header.Get("Access-Control-Allow-Origin") != agentOrigin || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
				t.Errorf("headers %v", got.header)
			}
		})
	}
	if len(book.requests()) != 0 {
		t.Error("the CRM was asked about something that is not a call")
	}
	got := g.request(http.MethodGet, "/", "", nil)
	if got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
	if head := g.request(http.MethodHead, "/", "", nil); head.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD gets %d", head.status)
	}
}

func TestAnOuterBodyLimitIsRespected(t *testing.T) {
	g := serve(t, "\trequest_body {\n\t\tmax_size 100\n\t}\n"+newPhonebook(t).site(""))
	// Without a length Caddy can't refuse it beforehand.
	got := g.send(http.MethodPost, "/", struct{ io.Reader }{strings.NewReader(payload(nil))}, http.Header{
		"Content-Type": {"application/json"}, "Origin": {agentOrigin},
	})
	if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, `"too_large"`) || got.header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}
