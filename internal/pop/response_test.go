package pop

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

const nothing = `{"action":"none"}`

func TestWithoutRulesTheRecordOrTheSearchPopsUp(t *testing.T) {
	for outcome, want := range map[Outcome]string{
		One:         `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7"}`,
		Many:        `{"action":"popup","event":"EventRinging","url":"https://crm.example/search?q=04"}`,
		None:        nothing,
		Withheld:    nothing,
		Internal:    nothing,
		Unreachable: nothing,
	} {
		expect(t, Definition{}, outcome, want)
	}
}

func TestEveryOutcomeCanHaveAnAnswerOfItsOwn(t *testing.T) {
	for _, outcome := range Outcomes() {
		own := on(outcome, Response{Action: "open", URL: "https://own.example/" + string(outcome)})
		for _, other := range Outcomes() {
			got, err := answered(t, own, situation(t, other))
			if isOwn := strings.Contains(got, "own.example"); isOwn != (other == outcome) || err != nil {
				t.Errorf("on %s with one for %s: %s, %v", other, outcome, got, err)
			}
		}
	}
}

func TestEveryActionIsAnsweredWithWhatItCanUse(t *testing.T) {
	for _, test := range []struct {
		response Response
		want     string
	}{
		{Response{Action: "none"}, nothing},
		{
			Response{Action: "open", URL: "https://gw.example/", Event: "EventReleased", Title: "Report", Autopause: yes(), AutopauseReason: "wrapup"},
			`{"action":"open","event":"EventReleased","url":"https://gw.example/","title":"Report","autopause":true,"autopauseReason":"wrapup"}`,
		},
		{
			Response{Action: "open", URL: "https://gw.example/", Autopause: yes()},
			`{"action":"open","event":"EventRinging","url":"https://gw.example/","autopause":true}`,
		},
		{
			Response{Action: "open", URL: "https://gw.example/", Autopause: no()},
			`{"action":"open","event":"EventRinging","url":"https://gw.example/"}`,
		},
		{
			Response{Action: "popup", URL: "https://gw.example/", Event: "EventEstablished", Multitab: yes()},
			`{"action":"popup","event":"EventEstablished","url":"https://gw.example/","multitab":true}`,
		},
		{
			Response{Action: "popup", URL: "https://gw.example/", Multitab: no()},
			`{"action":"popup","event":"EventRinging","url":"https://gw.example/"}`,
		},
		{
			Response{Action: "run", URL: `C:\Erp\erp.exe`, Args: []string{"--phone", "{number.national}"}, Title: "ERP"},
			`{"action":"run","event":"EventRinging","url":"C:\\Erp\\erp.exe","title":"ERP","executableArgs":["--phone","0427466347"]}`,
		},
	} {
		expect(t, on(One, test.response), One, test.want)
	}
}

func TestWhatCanBeSaidOfACall(t *testing.T) {
	for text, want := range map[string]string{
		"{call.queue.displayName} {call.userData.USR_LEVEL}": "Blue sky gold",
		"{call.did} {number.spaced}":                         "0123053012 04 27 46 63 47",
		"{contact.name} ({contact.company}) {contact.vip}":   "Rosa Marín (ACME) yes",
		"{contact.kind} {contact.id} {contact.email}":        "contact 7 rosa@acme.example",
		"{contact.branch}-{contact.count}":                   "-1",
		"{crm.name} {crm.url} {crm.search_url}":              "espo https://crm.example https://crm.example/search?q=04",
		"{env.CRM} {crm.create_url}":                         "https://set.example https://crm.example/new",
	} {
		s := situation(t, One)
		answer, err := rules(t, on(One, Response{Title: text})).For(&s.Call).Answer(&s)
		if popup, ok := answer.(xucmgt.Popup); err != nil || !ok || popup.Title != want {
			t.Errorf("%s = %+v, %v", text, answer, err)
		}
	}
	expect(t, on(Many, Response{Title: "{contact.count} records"}), Many,
		`{"action":"popup","event":"EventRinging","url":"https://crm.example/search?q=04","title":"3 records"}`)
	expect(t, on(None, Response{Action: "popup", URL: "{crm.create_url}", Title: "{contact.count}"}), None,
		`{"action":"popup","event":"EventRinging","url":"https://crm.example/new","title":"0"}`)
}

func TestValuesAreEncodedInAnAddress(t *testing.T) {
	expect(t, on(One, Response{URL: "{env.CRM}/x/{contact.name}?q={number.e164}&l={contact.url}"}), One,
		`{"action":"popup","event":"EventRinging","url":"https://set.example/x/Rosa%20Mar%C3%ADn?q=%2B33427466347&l=https%3A%2F%2Fcrm.example%2Fc%2F7"}`)
}

func TestARuleFallsBackToTheOutsideFieldByField(t *testing.T) {
	open := on(One, Response{Action: "open", URL: "https://out.example/", Event: "EventEstablished", Title: "Out", Autopause: yes(), AutopauseReason: "wrapup"})
	popup := on(One, Response{URL: "https://out.example/", Event: "EventEstablished", Title: "Out", Multitab: yes()})
	run := on(One, Response{Action: "run", URL: "out.exe", Args: []string{"--out"}, Title: "Out"})
	for name, test := range map[string]struct {
		outside Definition
		inside  Response
		want    string
	}{
		"title": {
			open,
			Response{Title: "In"},
			`{"action":"open","event":"EventEstablished","url":"https://out.example/","title":"In","autopause":true,"autopauseReason":"wrapup"}`,
		},
		"event": {
			open,
			Response{Event: "EventReleased"},
			`{"action":"open","event":"EventReleased","url":"https://out.example/","title":"Out","autopause":true,"autopauseReason":"wrapup"}`,
		},
		"url": {
			open,
			Response{URL: "https://in.example/"},
			`{"action":"open","event":"EventEstablished","url":"https://in.example/","title":"Out","autopause":true,"autopauseReason":"wrapup"}`,
		},
		"autopause off": {
			open,
			Response{Autopause: no()},
			`{"action":"open","event":"EventEstablished","url":"https://out.example/","title":"Out"}`,
		},
		"autopause plain": {
			open,
			Response{Autopause: yes()},
			`{"action":"open","event":"EventEstablished","url":"https://out.example/","title":"Out","autopause":true}`,
		},
		"autopause's reason": {
			open,
			Response{AutopauseReason: "lunch"},
			`{"action":"open","event":"EventEstablished","url":"https://out.example/","title":"Out","autopause":true,"autopauseReason":"lunch"}`,
		},
		"multitab off": {
			popup,
			Response{Multitab: no()},
			`{"action":"popup","event":"EventEstablished","url":"https://out.example/","title":"Out"}`,
		},
		"multitab": {
			popup,
			Response{Title: "In"},
			`{"action":"popup","event":"EventEstablished","url":"https://out.example/","title":"In","multitab":true}`,
		},
		"another action leaves behind what it can't use": {
			open,
			Response{Action: "popup", URL: "https://in.example/"},
			`{"action":"popup","event":"EventEstablished","url":"https://in.example/","title":"Out"}`,
		},
		"as does the pane": {
			popup,
			Response{Action: "open", URL: "https://in.example/"},
			`{"action":"open","event":"EventEstablished","url":"https://in.example/","title":"Out"}`,
		},
		"and so does none": {open, Response{Action: "none"}, nothing},
		"args": {
			run,
			Response{Args: []string{"--in"}},
			`{"action":"run","event":"EventRinging","url":"out.exe","title":"Out","executableArgs":["--in"]}`,
		},
		"args of the same program": {
			run,
			Response{Title: "In"},
			`{"action":"run","event":"EventRinging","url":"out.exe","title":"In","executableArgs":["--out"]}`,
		},
		"args of another program": {
			run,
			Response{URL: "in.exe"},
			`{"action":"run","event":"EventRinging","url":"in.exe","title":"Out"}`,
		},
		"the default": {
			Definition{},
			Response{Title: "In"},
			`{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7","title":"In"}`,
		},
	} {
		t.Run(name, func(t *testing.T) { expect(t, test.outside.also(One, test.inside), One, test.want) })
	}
}

func TestAnotherOutcomeInARuleKeepsTheOutsideAnswer(t *testing.T) {
	definition := on(None, Response{Action: "open", URL: "https://out.example/"}).also(One, Response{Action: "none"})
	expect(t, definition, None, `{"action":"open","event":"EventRinging","url":"https://out.example/"}`)
	expect(t, definition, One, nothing)
}

func TestMistakesInAnAnswer(t *testing.T) {
	page := "https://a.example/"
	for _, test := range []struct {
		outcome  Outcome
		response Response
		want     string
	}{
		{"nome", Response{Action: "none"}, `on nome: unknown outcome "nome"; did you mean none?`},
		{One, Response{Action: "pupop"}, `on one: unknown action "pupop"; there are open, popup, run, none; did you mean popup?`},
		{One, Response{Action: "redirect"}, `on one: unknown action "redirect"; there are open, popup, run, none`},
		{One, Response{Event: "EventRining"}, `on one: event: unknown event "EventRining"; there are EventRinging, EventEstablished, EventReleased`},
		{One, Response{Action: "open", URL: page, Multitab: yes()}, "on one: multitab: can't be used with open; it belongs to popup"},
		{One, Response{Action: "open", URL: page, Args: []string{"a"}}, "on one: args: can't be used with open; it belongs to run"},
		{One, Response{Autopause: yes()}, "on one: autopause: can't be used with popup; it belongs to open"},
		{One, Response{Autopause: no()}, "on one: autopause: can't be used with popup"},
		{One, Response{AutopauseReason: "wrapup"}, "on one: autopause: can't be used with popup"},
		{One, Response{Action: "run", URL: "a.exe", Autopause: yes()}, "on one: autopause: can't be used with run"},
		{None, Response{Title: "x"}, "on none: title: can't be used with none; it belongs to open"},
		{None, Response{Event: "EventRinging"}, "on none: event: can't be used with none"},
		{None, Response{Action: "none", URL: page}, "on none: none takes no url"},
		{None, Response{Action: "popup"}, "on none: popup lacks its url; write for example: popup {contact.url}"},
		{One, Response{Action: "open"}, "on one: open lacks its url; write for example: open {contact.url}"},
		{One, Response{Action: "run"}, `on one: run lacks its url; write for example: run "C:\Program Files\Erp\erp.exe"`},
		{One, Response{Action: "run", URL: "{contact.vip}"}, "on one: url: run takes the path of a program without placeholders"},
		{One, Response{Action: "run", URL: "a.exe {number.e164}"}, "on one: url: run takes the path of a program without placeholders, not \"a.exe {number.e164}\": what a call holds must not decide what is executed; values belong in args"},
		{One, Response{Action: "run", URL: "{env.ERP}"}, "on one: url: run takes the path of a program without placeholders"},
		{One, Response{Action: "run", URL: "a.exe", Args: []string{"{contact.nme}"}}, `on one: args: bad placeholder {contact.nme}: records have no field "nme"; did you mean {contact.name}?`},
		{One, Response{Action: "open", URL: page, Autopause: yes(), AutopauseReason: "{contact.vip}"}, "on one: autopause: the reason is the name of a pause status and takes no placeholder"},
		{One, Response{Action: "open", URL: page, AutopauseReason: "wrapup"}, "on one: autopause: has a reason but is off"},
		{One, Response{Action: "open", URL: page, Autopause: no(), AutopauseReason: "wrapup"}, "on one: autopause: has a reason but is off"},
		{None, Response{Action: "popup", URL: "https://a.example/{contact.name}"}, "on none: url: bad placeholder {contact.name}: the outcome none has no record"},
		{Unreachable, Response{Action: "popup", URL: page, Title: "{contact.name}"}, "on unreachable: title: bad placeholder {contact.name}: the outcome unreachable has no record"},
		{Many, Response{Title: "{contact.name}"}, "on many: title: bad placeholder {contact.name}: of many records none is chosen; {contact.count} says how many there are"},
		{One, Response{Title: "{contact.color}"}, `on one: title: bad placeholder {contact.color}: records have no field "color"; there are kind, id, name, company, email, url, vip, branch (others are declared with field in a lookup)`},
		{One, Response{Title: "{contcat.name}"}, "on one: title: unknown placeholder {contcat.name}; did you mean {contact.name}?"},
		{One, Response{Title: "{number.e146}"}, `on one: title: bad placeholder {number.e146}: unknown spelling "e146"; did you mean {number.e164}?`},
		{One, Response{Title: "{call.user.token}"}, "on one: title: bad placeholder {call.user.token}: the agent's token is a live credential and can't be used"},
		{One, Response{URL: "https://{contact.id}.example/"}, "on one: url: a placeholder can't stand in the host of an address"},
		{One, Response{URL: "javascript:alert(1)"}, "on one: url: "},
		{One, Response{URL: "{call.userData.LINK}"}, "on one: url: {call.userData.LINK} can't begin an address"},
	} {
		refuse(t, on(test.outcome, test.response), test.want)
		refuse(t, Definition{}.also(test.outcome, test.response), "when 1: "+test.want)
	}
}

// hostile is what a CRM may hold.
var hostile = []string{
	`" --evil "`, "' & calc & '", "`id`", "$(id)", "%PATH%", "a\r\nb", "a\x00b", "--help", "/c calc", "a|b>c<d^e", "\u202eexe.gpj", `\`, "{contact.id}", "\xff",
}

func TestEachArgumentStaysOneArgument(t *testing.T) {
	definition := on(One, Response{Action: "run", URL: "erp.exe", Args: []string{"--name", "{contact.name}", "{contact.vip}{contact.company}", "x={contact.id}"}})
	compiled := rules(t, definition)
	for _, value := range hostile {
		s := situation(t, One)
		s.Records = []crm.Record{{Name: value, Company: value, ID: value}}
		answer, err := compiled.For(&s.Call).Answer(&s)
		run, ok := answer.(xucmgt.Run)
		if err != nil || !ok || run.Program != "erp.exe" || len(run.Args) != 4 || run.Args[0] != "--name" || !strings.HasPrefix(run.Args[3], "x=") {
			t.Errorf("%q gives %+v, %v", value, answer, err)
			continue
		}
		for _, arg := range run.Args[1:] {
			if strings.ContainsAny(arg, "\"'`$%&|<>^\\\r\n\x00{}();") || strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "/") {
				t.Errorf("%q gives the argument %q", value, arg)
			}
		}
	}
}

func TestAnAbsentValueLeavesItsArgumentEmpty(t *testing.T) {
	expect(t, on(One, Response{Action: "run", URL: "erp.exe", Args: []string{"{contact.branch}", "end"}}), One,
		`{"action":"run","event":"EventRinging","url":"erp.exe","executableArgs":["","end"]}`)
}

func TestAPageThatCannotBeOpenedIsNotAnswered(t *testing.T) {
	for _, value := range []string{"javascript:alert('s3cret')", "file:///s3cret", "https://u:s3cret@crm.example/", "//s3cret", "https://crm.example/../s3cret"} {
		s := situation(t, One)
		s.Records[0].URL = value
		got, err := answered(t, Definition{}, s)
		if got != nothing || !errors.Is(err, template.ErrUnsafe) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s gives %s, %v", value, got, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "on one: the url {contact.url} can't be opened") {
			t.Errorf("err = %v", err)
		}
	}
}

func TestARecordWithoutAPageIsNotOpened(t *testing.T) {
	s := situation(t, One)
	s.Records[0].URL = ""
	got, err := answered(t, Definition{}, s)
	if got != nothing || err == nil || err.Error() != "on one: the url {contact.url} is empty for this call" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestATitleIsOneShortLine(t *testing.T) {
	for name, want := range map[string]string{
		"Rosa\r\n\tMarín":        "Rosa Marín",
		"\u202eRosa\u200b\x00":   "Rosa",
		"{contact.id}":           "{contact.id}",
		"":                       "",
		strings.Repeat("é", 200): strings.Repeat("é", 200),
		strings.Repeat("é", 201): strings.Repeat("é", 200) + "…",
	} {
		s := situation(t, One)
		s.Records[0].Name = name
		answer, err := rules(t, on(One, Response{Title: "{contact.name}"})).For(&s.Call).Answer(&s)
		if popup, ok := answer.(xucmgt.Popup); !ok || err != nil || popup.Title != want {
			t.Errorf("%q = %+v, %v", name, answer, err)
		}
	}
}

func TestAContactIsOnlyOneOutcomesOwn(t *testing.T) {
	many, one := situation(t, Many), situation(t, One)
	if got := fmt.Sprint(many.contact().Name, one.contact().Name); got != "Rosa Marín" {
		t.Errorf("contact = %s", got)
	}
}
