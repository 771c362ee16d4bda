package pop

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// Options are what rules need besides their definition.
type Options struct {
	// Profiles are the CRMs that can be asked.
	Profiles []crm.Profile
	// Region is the country that numbers in rules belong to.
	Region phone.Region
	// Pages are the names of our own pages that may be opened.
	Pages []string
	// Refused is what becomes of a page that is to be opened in the pane and
	// can't be framed: `popup`, or `card`. Default: `popup`.
	Refused string
	// Settings are the placeholders whose values are fixed at load.
	Settings template.Settings
}

// scope returns the placeholders of a response for an outcome. A contact that
// an outcome does not have is a name that can't exist.
func (o Options) scope(outcome Outcome) *template.Scope[*Situation] {
	scope := template.NewScope[*Situation](o.Settings)
	crm.AddCall(scope, func(s *Situation) xucmgt.Call { return s.Call })
	crm.AddNumber(scope, func(s *Situation) phone.Number { return s.Number })
	o.addContact(scope, outcome)
	o.addPages(scope, outcome)
	scope.Add("crm.name", template.Placeholder[*Situation]{Get: func(s *Situation) string { return s.CRM.Name }})
	scope.Add("crm.url", address(func(s *Situation) string { return s.CRM.URL }))
	scope.Add("crm.search_url", address(func(s *Situation) string { return s.Links.Search }))
	scope.Add("crm.create_url", address(func(s *Situation) string { return s.Links.Create }))
	return scope
}

func address(get func(*Situation) string) template.Placeholder[*Situation] {
	return template.Placeholder[*Situation]{Kind: template.Address, Get: get}
}

func (o Options) addContact(scope *template.Scope[*Situation], outcome Outcome) {
	fields := crm.FieldNames(o.Profiles...)
	scope.AddFamily("contact.", append(slices.Clone(fields), "count"), func(name string) (template.Placeholder[*Situation], error) {
		switch {
		case name == "count":
			return template.Placeholder[*Situation]{Get: func(s *Situation) string { return strconv.Itoa(len(s.Records)) }}, nil
		case !slices.Contains(fields, name):
			return template.Placeholder[*Situation]{}, fmt.Errorf("records have no field %q; %s", name, fieldHint(name, fields))
		case outcome == Many:
			return template.Placeholder[*Situation]{}, errors.New("of many records none is chosen; {contact.count} says how many there are")
		case outcome != One:
			return template.Placeholder[*Situation]{}, fmt.Errorf("the outcome %s has no record", outcome)
		}
		return address(func(s *Situation) string { return s.contact().Field(name) }), nil
	})
}

func fieldHint(name string, fields []string) string {
	if nearest := template.Nearest(name, fields); nearest != "" {
		return fmt.Sprintf("did you mean {contact.%s}?", nearest)
	}
	return "there are " + strings.Join(fields, ", ") + " (others are declared with field in a lookup)"
}
