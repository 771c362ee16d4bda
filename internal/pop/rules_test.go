package pop

import (
	"slices"
	"testing"
)

// shows is an answer that a test can tell from others.
func shows(page string) map[Outcome]Response {
	return map[Outcome]Response{One: {Action: "open", URL: "https://" + page + ".example/"}}
}

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	compiled := rules(t, Definition{When: []When{
		{Match: Match{Queue: []string{"trucks"}}, On: shows("first")},
		{Match: Match{Queue: []string{"bluesky"}}, On: shows("second"), Ask: []string{"legacy", "espo"}},
		{Match: Match{Agent: []string{"29"}}, On: shows("third")},
	}})
	rule := compiled.For(new(call(t, payload)))
	if rule.Name != "when 2" || !slices.Equal(rule.Ask, []string{"legacy", "espo"}) {
		t.Errorf("rule = %q, ask %v", rule.Name, rule.Ask)
	}
	if answer, err := rule.Answer(new(situation(t, One))); err != nil || answer.Action() != "open" {
		t.Errorf("answer = %+v, %v", answer, err)
	}
	if rule := compiled.For(new(call(t, `{"user": {"agentId": 29}}`))); rule.Name != "when 3" || rule.Ask != nil {
		t.Errorf("rule = %q, ask %v", rule.Name, rule.Ask)
	}
	rule = compiled.For(new(call(t, `{}`)))
	if rule.Name != "" || rule.Ask != nil {
		t.Errorf("rule = %q, ask %v", rule.Name, rule.Ask)
	}
	if answer, err := rule.Answer(new(situation(t, One))); err != nil || answer.Action() != "popup" {
		t.Errorf("answer = %+v, %v", answer, err)
	}
}

func TestARuleFallsBackToTheOutsideAndNotToAnotherRule(t *testing.T) {
	definition := Definition{When: []When{
		{Match: Match{Queue: []string{"trucks"}}, On: shows("first")},
		{Match: Match{Queue: []string{"bluesky"}}, On: map[Outcome]Response{One: {Title: "Second"}}},
	}}
	expect(t, definition, One, `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7","title":"Second"}`)
}

func TestARuleMayOnlySayWhomToAsk(t *testing.T) {
	definition := Definition{When: []When{{Match: Match{Expression: "true"}, Ask: []string{"legacy"}}}}
	if got := rules(t, definition).For(new(call(t, payload))).Ask; !slices.Equal(got, []string{"legacy"}) {
		t.Errorf("ask = %v", got)
	}
	expect(t, definition, One, `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7"}`)
}

func TestMistakesInARule(t *testing.T) {
	good := Match{Queue: []string{"a"}}
	for _, test := range []struct {
		when When
		want string
	}{
		{When{On: shows("a")}, "when 2: has no condition; write one of queue, did, caller, agent, data, expression"},
		{When{Match: good}, "when 2: changes nothing; write on or ask in it"},
		{When{Match: good, Ask: []string{"espi"}}, `when 2: ask: there is no crm named "espi"; there are espo, legacy; did you mean espo?`},
		{When{Match: good, On: map[Outcome]Response{"onne": {}}}, `when 2: on onne: unknown outcome "onne"; did you mean one?`},
		{When{Match: good, On: map[Outcome]Response{One: {Action: "pop"}}}, `when 2: on one: unknown action "pop"`},
		{When{Match: Match{Agent: []string{"bond"}}, On: shows("a")}, `when 2: agent: "bond" is not an agent id; write the number that XiVO gave the agent`},
		{When{Match: Match{Agent: []string{""}}, On: shows("a")}, `when 2: agent: "" is not an agent id`},
		{When{Match: Match{Data: &Data{Values: []string{"gold"}}}, On: shows("a")}, "when 2: data: lacks its key; write for example: data USR_LEVEL gold"},
		{When{Match: Match{DID: []string{"01 23"}}, On: shows("a")}, `when 2: did: "01 23" is not a number pattern`},
		{When{Match: Match{Caller: []string{"04*", "abc"}}, On: shows("a")}, `when 2: caller: "abc" is not a number pattern`},
		{When{Match: Match{Expression: `call.caller = "1"`}, On: shows("a")}, "when 2: expression: "},
		{When{Match: Match{Expression: "queue.name"}, On: shows("a")}, "when 2: expression: "},
		{When{Match: Match{Expression: `"text"`}, On: shows("a")}, "gives a string, not true or false"},
	} {
		refuse(t, Definition{When: []When{{Match: good, On: shows("a")}, test.when}}, test.want)
	}
}

// A definition may be compiled again, and by several at once.
func TestCompilingDoesNotChangeTheDefinition(t *testing.T) {
	definition := on(One, Response{Title: "Out"}).also(One, Response{Action: "open", URL: "https://in.example/"})
	for range 2 {
		expect(t, definition, One, `{"action":"open","event":"EventRinging","url":"https://in.example/","title":"Out"}`)
	}
	expect(t, Definition{}, One, `{"action":"popup","event":"EventRinging","url":"https://crm.example/c/7"}`)
}
