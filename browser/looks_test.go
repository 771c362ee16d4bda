package browser

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// An ownPage is one of the gateway's pages at its address, so that it can be
// looked at by itself.
type ownPage struct {
	name, address string
	// heading is what it says in English and in French; of the frame, the CRM's
	// page says it.
	heading [2]string
	// mood is what the demo CRM is in while the page is opened.
	mood string
	// referrer is the page that sends the browser there.
	referrer string
}

// ownPages finds all of them through the simulator, as an agent would.
func ownPages(t *testing.T) []ownPage {
	t.Helper()
	s := openSimulator(t)
	defer setMood(t, "normal")
	s.expectProblem("the server responded with a status of")
	shown := func(button, heading string) string {
		s.show(button)
		s.pane().waitForText("h1", heading)
		return s.pane().url()
	}
	chooser := shown("Chooser", "Who is calling?")
	card := shown("Card", "Papeterie du Rhin")
	unknown := shown("Unknown caller", "Unknown caller")
	create, err := ask[string](s.pane(), `document.querySelector('a[href*="/create/"]').href`)
	s.must(err)
	s.show("Record")
	s.record().waitForText("#name", "Camille Moreau")
	frame := s.pane().url()
	unreachable := shown("Could not ask", "The caller could not be looked up")
	waiting := s.read("#pane-frame", "src")
	expired := shown("Expired link", "This page is out of date")
	changed := shown("Changed link", "This link is not valid")
	setMood(t, "slow")
	s.click("#hangup")
	s.ring("refused")
	s.pane().waitForText("h1", "Solène Kerbrat")
	refusing := s.pane().url()

	landing := "http://" + running.Gateway + "/call?number=1013"
	return []ownPage{
		{name: "chooser", address: chooser, heading: [2]string{"Who is calling?", "Qui appelle ?"}},
		{name: "card", address: card, heading: [2]string{"Papeterie du Rhin", "Papeterie du Rhin"}},
		{name: "card-in-tab", address: refusing, heading: [2]string{"Solène Kerbrat", "Solène Kerbrat"}},
		{name: "frame", address: frame},
		{name: "unknown", address: unknown, heading: [2]string{"Unknown caller", "Appelant inconnu"}},
		{name: "waiting", address: waiting, heading: [2]string{"Looking up the caller…", "Recherche de l’appelant…"}},
		{name: "unreachable", address: unreachable, heading: [2]string{"The caller could not be looked up", "L’appelant n’a pas pu être recherché"}},
		{name: "uncertain", address: create, mood: "down", heading: [2]string{"The caller could not be looked up", "L’appelant n’a pas pu être recherché"}},
		{name: "expired", address: expired, heading: [2]string{"This page is out of date", "Cette page est périmée"}},
		{name: "changed", address: changed, heading: [2]string{"This link is not valid", "Ce lien n’est pas valable"}},
		{name: "nothing", address: landing, heading: [2]string{"Nothing to show", "Rien à afficher"}},
		{name: "refused", address: landing, referrer: "http://elsewhere.example/", heading: [2]string{"This page is not for you", "Cette page n’est pas pour vous"}},
	}
}

// A look is how an agent's browser shows a page.
type look struct {
	language, scheme string
	width            int64
}

func (l look) String() string { return fmt.Sprintf("%s-%s-%d", l.language, l.scheme, l.width) }

// looks are all that are tested: the narrowest pane that there is, and a screen.
func looks() []look {
	var all []look
	for _, language := range []string{"en", "fr"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1280} {
				all = append(all, look{language, scheme, width})
			}
		}
	}
	return all
}

// open shows the page in a tab of its own. The waiting page is kept waiting: what
// it asks for is held back.
func (p ownPage) open(t *testing.T, l look) *simulator {
	t.Helper()
	setMood(t, "normal")
	if p.mood != "" {
		t.Cleanup(func() { setMood(t, "normal") })
		setMood(t, p.mood)
	}
	s := openTab(t)
	s.expectProblem("the server responded with a status of")
	s.look(l.scheme, l.width)
	_, err := chromedp.Call(s.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
		Headers: network.Headers{"Accept-Language": l.language + ";q=0.9"},
	})
	s.must(err)
	_, err = chromedp.Call(s.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/pane/result/*"}}})
	s.must(err)
	_, err = chromedp.Call(s.ctx, page.Navigate, page.NavigateParams{URL: p.address, Referrer: p.referrer})
	s.must(err)
	if p.name == "frame" {
		s.pane().waitForText("#name", "Camille Moreau")
		return s
	}
	heading := p.heading[0]
	if l.language == "fr" {
		heading = p.heading[1]
	}
	s.top().waitForText("h1", heading)
	return s
}

// The pictures are for people: they are written, and looked at, not compared.
func TestOwnPagesLookRight(t *testing.T) {
	axe := readAxe(t)
	folder := screenshots(t)
	for _, p := range ownPages(t) {
		for _, l := range looks() {
			t.Run(p.name+"/"+l.String(), func(t *testing.T) {
				s := p.open(t, l)
				s.picture(filepath.Join(folder, "page-"+p.name+"-"+l.String()+".png"))
				s.expectAccessible(axe)
				s.expectOneRequest(p)
			})
		}
	}
}

func readAxe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AXE")
	if path == "" {
		t.Fatal("AXE is not set: it is the path of axe-core's axe.min.js")
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// expectAccessible runs every rule of axe-core over the tab's page.
func (s *simulator) expectAccessible(axe string) {
	s.t.Helper()
	violations, err := ask[[]string](s.top(), axe+`;
		axe.run(document, {iframes: false, resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})
			.then((results) => results.violations.flatMap(({id, nodes}) =>
				nodes.map(({target, failureSummary}) => id + ': ' + target.join(' ') + ': ' + failureSummary)))`)
	s.must(err)
	for _, violation := range violations {
		s.t.Errorf("not accessible: %s", violation)
	}
}

// expectOneRequest checks that everything came in one response: an agent's line
// may be a slow one.
func (s *simulator) expectOneRequest(p ownPage) {
	s.t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var own []string
	for _, event := range s.requests {
		if hostOf(event.Request.URL) == running.Gateway && !strings.Contains(event.Request.URL, "/pane/result/") {
			own = append(own, event.Request.URL)
		}
	}
	if len(own) != 1 {
		s.t.Errorf("%s took the requests %v, want one", p.name, own)
	}
}

func TestOwnPagesAreSmall(t *testing.T) {
	const most = 30_000
	for _, p := range ownPages(t) {
		if p.mood != "" {
			setMood(t, p.mood)
		}
		response, err := http.Get(p.address)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := httputil.DumpResponse(response, true)
		setMood(t, "normal")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", p.name, len(whole))
		if len(whole) > most {
			t.Errorf("%s has %d bytes, want at most %d", p.name, len(whole), most)
		}
	}
}

func TestEverythingOnOwnPagesIsReachedWithTheKeyboard(t *testing.T) {
	for _, p := range ownPages(t) {
		for _, width := range []int64{320, 1280} {
			t.Run(fmt.Sprintf("%s/%d", p.name, width), func(t *testing.T) {
				s := p.open(t, look{"en", "light", width})
				want := controls(s)
				if len(want) == 0 {
					t.Fatal("the page has nothing to press, not even Done")
				}
				for _, control := range want {
					s.press(kb.Tab)
					s.expectFocus(control)
				}
			})
		}
	}
}

// controls lists what can be pressed, in the order of the page. Inside the CRM's
// page the keyboard is the CRM's.
func controls(s *simulator) []string {
	s.t.Helper()
	found, err := ask[[]string](s.top(), `[...document.querySelectorAll('a[href], button, iframe')]
		.filter((each) => each.checkVisibility()).map((each) => each.outerHTML)`)
	s.must(err)
	return found
}

// expectFocus checks what has the focus, that it shows, and that it is large
// enough and in view.
func (s *simulator) expectFocus(want string) {
	s.t.Helper()
	focused, err := ask[struct {
		HTML          string
		Outline, Size float64
		Left, Right   float64
		Width         float64
	}](s.top(), `(() => {
		const element = document.activeElement;
		const style = getComputedStyle(element);
		const box = element.getBoundingClientRect();
		return {
			HTML: element.outerHTML, Outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
			Size: Math.min(box.width, box.height), Left: box.left, Right: box.right, Width: innerWidth,
		};
	})()`)
	s.must(err)
	switch {
	case focused.HTML != want:
		s.t.Fatalf("Tab leads to %.300s, want %.300s", focused.HTML, want)
	case focused.Outline < 2 && !strings.HasPrefix(want, "<iframe"):
		s.t.Errorf("the focus does not show on %s", want)
	case focused.Size < 24:
		s.t.Errorf("%s is only %.0f pixels large", want, focused.Size)
	case focused.Left < 0 || focused.Right > focused.Width:
		s.t.Errorf("%s is out of view: from %.0f to %.0f of %.0f", want, focused.Left, focused.Right, focused.Width)
	}
}
