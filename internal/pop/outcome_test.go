package pop

import (
	"errors"
	"testing"
)

func TestAnOutcomeSaysWhatIsKnown(t *testing.T) {
	down := errors.New("down")
	for _, test := range []struct {
		records int
		err     error
		want    Outcome
	}{
		{0, nil, None},
		{1, nil, One},
		{2, nil, Many},
		{100, nil, Many},
		{0, down, Unreachable}, // not asked is not "not found"
		{1, down, One},
		{2, down, Many},
	} {
		if got := OutcomeOf(test.records, test.err); got != test.want {
			t.Errorf("OutcomeOf(%d, %v) = %s", test.records, test.err, got)
		}
	}
}

func TestOutcomesAreReadByName(t *testing.T) {
	for _, outcome := range Outcomes() {
		if got, err := ParseOutcome(string(outcome)); got != outcome || err != nil {
			t.Errorf("ParseOutcome(%s) = %s, %v", outcome, got, err)
		}
	}
	for name, want := range map[string]string{
		"nobne":          `unknown outcome "nobne"; did you mean none?`,
		"withhled":       `unknown outcome "withhled"; did you mean withheld?`,
		"":               `unknown outcome ""; there are one, many, none, withheld, internal, unreachable`,
		"something else": `unknown outcome "something else"; there are one, many, none, withheld, internal, unreachable`,
	} {
		if _, err := ParseOutcome(name); err == nil || err.Error() != want {
			t.Errorf("ParseOutcome(%q): %v", name, err)
		}
	}
}
