package crm

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/screenpop/caddy-screenpop/internal/expression"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// lookup is a compiled [Lookup].
type lookup struct {
	kind           string
	method         string
	path           *template.Template[values]
	query          []param
	form           []param
	json           *template.Template[values]
	headers        []param
	filter         *template.Template[values]
	join           string
	eachSpelling   bool
	records        string
	miss, fail     condition
	detail         *template.Template[values]
	id, name       template.Fallback[values]
	company, email template.Fallback[values]
	url            template.Fallback[values]
	phones         template.Fallback[values]
	unverified     bool
	fields         []field
}

type field struct {
	name  string
	value template.Fallback[values]
}

// condition is a compiled [Condition]; the zero one never holds.
type condition struct {
	statuses   []int
	expression *expression.Expression
}

func (c *compiler) lookups(list []Lookup) error {
	if len(list) == 0 {
		return mistake.In("lookup", errors.New("missing; write at least one, for example lookup contact { GET /contacts ... }"))
	}
	for _, definition := range list {
		compiled, err := c.lookup(definition)
		if err != nil {
			return mistake.In("lookup "+definition.Kind, err)
		}
		for _, other := range c.rest.lookups {
			if other.kind == compiled.kind {
				return mistake.In("lookup "+definition.Kind, errors.New("is there twice; give each lookup a kind of its own"))
			}
		}
		c.rest.lookups = append(c.rest.lookups, compiled)
		for _, f := range compiled.fields {
			if !slices.Contains(c.rest.profile.Fields, f.name) {
				c.rest.profile.Fields = append(c.rest.profile.Fields, f.name)
			}
		}
	}
	return nil
}

func (c *compiler) lookup(d Lookup) (*lookup, error) {
	l := &lookup{kind: d.Kind, method: cmp.Or(d.Method, http.MethodGet), unverified: d.Unverified}
	if err := checkIdentifier("kind of record", d.Kind); err != nil {
		return nil, err
	}
	for _, step := range []func(Lookup, *lookup) error{c.request, c.answer, c.mapping} {
		if err := step(d, l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// request compiles what is asked.
func (c *compiler) request(d Lookup, l *lookup) (err error) {
	if err := checkMethod(d, l.method); err != nil {
		return err
	}
	if d.Filter != nil {
		if l.filter, err = template.Compile(d.Filter.Fragment, template.Expression, c.requestScope(false)); err != nil {
			return mistake.In("filter", err)
		}
		l.join = d.Filter.Join
	}
	scope := c.requestScope(d.Filter != nil)
	if l.path, err = template.Compile(d.Path, template.Path, scope); err != nil {
		return mistake.In(l.method, err)
	}
	if l.query, err = c.params("query", d.Query, template.Value, scope); err != nil {
		return err
	}
	if l.form, err = c.params("form", d.Form, template.Value, scope); err != nil {
		return err
	}
	if l.headers, err = c.params("header", d.Headers, template.Header, scope); err != nil {
		return err
	}
	if l.json, err = c.optional(d.JSON, template.JSON, scope); err != nil {
		return mistake.In("json", err)
	}
	l.eachSpelling = l.uses("number")
	if err := l.checkFilter(); err != nil {
		return err
	}
	if !l.varies() {
		return mistake.In(l.method, errors.New("asks the same for every caller; put the number into the request, for example: query phone {number}"))
	}
	return nil
}

func checkMethod(d Lookup, method string) error {
	switch {
	case d.Path == "":
		return mistake.In("GET", errors.New("missing; write GET or POST and the path to ask, for example GET /contacts"))
	case method != http.MethodGet && method != http.MethodPost:
		return mistake.In(method, fmt.Errorf("the method %q is not one of GET, POST", method))
	case method == http.MethodGet && (d.JSON != "" || len(d.Form) > 0):
		return mistake.In("GET", errors.New("a GET has no body; write POST, or query instead of json and form"))
	case d.JSON != "" && len(d.Form) > 0:
		return mistake.In("json", errors.New("a request has json or form, not both"))
	}
	return nil
}

// checkFilter makes sure that a filter is used, and not together with a
// request for each spelling.
func (l *lookup) checkFilter() error {
	switch {
	case l.filter == nil:
		return nil
	case !l.filter.Uses("number"):
		return mistake.In("filter", errors.New("lacks {number}; write for example: filter \"phone eq '{number}'\" \" or \""))
	case l.eachSpelling:
		return mistake.In("filter", errors.New("joins all spellings into one request, so the request itself can't have {number}"))
	case !l.uses("filter"):
		return mistake.In("filter", errors.New("is not used; write {filter} where it belongs, for example: query filter {filter}"))
	}
	return nil
}

// varies reports whether the request depends on the call.
func (l *lookup) varies() bool {
	return l.any((*template.Template[values]).Varies)
}

// uses reports whether any text of the request has a placeholder.
func (l *lookup) uses(name string) bool {
	return l.any(func(t *template.Template[values]) bool { return t.Uses(name) })
}

// any reports whether something holds for a text of the request.
func (l *lookup) any(holds func(*template.Template[values]) bool) bool {
	for _, list := range [][]param{l.query, l.form, l.headers} {
		for _, p := range list {
			if holds(p.value) {
				return true
			}
		}
	}
	return holds(l.path) || l.json != nil && holds(l.json)
}

// answer compiles how the answer is read.
func (c *compiler) answer(d Lookup, l *lookup) (err error) {
	l.records = cmp.Or(d.Records, "@this")
	if err := CheckPath(l.records); err != nil {
		return mistake.In("records", err)
	}
	if l.miss, err = compileCondition(d.Miss); err != nil {
		return mistake.In("miss", err)
	}
	if l.fail, err = compileCondition(d.Fail); err != nil {
		return mistake.In("fail", err)
	}
	if l.detail, err = c.optional(d.Detail, template.Path, c.recordScope()); err != nil {
		return mistake.In("detail", err)
	}
	return nil
}

func compileCondition(d *Condition) (condition, error) {
	if d == nil {
		return condition{}, nil
	}
	for _, status := range d.Status {
		if status < 100 || status > 599 {
			return condition{}, fmt.Errorf("%d is not an HTTP status", status)
		}
	}
	if d.Expression == "" {
		return condition{statuses: d.Status}, nil
	}
	compiled, err := expression.Compile(d.Expression, "status", "body")
	return condition{d.Status, compiled}, err
}

// mapping compiles how a record of the answer is read.
func (c *compiler) mapping(d Lookup, l *lookup) (err error) {
	if len(d.Phones) == 0 && !d.Unverified {
		return mistake.In("phones", errors.New("missing; list every number that a record has, for example phones {record.phone} {record.mobile}: "+
			"a record that can't be checked may be a stranger's (write phones unverified to trust the CRM's search)"))
	}
	scope := c.recordScope()
	for _, part := range []struct {
		option   string
		texts    []string
		fallback string
		place    template.Place
		into     *template.Fallback[values]
	}{
		{"id", d.ID, "{record.id}", template.Text, &l.id},
		{"name", d.RecordName, "{record.name}", template.Text, &l.name},
		{"company", d.Company, "", template.Text, &l.company},
		{"email", d.Email, "", template.Text, &l.email},
		{"url", d.URL, "", template.URL, &l.url},
	} {
		if len(part.texts) == 0 && part.fallback != "" {
			part.texts = []string{part.fallback}
		}
		if *part.into, err = template.CompileFallback(part.texts, part.place, scope); err != nil {
			return mistake.In(part.option, err)
		}
	}
	if l.phones, err = template.CompileFallback(d.Phones, template.Text, phonesScope()); err != nil {
		return mistake.In("phones", err)
	}
	for _, phones := range l.phones {
		if !phones.Varies() {
			return mistake.In("phones", fmt.Errorf("%q has no {record.*}; write where a record's number is, for example {record.phone}, or unverified alone to trust the CRM's search", phones))
		}
	}
	for _, f := range d.Fields {
		if err := checkField(f.Name); err != nil {
			return mistake.In("field "+f.Name, err)
		}
		value, err := template.CompileFallback(f.Value, template.Text, scope)
		if err != nil {
			return mistake.In("field "+f.Name, err)
		}
		l.fields = append(l.fields, field{f.Name, value})
	}
	return nil
}

func checkField(name string) error {
	if slices.Contains(fixedFields, name) || name == "count" {
		return fmt.Errorf("every record has %s; write it as an option of its own", name)
	}
	return checkIdentifier("field name", name)
}
