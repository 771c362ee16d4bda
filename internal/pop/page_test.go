package pop

import (
	"errors"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// fakePages are our pages in a browser that can do what its fields say.
type fakePages struct {
	mayFrame, sameSite bool
	failing            error
	// asked are the pages that it was asked about.
	asked []string
}

func (p *fakePages) Address(page string, _ *Situation) (string, error) {
	if p.failing != nil {
		return "", p.failing
	}
	return "https://pop.example/pane/" + page + "/x", nil
}

func (p *fakePages) MayFrame(address string) bool {
	p.asked = append(p.asked, address)
	return p.mayFrame
}

func (p *fakePages) IsSameSite(string) bool { return p.sameSite }

var allPages = []string{"chooser", "card", "frame", "unknown", "waiting"}

// paged is the answer of a definition where there are pages of our own.
func paged(t *testing.T, definition Definition, s Situation, browser *fakePages, change func(*Options)) (string, error) {
	t.Helper()
	options := siteOptions(t)
	options.Pages = allPages
	if change != nil {
		change(&options)
	}
	compiled, err := Compile(definition, options)
	if err != nil {
		t.Fatal(err)
	}
	s.Pages = browser
	answer, failed := compiled.For(&s.Call).Answer(&s)
	text, err := answer.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), failed
}

func opens(page string) string {
	return `{"action":"open","event":"EventRinging","url":"https://pop.example/pane/` + page + `/x"}`
}

const popsUp = `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7"}`

func TestOurPagesAreTheDefaults(t *testing.T) {
	for outcome, want := range map[Outcome]string{
		One: opens("frame"), Many: opens("chooser"), None: opens("unknown"), Unreachable: opens("waiting"), Withheld: nothing, Internal: nothing,
	} {
		got, err := paged(t, Definition{}, situation(t, outcome), &fakePages{mayFrame: true, sameSite: true}, nil)
		if got != want || err != nil {
			t.Errorf("on %s: %s, %v", outcome, got, err)
		}
	}
}

func TestAPageThatIsNotUsedIsNoDefault(t *testing.T) {
	only := func(o *Options) { o.Pages = []string{"waiting"} }
	for outcome, want := range map[Outcome]string{
		One: popsUp, Many: `{"action":"popup","event":"EventRinging","url":"https://crm.example/search?q=04"}`, None: nothing, Unreachable: opens("waiting"),
	} {
		if got, err := paged(t, Definition{}, situation(t, outcome), &fakePages{mayFrame: true, sameSite: true}, only); got != want || err != nil {
			t.Errorf("on %s: %s, %v", outcome, got, err)
		}
	}
}

func TestAPageThatWouldStayBlankOpensElsewhere(t *testing.T) {
	card := func(o *Options) { o.Refused = "card" }
	cardless := func(o *Options) { o.Refused, o.Pages = "card", []string{"frame"} }
	explicit := on(One, Response{Action: "open", URL: "{pane.frame}"})
	direct := on(One, Response{Action: "open", URL: "{contact.url}"})
	for name, test := range map[string]struct {
		definition Definition
		browser    fakePages
		change     func(*Options)
		want       string
	}{
		"it refuses":                              {Definition{}, fakePages{sameSite: true}, nil, popsUp},
		"it refuses, and cards are wanted":        {Definition{}, fakePages{sameSite: true}, card, opens("card")},
		"it refuses, and there is no card":        {Definition{}, fakePages{sameSite: true}, cardless, popsUp},
		"its cookies would be missing":            {Definition{}, fakePages{mayFrame: true}, nil, popsUp},
		"they would, but the frame is asked for":  {explicit, fakePages{mayFrame: true}, nil, opens("frame")},
		"the frame is asked for, and it refuses":  {explicit, fakePages{}, nil, popsUp},
		"the page is asked for":                   {direct, fakePages{mayFrame: true}, nil, `{"action":"open","event":"EventRinging","url":"https://crm.example/c/7"}`},
		"the page is asked for, and it refuses":   {direct, fakePages{}, nil, popsUp},
		"the page is asked for, cards are wanted": {direct, fakePages{}, card, opens("card")},
		"a frame in a popup":                      {on(One, Response{Action: "popup", URL: "{pane.frame}"}), fakePages{mayFrame: true}, nil, strings.Replace(opens("frame"), "open", "popup", 1)},
		"a frame in a popup, and it refuses":      {on(One, Response{Action: "popup", URL: "{pane.frame}"}), fakePages{}, nil, popsUp},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := paged(t, test.definition, situation(t, One), &test.browser, test.change); got != test.want || err != nil {
				t.Errorf("%s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

// The pane that a popup stands in for would have paused the agent; nothing would
// end that pause.
func TestAPopupInsteadOfThePaneDoesNotPause(t *testing.T) {
	definition := on(One, Response{Action: "open", URL: "{contact.url}", Title: "{contact.name}", Event: "EventEstablished", Autopause: yes()})
	got, err := paged(t, definition, situation(t, One), &fakePages{}, nil)
	if got != `{"action":"popup","event":"EventEstablished","url":"https://crm.example/c/7","title":"Rosa Marín"}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOptionsOnTheirOwnKeepTheDefaultPage(t *testing.T) {
	definition := on(One, Response{Title: "{contact.name}", Autopause: yes(), AutopauseReason: "wrapup"})
	got, err := paged(t, definition, situation(t, One), &fakePages{mayFrame: true, sameSite: true}, nil)
	if got != `{"action":"open","event":"EventRinging","url":"https://pop.example/pane/frame/x","title":"Rosa Marín","autopause":true,"autopauseReason":"wrapup"}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	// It stays the default: of another site's page the agent would see a login.
	if got, _ := paged(t, definition, situation(t, One), &fakePages{mayFrame: true}, nil); !strings.HasPrefix(got, `{"action":"popup"`) {
		t.Errorf("%s", got)
	}
}

func TestOurOwnPagesNeedNobodysLeave(t *testing.T) {
	browser := &fakePages{}
	for outcome, page := range map[Outcome]string{Many: "chooser", None: "unknown", Unreachable: "waiting", One: "card"} {
		got, err := paged(t, on(outcome, Response{Action: "open", URL: "{pane." + page + "}"}), situation(t, outcome), browser, nil)
		if got != opens(page) || err != nil {
			t.Errorf("on %s: %s, %v", outcome, got, err)
		}
	}
	if len(browser.asked) != 0 {
		t.Errorf("asked about %q", browser.asked)
	}
}

func TestTheSiteIsLookedAtBeforeTheCRMIsAsked(t *testing.T) {
	browser := &fakePages{mayFrame: true}
	if got, _ := paged(t, Definition{}, situation(t, One), browser, nil); got != popsUp || len(browser.asked) != 0 {
		t.Errorf("%s, asked about %q", got, browser.asked)
	}
}

func TestARecordWithoutAPageThatCanBeOpenedIsACard(t *testing.T) {
	for _, address := range []string{"", "javascript:alert(1)", "data:text/html,x", "//evil.example", "https://crm.example/ \\@evil.example"} {
		s := situation(t, One)
		s.Records = []crm.Record{{Kind: "contact", ID: "7", Name: "Rosa Marín", URL: address}}
		browser := &fakePages{mayFrame: true, sameSite: true}
		if got, err := paged(t, Definition{}, s, browser, nil); got != opens("card") || err != nil {
			t.Errorf("%q: %s, %v", address, got, err)
		}
		if len(browser.asked) != 0 {
			t.Errorf("asked about %q", browser.asked)
		}
		got, err := paged(t, Definition{}, s, browser, func(o *Options) { o.Pages = []string{"frame"} })
		if got != nothing || err == nil || !strings.Contains(err.Error(), "the record's page can't be opened") {
			t.Errorf("%q without cards: %s, %v", address, got, err)
		}
	}
}

func TestAPageOfOursThatCanNotBeMadeIsSaidAndTheCRMsOpensInstead(t *testing.T) {
	for outcome, want := range map[Outcome]string{
		One:  `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7"}`,
		Many: `{"action":"popup","event":"EventRinging","url":"https://crm.example/search?q=04"}`,
		None: nothing, Unreachable: nothing,
	} {
		browser := &fakePages{mayFrame: true, sameSite: true, failing: errors.New("the storage has not answered")}
		got, err := paged(t, Definition{}, situation(t, outcome), browser, nil)
		if got != want || err == nil || !strings.Contains(err.Error(), "the storage has not answered") {
			t.Errorf("on %s: %s, %v", outcome, got, err)
		}
	}
}

func TestMistakesWithPages(t *testing.T) {
	for _, test := range []struct {
		outcome Outcome
		pages   []string
		want    string
	}{
		{Many, allPages, "on many: url: bad placeholder {pane.card}: the outcome many has no page card; it has {pane.chooser}"},
		{Withheld, allPages, "on withheld: url: bad placeholder {pane.card}: the outcome withheld has no page of ours"},
		{Unreachable, []string{"chooser"}, "on unreachable: url: bad placeholder {pane.card}: the outcome unreachable has no page of ours"},
		{One, []string{"frame"}, "on one: url: bad placeholder {pane.card}: pane leaves the page card out"},
	} {
		options := siteOptions(t)
		options.Pages = test.pages
		_, err := Compile(on(test.outcome, Response{Action: "open", URL: "{pane.card}"}), options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v\nwant  %s", err, test.want)
		}
	}
}
