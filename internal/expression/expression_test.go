package expression

import (
	"strings"
	"testing"
)

func compile(t *testing.T, text string, variables ...string) *Expression {
	t.Helper()
	compiled, err := Compile(text, variables...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return compiled
}

var call = map[string]any{
	"call": map[string]any{
		"caller": "0427466347", "did": "0123053012", "list": []any{"a", "b"}, "odd": "yes", "on": true, "half": 0.5,
		"queue":    map[string]any{"id": int64(2), "name": "bluesky"},
		"userData": map[string]any{"USR_LEVEL": "gold", "USR_AGE": "42", "nothing": nil},
	},
}

func TestAConditionHoldsOrNot(t *testing.T) {
	for text, want := range map[string]bool{
		`call.queue.name == "bluesky"`:                      true,
		`call.queue.name == "trucks"`:                       false,
		`call.queue.id == 2`:                                true,
		`call.queue.id >= 1.5 && call.half < 1`:             true,
		`int(call.userData.USR_AGE) > 40`:                   true,
		`call.caller.startsWith("04")`:                      true,
		`call.caller.matches("^0[67]")`:                     false,
		`size(call.list) > 1.5`:                             true,
		`"b" in call.list`:                                  true,
		`"USR_LEVEL" in call.userData`:                      true,
		`has(call.userData.USR_OTHER)`:                      false,
		`!has(call.userData.USR_OTHER)`:                     true,
		`call.userData["USR_LEVEL"].upperAscii() == "GOLD"`: true,
		`call.userData.nothing == null`:                     true,
		`call.on`:                                           true,
		`true`:                                              true,
	} {
		if got := compile(t, text, "call").Holds(call); got != want {
			t.Errorf("%s = %v", text, got)
		}
	}
}

func TestWhatAsksForSomethingAbsentDoesNotHold(t *testing.T) {
	for _, text := range []string{
		`call.nothing == "x"`, `call.nothing != "x"`, `call.nothing.deeper == 1`, `call.list[7] == "a"`, `!call.nothing`,
		`int(call.userData.USR_LEVEL) > 1`, `call.caller > 7`, `call.caller.deeper == 1`, `call.queue.id / 0 == 1`,
	} {
		if compile(t, text, "call").Holds(call) {
			t.Errorf("%s holds", text)
		}
	}
	if compile(t, `call.caller == "x" || true`, "call").Holds(nil) != true {
		t.Error("an absent part hides what holds without it")
	}
}

func TestWhatIsNotTrueDoesNotHold(t *testing.T) {
	for _, text := range []string{"call.odd", "call.queue", "call.queue.id", "call.userData.nothing"} {
		if compile(t, text, "call").Holds(call) {
			t.Errorf("%s holds", text)
		}
	}
}

func TestMistakesAreShownWhenAConditionIsRead(t *testing.T) {
	for text, want := range map[string]string{
		``:                           `"" is not a CEL expression over call and status`,
		`call.queue = "x"`:           `is not a CEL expression over call and status`,
		`caller == "x"`:              `undeclared reference to 'caller'`,
		`call.caller.startWith("0")`: `undeclared reference to 'startWith'`,
		`"text"`:                     `"\"text\"" gives a string, not true or false`,
		`1 + 1`:                      `gives a int, not true or false`,
		`"a" > 1`:                    `no matching overload`,
	} {
		if _, err := Compile(text, "call", "status"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAnExpressionThatCostsTooMuchDoesNotHold(t *testing.T) {
	for length, want := range map[int]bool{100: true, 20_000: false} {
		text := strings.Repeat("a", length)
		if got := compile(t, "call.contains(call)", "call").Holds(map[string]any{"call": text}); got != want {
			t.Errorf("over %d characters: %v", length, got)
		}
	}
}

func TestAnExpressionIsItsText(t *testing.T) {
	if got := compile(t, `call.did == "1"`, "call").String(); got != `call.did == "1"` {
		t.Errorf("String = %s", got)
	}
}
