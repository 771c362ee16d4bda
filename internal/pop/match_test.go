package pop

import "testing"

// matches reports whether a rule with that condition is taken for a call.
func matches(t *testing.T, m Match, body string) bool {
	t.Helper()
	return rules(t, Definition{When: []When{{Match: m, On: shows("a")}}}).For(new(call(t, body))).Name != ""
}

func TestEveryConditionOnACall(t *testing.T) {
	for _, test := range []struct {
		match Match
		want  bool
	}{
		{Match{Queue: []string{"bluesky"}}, true},
		{Match{Queue: []string{"Blue sky"}}, true},
		{Match{Queue: []string{"trucks", "bluesky"}}, true},
		{Match{Queue: []string{"blue"}}, false},
		{Match{Queue: []string{"3001"}}, false},
		{Match{DID: []string{"0123053012"}}, true},
		{Match{DID: []string{"01230530??"}}, true},
		{Match{DID: []string{"+331*"}}, true},
		{Match{DID: []string{"1000"}}, false}, // the callee is the agent's own line
		{Match{Caller: []string{"04*"}}, true},
		{Match{Caller: []string{"+3342*"}}, true},
		{Match{Caller: []string{"06*", "0427466347"}}, true},
		{Match{Caller: []string{"+3312*", "06*"}}, false},
		{Match{Agent: []string{"29"}}, true},
		{Match{Agent: []string{"1", "29"}}, true},
		{Match{Agent: []string{"54"}}, false}, // is the user's id
		{Match{Data: &Data{Key: "USR_LEVEL"}}, true},
		{Match{Data: &Data{Key: "USR_LEVEL", Values: []string{"silver", "gold"}}}, true},
		{Match{Data: &Data{Key: "USR_LEVEL", Values: []string{"Gold"}}}, false},
		{Match{Data: &Data{Key: "COUNT", Values: []string{"7"}}}, true},
		{Match{Data: &Data{Key: "USR_BLANK"}}, false},
		{Match{Data: &Data{Key: "USR_ABSENT"}}, false},
		{Match{Data: &Data{Key: "USR_ABSENT", Values: []string{""}}}, false},
		{Match{Expression: `call.did == "0123053012"`}, true},
		{Match{Expression: `call.userData.USR_LEVEL == "gold" && call.queue.name.startsWith("blue")`}, true},
		{Match{Expression: `call.user.agentId == 29 && call.queue.id < 2.5`}, true},
		{Match{Expression: `int(call.userData.USR_AGE) >= 42 && call.userData.COUNT == 7`}, true},
		{Match{Expression: `call.userData.USR_ABSENT == "gold"`}, false},
		{Match{Expression: `call.userData.USR_ABSENT != "gold"`}, false},
		{Match{Expression: `has(call.user.token)`}, false},
		{Match{
			Queue: []string{"bluesky"}, Agent: []string{"29"}, Caller: []string{"04*"}, DID: []string{"01*"}, Expression: "true",
			Data: &Data{Key: "USR_LEVEL"},
		}, true},
		{Match{Queue: []string{"bluesky"}, Agent: []string{"1"}}, false}, // all must hold
		{Match{Queue: []string{"bluesky"}, Expression: "false"}, false},
	} {
		if got := matches(t, test.match, payload); got != test.want {
			t.Errorf("%+v = %v", test.match, got)
		}
	}
}

func TestNoConditionHoldsForACallThatSaysNothing(t *testing.T) {
	for _, match := range []Match{
		{Queue: []string{"", "bluesky"}},
		{DID: []string{"?*"}},
		{Caller: []string{"?*"}},
		{Agent: []string{"29"}},
		{Data: &Data{Key: "USR_LEVEL"}},
		{Data: &Data{Key: "USR_LEVEL", Values: []string{""}}},
		{Expression: `call.queue.name != "bluesky"`},
	} {
		if matches(t, match, `{}`) {
			t.Errorf("%+v holds", match)
		}
	}
	if !matches(t, Match{Expression: `!has(call.queue) && call.did == ""`}, `{}`) {
		t.Error("an expression can't ask for a direct call")
	}
}

func TestACallersNumberMatchesHoweverItIsDelivered(t *testing.T) {
	for _, pattern := range []string{"+3342746*", "04*"} {
		for _, caller := range []string{"0427466347", "+33427466347", "0033427466347", "04 27 46 63 47", "sip:+33427466347@trunk"} {
			if !matches(t, Match{Caller: []string{pattern}}, `{"caller": "`+caller+`"}`) {
				t.Errorf("%s does not match %s", pattern, caller)
			}
		}
		for _, caller := range []string{"0127466347", "+49427466347", "anonymous"} {
			if matches(t, Match{Caller: []string{pattern}}, `{"caller": "`+caller+`"}`) {
				t.Errorf("%s matches %s", pattern, caller)
			}
		}
	}
}
