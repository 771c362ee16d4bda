package xucmgt

import (
	"reflect"
	"slices"
	"testing"
)

func written(t *testing.T, answer Answer) string {
	t.Helper()
	text, err := answer.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnAnswerHoldsOnlyWhatItsActionCanUse(t *testing.T) {
	for _, test := range []struct {
		answer Answer
		want   string
	}{
		{
			Open{Event: EventRinging, URL: "https://gw/9f", Title: "ACME"},
			`{"action":"open","event":"EventRinging","url":"https://gw/9f","title":"ACME"}`,
		},
		{
			Open{Event: EventReleased, URL: "https://gw/9f", Pause: &Pause{}},
			`{"action":"open","event":"EventReleased","url":"https://gw/9f","autopause":true}`,
		},
		{
			Open{Event: EventReleased, URL: "https://gw/9f", Title: "Report", Pause: &Pause{Reason: "wrapup"}},
			`{"action":"open","event":"EventReleased","url":"https://gw/9f","title":"Report","autopause":true,"autopauseReason":"wrapup"}`,
		},
		{
			Popup{Event: EventEstablished, URL: "https://crm/42", Title: "CRM", Multitab: true},
			`{"action":"popup","event":"EventEstablished","url":"https://crm/42","title":"CRM","multitab":true}`,
		},
		{
			Popup{Event: EventRinging, URL: "https://crm/42"},
			`{"action":"popup","event":"EventRinging","url":"https://crm/42"}`,
		},
		{
			Run{Event: EventRinging, Program: `C:\Program Files\Erp\erp.exe`, Args: []string{"--phone", "", `a "b" c`}, Title: "ERP"},
			`{"action":"run","event":"EventRinging","url":"C:\\Program Files\\Erp\\erp.exe","title":"ERP","executableArgs":["--phone","","a \"b\" c"]}`,
		},
		{
			Run{Event: EventRinging, Program: "erp", Args: []string{}},
			`{"action":"run","event":"EventRinging","url":"erp"}`,
		},
		{None{}, `{"action":"none"}`},
	} {
		if got := written(t, test.answer); got != test.want {
			t.Errorf("%#v\n got %s\nwant %s", test.answer, got, test.want)
		}
	}
}

func TestAnAddressStaysReadableInAnAnswer(t *testing.T) {
	want := `{"action":"popup","event":"EventRinging","url":"https://crm/?a=1&b=<2>"}`
	if got := written(t, Popup{Event: EventRinging, URL: "https://crm/?a=1&b=<2>"}); got != want {
		t.Errorf("got %s", got)
	}
}

func TestAnAnswerSaysItsAction(t *testing.T) {
	for want, answer := range map[string]Answer{"open": Open{}, "popup": Popup{}, "run": Run{}, "none": None{}} {
		if got := answer.Action(); got != want {
			t.Errorf("%T = %q", answer, got)
		}
	}
}

// A pause without a pane to close keeps the agent paused, so no other answer
// can be given the means to ask for one.
func TestOnlyAPaneCanPauseTheAgent(t *testing.T) {
	for _, answer := range []Answer{Popup{}, Run{}, None{}} {
		if _, has := reflect.TypeOf(answer).FieldByName("Pause"); has {
			t.Errorf("%T can pause", answer)
		}
	}
	if reflect.TypeFor[None]().NumField() != 0 {
		t.Error("none has fields")
	}
}

func TestTheEventsAreThoseOfACallInItsOrder(t *testing.T) {
	if got := Events(); !slices.Equal(got, []Event{"EventRinging", "EventEstablished", "EventReleased"}) {
		t.Errorf("Events = %v", got)
	}
}
