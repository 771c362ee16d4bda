package pop

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// Rules are a site's compiled rules. They are safe for concurrent use.
type Rules struct {
	outside Rule
	when    []Rule
}

// Rule is what counts for one call.
type Rule struct {
	// Name says in logs which rule it is: "when 2", or "" outside of any.
	Name string
	// Ask names the CRMs to ask; none means all.
	Ask []string

	match     match
	responses map[Outcome]response
}

// Compile checks a site's rules. Errors are [*mistake.Mistake]s.
func Compile(definition Definition, options Options) (*Rules, error) {
	base := options.defaults()
	if err := overlay(base, definition.On); err != nil {
		return nil, err
	}
	outside, err := compileResponses(base, options)
	if err != nil {
		return nil, err
	}
	rules := &Rules{outside: Rule{responses: outside}}
	for i, when := range definition.When {
		rule, err := compileWhen(when, base, options)
		if err != nil {
			return nil, mistake.In(WhenName(i), err)
		}
		rule.Name = WhenName(i)
		rules.when = append(rules.when, rule)
	}
	return rules, nil
}

// WhenName is how the rule at an index is called in errors and logs.
func WhenName(index int) string { return fmt.Sprintf("when %d", index+1) }

// overlay replaces responses by those that are laid over them.
func overlay(responses map[Outcome]Response, on map[Outcome]Response) error {
	for outcome, inner := range on {
		if _, err := ParseOutcome(string(outcome)); err != nil {
			return mistake.In("on "+string(outcome), err)
		}
		responses[outcome] = inner.over(responses[outcome])
	}
	return nil
}

// compileResponses compiles every outcome's response.
func compileResponses(all map[Outcome]Response, options Options) (map[Outcome]response, error) {
	compiled := make(map[Outcome]response, len(all))
	for _, outcome := range Outcomes() {
		result, err := all[outcome].compile(options.scope(outcome), options)
		if err != nil {
			return nil, mistake.In("on "+string(outcome), err)
		}
		compiled[outcome] = result
	}
	return compiled, nil
}

func compileWhen(when When, base map[Outcome]Response, options Options) (Rule, error) {
	matching, err := when.Match.compile(options.Region)
	if err != nil {
		return Rule{}, err
	}
	if len(when.On) == 0 && len(when.Ask) == 0 {
		return Rule{}, errors.New("changes nothing; write on or ask in it")
	}
	if err := checkAsk(when.Ask, options); err != nil {
		return Rule{}, mistake.In("ask", err)
	}
	inside := maps.Clone(base)
	if err := overlay(inside, when.On); err != nil {
		return Rule{}, err
	}
	responses, err := compileResponses(inside, options)
	if err != nil {
		return Rule{}, err
	}
	return Rule{Ask: when.Ask, match: matching, responses: responses}, nil
}

func checkAsk(names []string, options Options) error {
	var known []string
	for _, profile := range options.Profiles {
		known = append(known, profile.Name)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%s is named twice", name)
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no crm named %q; there are %s%s", name, strings.Join(known, ", "), meant(name, known))
		}
	}
	return nil
}

// For returns the rule that counts for a call.
func (r *Rules) For(call *xucmgt.Call) Rule {
	if len(r.when) == 0 {
		return r.outside
	}
	view := &view{call: call}
	for _, rule := range r.when {
		if rule.match.holds(view) {
			return rule
		}
	}
	return r.outside
}

// Named returns the rule of a name, as [Rule.Name] says, or what counts outside
// of any where there is none.
func (r *Rules) Named(name string) Rule {
	for _, rule := range r.when {
		if rule.Name == name {
			return rule
		}
	}
	return r.outside
}

// Answer makes the answer for a situation. When the rule's page can't be
// opened for this call, the answer is the CRM's own page instead, or to do
// nothing, and the error says why.
func (r Rule) Answer(situation *Situation) (xucmgt.Answer, error) {
	answer, err := r.responses[situation.Outcome].answer(situation)
	if answer == nil {
		answer = xucmgt.None{}
	}
	if err != nil {
		return answer, fmt.Errorf("on %s: %w", situation.Outcome, err)
	}
	return answer, nil
}
