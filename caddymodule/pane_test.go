package caddymodule

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// localAgent is an agent application of the same site as the gateway and the
// CRM of these tests. Nobody serves it.
const localAgent = "http://127.0.0.1:9"

// webCRM is a CRM with web pages of its own.
type webCRM struct {
	*httptest.Server
	mu sync.Mutex
	// framing are headers of its pages, by name and value.
	framing []string
	// found is what a search returns; unset, it breaks off.
	found string
	// shown counts how often a page was asked for, and searched the searches.
	shown, searched int
}

const (
	rosaAlone = `[{"id":"7","name":"Rosa Marín","company":"ACME","phone":"04 27 46 63 47"}]`
	several   = `[{"id":"7","name":"Rosa Marín","company":"ACME","phone":"04 27 46 63 47"},{"id":"8","name":"Lou Petit","company":"ACME","phone":"0427466347"}]`
	nobody    = `[]`
)

func newWebCRM(t *testing.T, found string, framing ...string) *webCRM {
	c := &webCRM{found: found, framing: framing}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *webCRM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path == "/search" {
		c.searched++
		if c.found == "" {
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(c.found))
		return
	}
	c.shown++
	for i := 0; i < len(c.framing); i += 2 {
		w.Header().Add(c.framing[i], c.framing[i+1])
	}
	_, _ = w.Write([]byte("<title>CRM</title>"))
}

func (c *webCRM) finds(found string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = found
}

// says gives its pages other headers.
func (c *webCRM) says(framing ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.framing = framing
}

func (c *webCRM) pagesShown() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown
}

func (c *webCRM) timesSearched() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.searched
}

func (c *webCRM) record(id string) string { return c.URL + "/contacts/" + id }

// site is a directive over the CRM, with more options.
func (c *webCRM) site(options string) string {
	return indent(`screen_pop {
	origins ` + localAgent + `
	region FR
	deadline 5s
	cache off
	crm rest ` + c.URL + ` {
		name shop
		lookup contact {
			GET /search
			query phone {number}
			records @this
			company {record.company}
			phones {record.phone}
			url {crm.url}/contacts/{record.id}
		}
		search_url {crm.url}/contacts?q={number.national}
		create_url {crm.url}/new?phone={number.e164}
	}
	` + options + `
}
respond "not ours" 404`)
}

// call rings from the local agent application.
func (g *gateway) call(changes map[string]any) answer {
	g.t.Helper()
	return g.request(http.MethodPost, "/", payload(changes), http.Header{"Content-Type": {"application/json"}, "Origin": {localAgent}})
}

// open opens what an answer says, or any other address of the gateway.
func (g *gateway) open(address any, header http.Header) answer {
	g.t.Helper()
	path, _ := strings.CutPrefix(fmt.Sprint(address), "http://"+g.address)
	return g.request(http.MethodGet, path, "", header)
}

func (a answer) wantText(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(a.body), text) {
			t.Errorf("the page lacks %q:\n%s", text, a.body)
		}
	}
}

func popupOf(address string) string {
	return `{"action":"popup","event":"EventRinging","url":"` + address + `"}`
}

var waitingFor = regexp.MustCompile(`data-wait="([^"]+)"`)

// become is the page that a waiting page turns into.
func (g *gateway) become(waiting answer) string {
	g.t.Helper()
	match := waitingFor.FindStringSubmatch(waiting.body)
	if match == nil {
		g.t.Fatalf("it waits for nothing:\n%s", waiting.body)
	}
	next, _ := g.open(html.UnescapeString(match[1]), http.Header{"Accept": {"application/json"}}).field("next").(string)
	return next
}

func TestACRMsPageThatMayBeFramedOpensInThePane(t *testing.T) {
	crm := newWebCRM(t, rosaAlone)
	g := serve(t, crm.site(""))
	for range 3 {
		got := g.call(nil)
		got.wantPage(t, g, "frame")
		page := g.open(got.field("url"), nil)
		page.wantText(t, http.StatusOK, `<iframe src="`+crm.record("7")+`"`, `data-origin="`+localAgent+`"`, "Blue sky", "04 27 46 63 47")
		if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors "+localAgent+";") {
			t.Errorf("policy %s", policy)
		}
		if page.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("other pages may read it")
		}
	}
	if crm.pagesShown() != 1 {
		t.Errorf("the CRM was asked for its page %d times", crm.pagesShown())
	}
}

func TestACRMsPageThatMayNotBeFramedNeverLeavesABlankPane(t *testing.T) {
	for name, framing := range map[string][]string{
		"nobody":            {"X-Frame-Options", "DENY"},
		"itself":            {"Content-Security-Policy", "frame-ancestors 'self'"},
		"the agent alone":   {"Content-Security-Policy", "frame-ancestors " + localAgent},
		"all of two, or no": {"X-Frame-Options", "ALLOWALL", "X-Frame-Options", "DENY"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := newWebCRM(t, rosaAlone, framing...)
			g := serve(t, crm.site(""))
			for range 3 {
				g.call(nil).want(t, http.StatusOK, popupOf(crm.record("7")))
			}
			g.lastLine("a CRM's pages are not opened in the pane")
			log := g.log()
			if strings.Count(log, "a CRM's pages are not opened in the pane") != 1 ||
				!strings.Contains(log, "frame-ancestors 'self' "+localAgent+" http://"+g.address+" (and no X-Frame-Options)") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
	allowed := newWebCRM(t, rosaAlone)
	g := serve(t, allowed.site(""))
	allowed.says("Content-Security-Policy", "frame-ancestors 'self' "+localAgent+" http://"+g.address)
	g.call(nil).wantPage(t, g, "frame")
}

func TestOurCardStandsInForAPageThatRefuses(t *testing.T) {
	crm := newWebCRM(t, rosaAlone, "X-Frame-Options", "DENY")
	g := serve(t, crm.site("pane {\n\t\trefused card\n\t}"))
	got := g.call(nil)
	got.wantPage(t, g, "card")
	g.open(got.field("url"), nil).wantText(t, http.StatusOK, "Rosa Marín", "Open in a new tab", crm.record("7"))
}

func TestAPageOfAnotherSiteIsNotFramedUnlessAsked(t *testing.T) {
	crm := newWebCRM(t, rosaAlone)
	elsewhere := func(options string) string {
		return strings.Replace(crm.site(options), "origins "+localAgent, "origins "+agentOrigin+" "+localAgent, 1)
	}
	g := serve(t, elsewhere(""))
	g.ring("0427466347").want(t, http.StatusOK, popupOf(crm.record("7")))
	if crm.pagesShown() != 0 {
		t.Error("the CRM was asked for nothing")
	}
	g.call(nil).wantPage(t, g, "frame") // the same for an agent of the same site
	asked := serve(t, elsewhere("on one open {pane.frame}"))
	asked.ring("0427466347").wantPage(t, asked, "frame")
}

func TestTheGatewayNeedNotReachPagesThatTheAdministratorVouchesFor(t *testing.T) {
	crm := newWebCRM(t, rosaAlone, "X-Frame-Options", "DENY")
	g := serve(t, crm.site("pane {\n\t\tframed "+crm.URL+"\n\t}"))
	g.call(nil).wantPage(t, g, "frame")
	if crm.pagesShown() != 0 {
		t.Error("it was asked nevertheless")
	}
}

func TestSeveralRecordsAreChosenFrom(t *testing.T) {
	crm := newWebCRM(t, several)
	g := serve(t, crm.site(""))
	got := g.call(nil)
	got.wantPage(t, g, "chooser")
	address := fmt.Sprint(got.field("url"))
	g.open(address, nil).wantText(t, http.StatusOK, "2 records have this number", "Rosa Marín", "Lou Petit", "matches 04 27 46 63 47")
	g.open(address+"?record=1", nil).wantText(t, http.StatusOK, `<iframe src="`+crm.record("8")+`"`)
	g.open(address, http.Header{"Accept-Language": {"fr"}}).wantText(t, http.StatusOK, "Qui appelle ?")
	if crm.timesSearched() == 0 {
		t.Error("nobody was looked up")
	}
}

func TestAnUnknownCallerIsLookedUpAgainBeforeItIsCreated(t *testing.T) {
	crm := newWebCRM(t, nobody)
	g := serve(t, crm.site(""))
	got := g.call(map[string]any{"caller": "0199000099"})
	got.wantPage(t, g, "unknown")
	page := g.open(got.field("url"), nil)
	page.wantText(t, http.StatusOK, "Unknown caller", "01 99 00 00 99", crm.URL+"/contacts?q=0199000099")
	link := regexp.MustCompile(`href="(/pane/create/[^"]+)"`).FindStringSubmatch(page.body)
	if link == nil {
		t.Fatalf("nobody can be created:\n%s", page.body)
	}
	before := crm.timesSearched()
	created := g.send(http.MethodGet, link[1], http.NoBody, nil)
	if crm.timesSearched() == before {
		t.Error("the CRM was not asked again")
	}
	created.wantText(t, http.StatusOK, "CRM") // its form, where the redirect leads
}

// What was remembered a moment ago is not good enough: a colleague may have been
// faster.
func TestBeforeAContactIsCreatedTheCRMIsAskedWhateverIsRemembered(t *testing.T) {
	crm := newWebCRM(t, nobody)
	g := serve(t, strings.Replace(crm.site(""), "cache off", "", 1))
	page := g.open(g.call(nil).field("url"), nil)
	link := regexp.MustCompile(`href="(/pane/create/[^"]+)"`).FindStringSubmatch(page.body)
	if link == nil {
		t.Fatalf("nobody can be created:\n%s", page.body)
	}
	crm.finds(rosaAlone)
	g.send(http.MethodGet, link[1], http.NoBody, nil).wantText(t, http.StatusOK, "Somebody has this number by now")
}

func TestASlowCRMsAnswerComesToTheWaitingPage(t *testing.T) {
	for found, want := range map[string]string{rosaAlone: "frame", several: "chooser", nobody: "unknown"} {
		crm := newWebCRM(t, "")
		g := serve(t, crm.site(""))
		got := g.call(nil)
		got.wantPage(t, g, "waiting")
		waiting := g.open(got.field("url"), nil)
		waiting.wantText(t, http.StatusOK, "Looking up the caller…")
		crm.finds(found)
		next := g.become(waiting)
		if !strings.HasPrefix(next, "/pane/"+want+"/") {
			t.Errorf("it becomes %s, want %s", next, want)
		}
		g.open(next, nil).wantText(t, http.StatusOK, "04 27 46 63 47")
		if line := g.lastLine("a page looked the caller up"); line["level"] != "info" || line["call"] != "1469709757.74" || line["caller"] != "+33*******47" {
			t.Errorf("logged %v", line)
		}
	}
}

func TestACRMThatStaysAwayIsNamedAndTheCallerNotCalledUnknown(t *testing.T) {
	g := serve(t, newWebCRM(t, "").site(""))
	next := g.become(g.open(g.call(nil).field("url"), nil))
	page := g.open(next, nil)
	page.wantText(t, http.StatusOK, "The caller could not be looked up", "Could not be asked: shop", "Try again")
	if strings.Contains(page.body, "Unknown caller") || strings.Contains(page.body, "No CRM knows") {
		t.Errorf("it says not found:\n%s", page.body)
	}
	if line := g.lastLine("a page could not look the caller up"); line["level"] != "error" || line["error"] == "" {
		t.Errorf("logged %v", line)
	}
}

func TestAPageLooksUpAsTheCallsRuleSays(t *testing.T) {
	crm, second := newWebCRM(t, ""), newWebCRM(t, "")
	g := serve(t, crm.site(`crm rest `+second.URL+` {
		name second
		lookup contact {
			GET /search
			query order {call.userData.USR_ORDER}
			query phone {number}
			phones {record.phone}
		}
	}
	when queue trucks {
		ask second
	}`))
	got := g.call(map[string]any{"queue": map[string]any{"name": "trucks"}, "userData": map[string]any{"USR_ORDER": "4711"}})
	searched := crm.timesSearched()
	second.finds(`[{"name":"Rosa Marín","phone":"0427466347"}]`)
	// It has no page in that CRM.
	g.open(g.become(g.open(got.field("url"), nil)), nil).wantText(t, http.StatusOK, "Rosa Marín", "second")
	if crm.timesSearched() != searched {
		t.Error("another CRM than the rule's was asked")
	}
}

func TestKeysOutliveReloadsAndRestartsAndAreShared(t *testing.T) {
	crm := newWebCRM(t, several)
	storage := t.TempDir()
	g := serveWith(t, "", storage, crm.site(""))
	address := g.call(nil).field("url")
	if err := g.load(crm.site("pane {\n\t\tname \"Quai Nord\"\n\t}")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	g.open(address, nil).wantText(t, http.StatusOK, "Rosa Marín", "Quai Nord")
	other := serveWith(t, "", storage, crm.site(""))
	_, path, _ := strings.Cut(fmt.Sprint(address), g.address)
	other.open(path, nil).wantText(t, http.StatusOK, "Rosa Marín")
	stranger := serveWith(t, "", t.TempDir(), crm.site(""))
	stranger.open(path, nil).wantText(t, http.StatusNotFound, "This link is not valid")
	files, err := filepath.Glob(filepath.Join(storage, "screen_pop", "pane", "*"))
	if err != nil || len(files) != 1 {
		t.Errorf("the keys are in %q, %v", files, err)
	}
}

func TestGivenKeysAreSharedWithoutAStorage(t *testing.T) {
	t.Setenv("SCREENPOP_TEST_KEY", "the key of all nodes, 32 characters or more")
	crm := newWebCRM(t, several)
	storage := t.TempDir()
	g := serveWith(t, "", storage, crm.site("pane {\n\t\tkey {env.SCREENPOP_TEST_KEY}\n\t}"))
	_, path, _ := strings.Cut(fmt.Sprint(g.call(nil).field("url")), g.address)
	if _, err := os.Stat(filepath.Join(storage, "screen_pop")); err == nil {
		t.Error("there are keys in the storage")
	}
	t.Setenv("SCREENPOP_TEST_NEW_KEY", "the next key of all nodes, as long as that")
	renewed := serve(t, crm.site("pane {\n\t\tkey {env.SCREENPOP_TEST_NEW_KEY} {env.SCREENPOP_TEST_KEY}\n\t}"))
	renewed.open(path, nil).wantText(t, http.StatusOK, "Rosa Marín")
	serve(t, crm.site("pane {\n\t\tkey {env.SCREENPOP_TEST_NEW_KEY}\n\t}")).open(path, nil).wantText(t, http.StatusNotFound, "not valid")
}

func TestWhatIsWrongWithThePaneIsSaidAtLoadWithItsLine(t *testing.T) {
	t.Setenv("SCREENPOP_TEST_KEY", "too short")
	crm := newWebCRM(t, several)
	g := serve(t, crm.site(""))
	for option, want := range map[string]string{
		"key {env.SCREENPOP_TEST_UNSET}": "pane: key: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:",
		"key {env.SCREENPOP_TEST_KEY}":   "pane: key: a key has at least 32 characters; make one with: openssl rand -base64 32, at Caddyfile:",
		"url {env.SCREENPOP_TEST_KEY}":   `pane: url: "too short" is not an origin`,
		"logo /nonexistent/logo.svg":     "pane: logo: can't be read: open /nonexistent/logo.svg: no such file or directory, at Caddyfile:",
	} {
		if err := g.load(crm.site("pane {\n\t\t" + option + "\n\t}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error:\n%v\nwant:\n%s", option, err, want)
		}
	}
	if adapted, err := adapt("http://127.0.0.1:1 {\n" + crm.site("pane {\n\t\tkey {env.SCREENPOP_TEST_KEY}\n\t}") + "\n}"); err != nil || strings.Contains(string(adapted), "too short") {
		t.Errorf("the key is in the adapted configuration (%v)", err)
	}
}

func TestPagesAreWhereTheAgentsBrowserReachesTheGateway(t *testing.T) {
	crm := newWebCRM(t, several)
	forwarded := http.Header{
		"Content-Type": {"application/json"}, "Origin": {localAgent}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"pop.example.com, proxy.lan"},
	}
	addressOf := func(g *gateway) string {
		return fmt.Sprint(g.request(http.MethodPost, "/", payload(nil), forwarded).field("url"))
	}
	g := serve(t, crm.site(""))
	if got := addressOf(g); !strings.HasPrefix(got, "http://"+g.address+"/pane/") {
		t.Errorf("anybody says where the gateway is: %s", got)
	}
	behind := serveWith(t, "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}", t.TempDir(), crm.site(""))
	if got := addressOf(behind); !strings.HasPrefix(got, "https://pop.example.com/pane/") {
		t.Errorf("a trusted proxy is not believed: %s", got)
	}
	named := serve(t, crm.site("pane {\n\t\turl https://crm-pop.example.com\n\t}"))
	if got := addressOf(named); !strings.HasPrefix(got, "https://crm-pop.example.com/pane/") {
		t.Errorf("the configured address is not used: %s", got)
	}
}

func TestPagesLiveBelowTheEndpoint(t *testing.T) {
	crm := newWebCRM(t, several)
	g := serve(t, crm.site("endpoint /pop"))
	got := g.request(http.MethodPost, "/pop", payload(nil), http.Header{"Content-Type": {"application/json"}, "Origin": {localAgent}})
	address := fmt.Sprint(got.field("url"))
	if !strings.HasPrefix(address, "http://"+g.address+"/pop/pane/chooser/") {
		t.Fatalf("answered %s", got.body)
	}
	g.open(address, nil).wantText(t, http.StatusOK, "Rosa Marín")
	g.open(strings.Replace(address, "/pop/", "/", 1), nil).want(t, http.StatusNotFound, "not ours")
}

func TestWithOriginsOpenToAllThePagesAreToo(t *testing.T) {
	crm := newWebCRM(t, several)
	g := serve(t, strings.Replace(crm.site(""), "origins "+localAgent, "origins *", 1))
	for origin, told := range map[string]string{"https://any.example.net": "https://any.example.net", "null": "", "": ""} {
		header := http.Header{"Content-Type": {"application/json"}}
		if origin != "" {
			header.Set("Origin", origin)
		}
		page := g.open(g.request(http.MethodPost, "/", payload(nil), header).field("url"), nil)
		page.wantText(t, http.StatusOK, `data-origin="`+told+`"`)
		if policy := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors *") {
			t.Errorf("policy %s", policy)
		}
	}
}

func TestWithoutThePaneItsAddressesAreOthers(t *testing.T) {
	crm := newWebCRM(t, several)
	storage := t.TempDir()
	g := serveWith(t, "", storage, crm.site("pane off"))
	g.call(nil).want(t, http.StatusOK, popupOf(crm.URL+"/contacts?q=0427466347"))
	for _, path := range []string{"/pane/chooser/x", "/call?number=0427466347"} {
		g.open(path, nil).want(t, http.StatusNotFound, "not ours")
	}
	if _, err := os.Stat(filepath.Join(storage, "screen_pop")); err == nil {
		t.Error("there are keys for nothing")
	}
	crm.finds(rosaAlone)
	crm.says("X-Frame-Options", "DENY")
	if err := g.load(crm.site("on one open {contact.url}\n\tpane off")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	// Still nobody gets a blank pane.
	g.call(nil).want(t, http.StatusOK, popupOf(crm.record("7")))
}

func TestAnAddressTellsNothingAndHoldsNoToken(t *testing.T) {
	crm := newWebCRM(t, "")
	g := serve(t, crm.site(""))
	got := g.call(nil)
	for _, secret := range []string{"0427466347", "33427466347", "Rosa", agentToken, agentToken[:20]} {
		if strings.Contains(got.body, secret) {
			t.Errorf("the answer has %q: %s", secret, got.body)
		}
	}
	page := g.open(got.field("url"), nil)
	g.become(page)
	if strings.Contains(page.body, agentToken[:20]) || strings.Contains(g.log(), "0427466347") || strings.Contains(g.log(), agentToken[:20]) {
		t.Error("the page or the log has the token or the number")
	}
}

func TestHostileDataFromCallAndCRMIsText(t *testing.T) {
	for i, bad := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			record, err := json.Marshal([]map[string]any{
				{"id": bad, "name": bad, "company": bad, "phone": "0427466347"}, {"id": "2" + bad, "name": bad, "company": bad, "phone": "04 27 46 63 47"},
			})
			if err != nil {
				t.Fatal(err)
			}
			g := serve(t, newWebCRM(t, string(record)).site(""))
			got := g.call(map[string]any{
				"queue": map[string]any{"name": bad, "displayName": bad}, "userData": map[string]any{bad: bad}, "callDataCallId": bad,
			})
			page := g.open(got.field("url"), nil)
			page.wantText(t, http.StatusOK, "Who is calling?")
			if strings.Count(page.body, "<script>") != 1 || strings.Contains(page.body, `href="javascript`) || strings.ContainsAny(page.body, "\u202e\x00") || len(page.body) > 30<<10 {
				t.Errorf("%d bytes:\n%s", len(page.body), page.body)
			}
		})
	}
}
