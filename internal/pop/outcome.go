// Package pop decides what a ringing call shows: an outcome and the rules of a
// site become an answer.
package pop

import (
	"fmt"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Outcome is what is known of a caller once everybody was asked.
type Outcome string

// The outcomes.
const (
	// One record is the caller's.
	One Outcome = "one"
	// Many records are; which of them is calling is not known.
	Many Outcome = "many"
	// None: every CRM said that it does not know the caller.
	None Outcome = "none"
	// Withheld: there is no number to look up.
	Withheld Outcome = "withheld"
	// Internal: a colleague calls.
	Internal Outcome = "internal"
	// Unreachable: a CRM could not be asked, so nothing is known.
	Unreachable Outcome = "unreachable"
)

// Outcomes lists every [Outcome].
func Outcomes() []Outcome {
	return []Outcome{One, Many, None, Withheld, Internal, Unreachable}
}

// ParseOutcome returns the outcome of that name.
func ParseOutcome(name string) (Outcome, error) {
	if slices.Contains(Outcomes(), Outcome(name)) {
		return Outcome(name), nil
	}
	var names []string
	for _, outcome := range Outcomes() {
		names = append(names, string(outcome))
	}
	if nearest := template.Nearest(name, names); nearest != "" {
		return "", fmt.Errorf("unknown outcome %q; did you mean %s?", name, nearest)
	}
	return "", fmt.Errorf("unknown outcome %q; there are %s", name, strings.Join(names, ", "))
}

// OutcomeOf says what a search means: a record in hand counts whatever else
// failed, and only an error-free search can say that there is none.
func OutcomeOf(records int, err error) Outcome {
	switch {
	case records == 1:
		return One
	case records > 1:
		return Many
	case err != nil:
		return Unreachable
	default:
		return None
	}
}
