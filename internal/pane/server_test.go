package pane

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/seal"
)

const (
	agent = "https://xuc.example.com"
	key   = "an example of a secret, 32 chars or more"
)

// site is a server of pages, as an agent's browser sees it.
type site struct {
	t      testing.TB
	server *Server
	// found is what a lookup behind a page finds, and asked what was asked for.
	found Found
	asked []Visit
}

func serve(t testing.TB, change func(*Options)) *site {
	t.Helper()
	s := &site{t: t}
	region, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.Given(key)
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Endpoint: "/", Origins: []string{agent}, Region: region, Ring: ring, Lifetime: DefaultLifetime, Patience: DefaultPatience,
		Find: func(_ context.Context, again Visit, _ bool) Found {
			s.asked = append(s.asked, again)
			return s.found
		},
	}
	if change != nil {
		change(&options)
	}
	if s.server, err = New(options); err != nil {
		t.Fatal(err)
	}
	return s
}

// address is where a page about a visit is.
func (s *site) address(page Page, visit Visit) string {
	s.t.Helper()
	address, err := s.server.Address(s.t.Context(), "", page, visit)
	if err != nil {
		s.t.Fatal(err)
	}
	return address
}

// open asks for an address as a browser does; headers are names and values.
func (s *site) open(address string, headers ...string) document {
	s.t.Helper()
	return s.send(http.MethodGet, address, headers...)
}

func (s *site) send(method, address string, headers ...string) document {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, address, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return read(s.t, w)
}

// show opens a page about a visit.
func (s *site) show(page Page, visit Visit, headers ...string) document {
	s.t.Helper()
	return s.open(s.address(page, visit), headers...)
}

// document is a page as it came.
type document struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	root   *html.Node
}

func read(t testing.TB, w *httptest.ResponseRecorder) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return document{t, w.Code, w.Header(), w.Body.String(), root}
}

// all returns the elements of a name; "" is any.
func (d document) all(name string) []*html.Node {
	var found []*html.Node
	for node := range d.root.Descendants() {
		if node.Type == html.ElementNode && (name == "" || node.Data == name) {
			found = append(found, node)
		}
	}
	return found
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what a person reads of an element, in one line.
func text(node *html.Node) string {
	var b strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode && child.Parent.Data != "style" && child.Parent.Data != "script" {
			b.WriteString(child.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// text is what a person reads of the page's main part.
func (d document) text() string {
	d.t.Helper()
	main := d.all("main")
	if len(main) != 1 {
		d.t.Fatalf("%d main parts in:\n%s", len(main), d.body)
	}
	return text(main[0])
}

// link is where the link with a text leads; "" if there is none.
func (d document) link(label string) string {
	for _, a := range d.all("a") {
		if strings.Contains(text(a), label) {
			return attribute(a, "href")
		}
	}
	return ""
}

func (d document) want(status int, texts ...string) {
	d.t.Helper()
	if d.status != status {
		d.t.Errorf("status %d, want %d", d.status, status)
	}
	shown := d.text()
	for _, wanted := range texts {
		if !strings.Contains(shown, wanted) {
			d.t.Errorf("the page lacks %q:\n%s", wanted, shown)
		}
	}
}

func (d document) lacks(texts ...string) {
	d.t.Helper()
	for _, unwanted := range texts {
		if strings.Contains(d.body, unwanted) {
			d.t.Errorf("the page has %q:\n%s", unwanted, d.body)
		}
	}
}

// next is where a lookup says to go on.
func (d document) next() string {
	d.t.Helper()
	var answer struct{ Next string }
	if err := json.Unmarshal([]byte(d.body), &answer); err != nil || !strings.HasPrefix(d.header.Get("Content-Type"), "application/json") {
		d.t.Fatalf("%v: %s %s", err, d.header.Get("Content-Type"), d.body)
	}
	return answer.Next
}

// pageOf is the page that an address leads to.
func pageOf(address string) string {
	_, rest, _ := strings.Cut(address, "/pane/")
	page, _, _ := strings.Cut(rest, "/")
	return page
}

var (
	camille = Record{
		CRM: "crm", Kind: "contact", Name: "Camille Moreau", Company: "Moreau & Fils", Email: "camille@moreau.example", Matched: "04 27 46 63 47",
		Phones: []string{"+33 6 12 34 56 78"}, URL: "https://crm.example.com/contacts/7", MayFrame: true, Fields: []Field{{"city", "Lyon"}},
	}
	ana   = Record{CRM: "crm", Kind: "contact", Name: "Ana Costa", Company: "Switch SA", Matched: "04.27.46.63.47", URL: "https://crm.example.com/contacts/9"}
	luc   = Record{CRM: "crm", Kind: "lead", Name: "Luc Petit", Company: "Switch SA", Matched: "+33427466347"}
	other = Record{CRM: "crm", Kind: "account", Name: "Switch SA", Company: "Switch SA", Matched: "0427466347", URL: "https://crm.example.com/accounts/3", MayFrame: true}
)

func about(records ...Record) Visit {
	return Visit{
		Origin: agent, Gateway: "https://pop.example.com", Number: "+33427466347", Queue: "Blue sky", CRM: "crm", Records: records,
		Search: "https://crm.example.com/search?q=0427466347", Create: "https://crm.example.com/new?phone=%2B33427466347",
		Rule: "when 1", Call: json.RawMessage(`{"caller":"0427466347"}`),
	}
}

// everyPage are all pages that there are, with what they look like in the end.
func everyPage(s *site) map[string]document {
	s.found = Found{Visit: about(), Failed: []string{"crm"}}
	waiting := s.show(Waiting, about())
	unreachable := s.open(s.open(waitingFor(waiting), "Accept", "application/json").next())
	unknown := s.show(Unknown, about())
	uncertain := s.open(unknown.link("New contact"))
	s.found = Found{Visit: about(camille)}
	again := s.open(unknown.link("New contact"))
	return map[string]document{
		"chooser": s.show(Chooser, about(ana, luc, other, camille)), "card": s.show(Card, about(ana)), "frame": s.show(Frame, about(camille)),
		"unknown": unknown, "waiting": waiting, "unreachable": unreachable, "uncertain": uncertain, "found before creating": s.open(again.header.Get("Location")),
		"expired": s.open(expired(s)), "foreign": s.open("/pane/card/AAAA"),
	}
}

func waitingFor(d document) string {
	for _, node := range d.all("div") {
		if address := attribute(node, "data-wait"); address != "" {
			return address
		}
	}
	return ""
}

func expired(s *site) string {
	s.server.now = func() time.Time { return time.Now().Add(-time.Hour) }
	address := s.address(Card, about(camille))
	s.server.now = time.Now
	return address
}

func TestTheChooserShowsWhoItCouldBeAndWhy(t *testing.T) {
	s := serve(t, nil)
	d := s.show(Chooser, about(other, ana, camille, luc))
	d.want(http.StatusOK, "Who is calling?", "4 records have this number", "Camille Moreau", "matches 04 27 46 63 47", "Lead Luc Petit Switch SA matches +33427466347")
	var titles, names []string
	for _, node := range d.all("h2") {
		titles = append(titles, text(node))
	}
	for _, node := range d.all("bdi") {
		if attribute(node, "class") == "name" {
			names = append(names, text(node))
		}
	}
	// People of one company stand together, and companies below them.
	if strings.Join(titles, "|") != "Switch SA|People|Companies and others" || strings.Join(names, "|") != "Ana Costa|Luc Petit|Camille Moreau|Switch SA" {
		t.Errorf("%q with %q", titles, names)
	}
	d.lacks(`class="crm"`)
	abroad := camille
	abroad.CRM = "legacy"
	s.show(Chooser, about(ana, abroad)).want(http.StatusOK, "legacy")
}

func TestPickingARecordShowsIt(t *testing.T) {
	s := serve(t, nil)
	address := s.address(Chooser, about(ana, luc, camille))
	d := s.open(address)
	framed := s.open(address + d.link("Camille"))
	if frames := framed.all("iframe"); len(frames) != 1 || attribute(frames[0], "src") != camille.URL {
		t.Errorf("Camille's page is not framed:\n%s", framed.body)
	}
	// Luc has no page in the CRM.
	s.open(address+d.link("Luc")).want(http.StatusOK, "Luc Petit", "Switch SA")
	// Ana's may not be framed: it opens in a tab, and her card stays in the pane.
	if d.link("Ana") != ana.URL {
		t.Errorf("Ana is at %s", d.link("Ana"))
	}
	for _, a := range d.all("a") {
		if strings.Contains(text(a), "Ana") {
			if attribute(a, "target") != "_blank" || !strings.Contains(attribute(a, "rel"), "noopener") {
				t.Errorf("the link is %v", a.Attr)
			}
			s.open(address+attribute(a, "data-then")).want(http.StatusOK, "Ana Costa", "Open in a new tab")
		}
	}
	for _, wrong := range []string{"3", "-1", "x", "99999999999999999999"} {
		s.open(address+"?record="+wrong).want(http.StatusNotFound, "not valid")
	}
}

func TestACardShowsWhatIsKnown(t *testing.T) {
	s := serve(t, nil)
	d := s.show(Card, about(camille))
	d.want(http.StatusOK, "Contact · crm", "Camille Moreau", "matches 04 27 46 63 47", "Moreau & Fils", "camille@moreau.example", "+33 6 12 34 56 78", "city Lyon")
	for label, address := range map[string]string{
		"04 27 46 63 47": "tel:+33427466347", "+33 6 12 34 56 78": "tel:+33612345678", "camille@": "mailto:camille@moreau.example",
	} {
		if d.link(label) != address {
			t.Errorf("%s leads to %s", label, d.link(label))
		}
	}
	copies := 0
	for _, button := range d.all("button") {
		if _, done := strings.CutPrefix(attribute(button, "aria-label"), "Copy "); done && text(button.Parent.FirstChild) != "" {
			copies++
		}
	}
	if copies != 5 {
		t.Errorf("%d things can be copied", copies)
	}
	if page := pageOf(d.link("Open in the CRM")); page != "frame" {
		t.Errorf("Camille's page opens at %s", page)
	}
	if d := s.show(Card, about(ana)); d.link("Open in a new tab") != ana.URL {
		t.Error("Ana's page, which may not be framed, can't be opened")
	}
	s.show(Card, about(luc)).lacks("Open in")
	s.show(Card, about()).want(http.StatusNotFound, "Nothing to show")
}

func TestTheFrameHasTheCRMsPageAndABar(t *testing.T) {
	s := serve(t, nil)
	d := s.show(Frame, about(camille))
	frames := d.all("iframe")
	if len(frames) != 1 || attribute(frames[0], "src") != camille.URL || attribute(frames[0], "title") == "" {
		t.Fatalf("frames in:\n%s", d.body)
	}
	// Not even a page that breaks out of frames takes the agent application away.
	sandbox := strings.Fields(attribute(frames[0], "sandbox"))
	if len(sandbox) == 0 || strings.Contains(attribute(frames[0], "sandbox"), "top-navigation") {
		t.Errorf("sandbox %q", sandbox)
	}
	if bar := text(d.all("header")[0]); !strings.Contains(bar, "04 27 46 63 47") || !strings.Contains(bar, "Blue sky") || !strings.Contains(bar, "Done") {
		t.Errorf("the bar says %q", bar)
	}
	if !strings.HasSuffix(d.header.Get("Content-Security-Policy"), "; frame-src https:") {
		t.Errorf("policy %s", d.header.Get("Content-Security-Policy"))
	}
	plain := camille
	plain.URL = "http://crm.lan/7"
	if d := s.show(Frame, about(plain)); !strings.HasSuffix(d.header.Get("Content-Security-Policy"), "; frame-src http: https:") {
		t.Errorf("policy %s", d.header.Get("Content-Security-Policy"))
	}
	if d := s.show(Frame, about(luc)); len(d.all("iframe")) != 0 {
		t.Error("a record without a page is an empty frame")
	}
}

func TestEveryPageCanBeLeft(t *testing.T) {
	for name, d := range everyPage(serve(t, nil)) {
		var done []string
		for _, button := range d.all("button") {
			for _, a := range button.Attr {
				if a.Key == "data-done" {
					done = append(done, text(button))
				}
			}
		}
		want := "Done"
		if name == "expired" || name == "foreign" {
			want = "Close"
		}
		if strings.Join(done, "") != want {
			t.Errorf("%s can be left by %q", name, done)
		}
		// Done tells the agent application, and nobody else.
		if origin := attribute(d.all("html")[0], "data-origin"); origin != agent && want == "Done" {
			t.Errorf("%s tells %q", name, origin)
		}
	}
}

func TestAnUnknownCallerCanBeSearchedForAndCreated(t *testing.T) {
	s := serve(t, nil)
	d := s.show(Unknown, about())
	d.want(http.StatusOK, "Unknown caller", "No CRM knows this number.")
	if d.link("Search in the CRM") != "https://crm.example.com/search?q=0427466347" || pageOf(d.link("New contact")) != "create" {
		t.Errorf("links in:\n%s", d.body)
	}
	if len(s.asked) != 0 {
		t.Error("the CRM was asked before anybody clicked")
	}
	d.lacks("crm.example.com/new")
	bare := about()
	bare.Search, bare.Create = "", ""
	s.show(Unknown, bare).lacks("<a ")
	s.open(strings.Replace(s.address(Unknown, bare), "unknown", "create", 1)).want(http.StatusNotFound)
}

func TestCreatingLooksAgainFirst(t *testing.T) {
	s := serve(t, nil)
	create := s.show(Unknown, about()).link("New contact")

	s.found = Found{Visit: about(), Certain: true}
	if d := s.open(create); d.status != http.StatusSeeOther || d.header.Get("Location") != about().Create {
		t.Errorf("status %d to %s", d.status, d.header.Get("Location"))
	}
	if len(s.asked) != 1 || s.asked[0].Number != "+33427466347" || s.asked[0].Rule != "when 1" || string(s.asked[0].Call) != `{"caller":"0427466347"}` {
		t.Errorf("asked %+v", s.asked)
	}

	s.found = Found{Visit: about(camille)}
	d := s.open(create)
	if d.status != http.StatusSeeOther || pageOf(d.header.Get("Location")) != "chooser" {
		t.Fatalf("status %d to %s", d.status, d.header.Get("Location"))
	}
	s.open(d.header.Get("Location")).want(http.StatusOK, "Somebody has this number by now:", "Camille Moreau")

	s.found = Found{Visit: about(), Failed: []string{"crm"}}
	d = s.open(create)
	d.want(http.StatusOK, "The CRM could not be asked again.", "Could not be asked: crm")
	if d.link("Try again") != create || d.link("Create it nevertheless") != about().Create {
		t.Errorf("links in:\n%s", d.body)
	}
}

func TestTheWaitingPageBecomesWhatIsFound(t *testing.T) {
	for _, test := range []struct {
		found Found
		page  string
		says  string
	}{
		{Found{Visit: about(camille)}, "frame", "04 27 46 63 47"},
		{Found{Visit: about(ana)}, "card", "Ana Costa"},
		{Found{Visit: about(luc)}, "card", "Luc Petit"},
		{Found{Visit: about(ana, luc)}, "chooser", "Who is calling?"},
		{Found{Visit: about(ana, luc), Failed: []string{"legacy"}}, "chooser", "Who is calling?"},
		{Found{Visit: about(), Certain: true}, "unknown", "Unknown caller"},
		{Found{Visit: about(), Failed: []string{"legacy", "crm"}}, "unreachable", "Could not be asked: legacy"},
	} {
		t.Run(test.page, func(t *testing.T) {
			s := serve(t, nil)
			s.found = test.found
			d := s.show(Waiting, about())
			d.want(http.StatusOK, "Looking up the caller…")
			if len(s.asked) != 0 {
				t.Error("the page itself waits for the CRM")
			}
			next := s.open(waitingFor(d), "Accept", "application/json").next()
			if pageOf(next) != test.page || len(s.asked) != 1 {
				t.Errorf("it becomes %s, asked %d times", pageOf(next), len(s.asked))
			}
			if shown := s.open(next); shown.status != http.StatusOK || !strings.Contains(shown.body, test.says) {
				t.Errorf("status %d:\n%s", shown.status, shown.body)
			}
			// A browser without JavaScript follows the button.
			if d := s.open(waitingFor(d), "Accept", "text/html"); d.status != http.StatusSeeOther || pageOf(d.header.Get("Location")) != test.page {
				t.Errorf("without JavaScript: %d %s", d.status, d.header.Get("Location"))
			}
		})
	}
}

func TestWhoCouldNotBeAskedForIsNeverCalledUnknown(t *testing.T) {
	s := serve(t, nil)
	pages := everyPage(s)
	for _, name := range []string{"unreachable", "uncertain", "waiting"} {
		pages[name].lacks("Unknown caller", "No CRM knows this number")
	}
	d := pages["unreachable"]
	d.want(http.StatusOK, "The caller could not be looked up", "This does not mean that the caller is unknown.", "Could not be asked: crm")
	if retry := d.link("Try again"); pageOf(retry) != "waiting" || pageOf(waitingFor(s.open(retry))) != "result" {
		t.Errorf("another attempt is at %s", retry)
	}
	d.lacks(`New contact`)
}

func TestALookupBehindAPageEndsWhenPatienceDoes(t *testing.T) {
	var left time.Duration
	s := serve(t, func(o *Options) {
		o.Patience = time.Minute
		o.Find = func(ctx context.Context, again Visit, _ bool) Found {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return Found{Visit: again, Failed: []string{"crm"}}
		}
	})
	s.open(waitingFor(s.show(Waiting, about())))
	if left <= 0 || left > time.Minute {
		t.Errorf("it has %s", left)
	}
}

// changed has another last character.
func changed(address string) string {
	last := len(address) - 1
	if address[last] == 'A' {
		return address[:last] + "B"
	}
	return address[:last] + "A"
}

func TestALinkThatIsNoLongerGoodSaysSo(t *testing.T) {
	s := serve(t, nil)
	good := s.address(Card, about(camille))
	stranger := serve(t, func(o *Options) {
		ring, err := seal.Given("another secret that is long enough too")
		if err != nil {
			t.Fatal(err)
		}
		o.Ring = ring
	})
	for name, test := range map[string]struct {
		address string
		status  int
		says    string
	}{
		"expired":         {expired(s), http.StatusGone, "This page is out of date"},
		"changed":         {changed(good), http.StatusNotFound, "This link is not valid"},
		"cut":             {good[:len(good)/2], http.StatusNotFound, "This link is not valid"},
		"empty":           {"/pane/card/", http.StatusNotFound, "This link is not valid"},
		"another page's":  {strings.Replace(good, "card", "frame", 1), http.StatusNotFound, "This link is not valid"},
		"another key's":   {stranger.address(Card, about(camille)), http.StatusNotFound, "This link is not valid"},
		"no page":         {"/pane/admin/x", http.StatusNotFound, "This link is not valid"},
		"longer than any": {"/pane/card/" + strings.Repeat("A", 1<<18), http.StatusNotFound, "This link is not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			d := s.open(test.address)
			d.t = t
			d.want(test.status, test.says)
			d.lacks("Camille", "Moreau", "0427466347")
		})
	}
}

func TestAPageOfOneMachineIsServedByAnother(t *testing.T) {
	one, other := serve(t, nil), serve(t, nil)
	other.open(one.address(Card, about(camille))).want(http.StatusOK, "Camille Moreau")
}

func TestPagesLiveBelowTheEndpoint(t *testing.T) {
	for endpoint, prefix := range map[string]string{"/": "/pane/card/", "/pop": "/pop/pane/card/", "/pop/": "/pop/pane/card/"} {
		s := serve(t, func(o *Options) { o.Endpoint = endpoint })
		address, err := s.server.Address(t.Context(), "https://pop.example.com", Card, about(camille))
		path, found := strings.CutPrefix(address, "https://pop.example.com")
		if err != nil || !found || !strings.HasPrefix(path, prefix) || !s.server.Owns(path) {
			t.Errorf("at %s: %s, %v", endpoint, address, err)
		}
		s.open(path).want(http.StatusOK, "Camille Moreau")
	}
}

func TestOnlyGETAndHEADAreAnswered(t *testing.T) {
	s := serve(t, nil)
	address := s.address(Card, about(camille))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if d := s.send(method, address); d.status != http.StatusMethodNotAllowed || d.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, d.status, d.header.Get("Allow"))
		}
	}
	if d := s.send(http.MethodHead, address); d.status != http.StatusOK || d.body != "" || !strings.HasPrefix(d.header.Get("Content-Type"), "text/html") {
		t.Errorf("HEAD: %d %q", d.status, d.body)
	}
}

// A call holds what a dialplan attached; only a page that looks the caller up
// again needs it.
func TestACallTravelsOnlyWhereItIsLookedUpAgain(t *testing.T) {
	s := serve(t, nil)
	for page, carried := range map[Page]bool{Chooser: false, Card: false, Frame: false, Unknown: true, Waiting: true} {
		path, _ := url.PathUnescape(s.address(page, about(camille)))
		content, err := s.server.open(t.Context(), string(page), path[strings.LastIndex(path, "/")+1:])
		if err != nil || (content.Call != nil) != carried {
			t.Errorf("%s: %s, %v", page, content.Call, err)
		}
	}
}
