package crm

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// ask is a compiled [Ask].
type ask struct {
	method  string
	path    *text
	query   []param
	form    []param
	json    *text
	xml     *text
	headers []param
}

// text is a compiled text of a definition.
type text = template.Template[values]

// search is a compiled [Search].
type search struct {
	*ask

	filter       *text
	join         string
	each         []*text
	spellings    []phone.Spelling
	eachSpelling bool
	records      string
	miss, fail   condition
}

// ask compiles one request.
func (c *compiler) ask(d Ask, dialect template.Dialect, scope *template.Scope[values]) (a *ask, err error) {
	a = &ask{method: cmp.Or(d.Method, http.MethodGet)}
	if err := checkMethod(d, a.method); err != nil {
		return nil, err
	}
	if a.path, err = template.Compile(d.Path, template.Path, scope); err != nil {
		return nil, mistake.In(a.method, err)
	}
	if a.query, err = c.params("query", d.Query, template.Value, dialect, scope); err != nil {
		return nil, err
	}
	if a.form, err = c.params("form", d.Form, template.Value, dialect, scope); err != nil {
		return nil, err
	}
	if a.headers, err = c.params("header", d.Headers, template.Header, dialect, scope); err != nil {
		return nil, err
	}
	if a.json, err = optional(d.JSON, template.JSON, dialect, scope); err != nil {
		return nil, mistake.In("json", err)
	}
	if a.xml, err = optional(d.XML, template.XML, template.Dialect{}, scope); err != nil {
		return nil, mistake.In("xml", err)
	}
	return a, nil
}

func checkMethod(d Ask, method string) error {
	bodies := 0
	for _, there := range []bool{d.JSON != "", d.XML != "", len(d.Form) > 0} {
		if there {
			bodies++
		}
	}
	switch {
	case d.Path == "":
		return mistake.In("GET", errors.New("missing; write GET or POST and the path to ask, for example GET /contacts"))
	case method != http.MethodGet && method != http.MethodPost:
		return mistake.In(method, fmt.Errorf("the method %q is not one of GET, POST", method))
	case method == http.MethodGet && bodies > 0:
		return mistake.In("GET", errors.New("a GET has no body; write POST, or query instead of json, xml and form"))
	case bodies > 1:
		return mistake.In(method, errors.New("a request has one of json, xml and form, not several"))
	}
	return nil
}

// search compiles a request for records.
func (c *compiler) search(d Search, available searchPlaceholders) (s *search, err error) {
	s = &search{records: cmp.Or(d.Records, "@this"), spellings: c.rest.spellings}
	if err := CheckPath(s.records); err != nil {
		return nil, mistake.In("records", err)
	}
	if len(d.Spellings) > 0 {
		if s.spellings, err = parseSpellings(d.Spellings); err != nil {
			return nil, mistake.In("spellings", err)
		}
	}
	dialect, err := parseDialect(cmp.Or(d.Dialect, c.dialect))
	if err != nil {
		return nil, mistake.In("dialect", err)
	}
	available.each = len(d.Each) > 0
	for _, written := range d.Each {
		one, err := template.Compile(written, template.Expression, c.eachScope())
		if err != nil {
			return nil, mistake.In("each", err)
		}
		s.each = append(s.each, one)
	}
	if d.Filter != nil {
		if s.filter, err = template.CompileIn(d.Filter.Fragment, template.Expression, dialect, c.searchScope(available)); err != nil {
			return nil, mistake.In("filter", err)
		}
		s.join, available.filter = d.Filter.Join, true
	}
	if s.ask, err = c.ask(d.Ask, dialect, c.searchScope(available)); err != nil {
		return nil, err
	}
	s.eachSpelling = s.uses("number")
	if err := s.checkFilter(); err != nil {
		return nil, err
	}
	if err := s.checkEach(); err != nil {
		return nil, err
	}
	if s.miss, err = c.condition("miss", d.Miss, c.miss); err != nil {
		return nil, err
	}
	s.fail, err = c.condition("fail", d.Fail, c.fail)
	return s, err
}

// checkFilter makes sure that a filter is used, and not together with a
// request for each spelling.
func (s *search) checkFilter() error {
	switch {
	case s.filter == nil:
		return nil
	case !s.filter.Uses("number"):
		return mistake.In("filter", errors.New("lacks {number}; write for example: filter \"phone eq '{number}'\" \" or \""))
	case s.eachSpelling:
		return mistake.In("filter", errors.New("joins all spellings into one request, so the request itself can't have {number}"))
	case !s.uses("filter"):
		return mistake.In("filter", errors.New("is not used; write {filter} where it belongs, for example: query filter {filter}"))
	}
	return nil
}

// checkEach makes sure that the texts make a difference.
func (s *search) checkEach() error {
	if len(s.each) > 0 && !s.uses("each") && (s.filter == nil || !s.filter.Uses("each")) {
		return mistake.In("each", errors.New("is not used; write {each} where one of its texts belongs, for example: query field {each}"))
	}
	return nil
}

// varies reports whether the request depends on the call.
func (s *search) varies() bool {
	depends := func(t *text) bool { return t.UsesAny(callPlaceholders...) }
	return s.any(depends) || slices.ContainsFunc(s.each, depends)
}

// mayVary reports whether it does, or will once settings are known.
func (s *search) mayVary() bool {
	return s.varies() || s.any(func(t *text) bool { return !t.IsKnown() })
}

// uses reports whether any text of the request has a placeholder.
func (a *ask) uses(name string) bool {
	return a.any(func(t *text) bool { return t.Uses(name) })
}

// any reports whether something holds for a text of the request.
func (a *ask) any(holds func(*text) bool) bool {
	for t := range a.texts {
		if holds(t) {
			return true
		}
	}
	return false
}

// texts are all of a request's.
func (a *ask) texts(yield func(*text) bool) {
	for _, t := range []*text{a.path, a.json, a.xml} {
		if t != nil && !yield(t) {
			return
		}
	}
	for _, list := range [][]param{a.query, a.form, a.headers} {
		for _, p := range list {
			if !yield(p.value) {
				return
			}
		}
	}
}

// isComplete reports whether every placeholder of a request has a value.
func (a *ask) isComplete(v values) bool {
	return !a.any(func(t *text) bool { return !t.IsComplete(v) })
}

func (c *compiler) condition(option string, d, fallback *Condition) (condition, error) {
	compiled, err := compileCondition(cmp.Or(d, fallback))
	return compiled, mistake.In(option, err)
}

// parseDialect returns the query language of that name; "" is none.
func parseDialect(name string) (template.Dialect, error) {
	if name == "" {
		return template.Dialect{}, nil
	}
	return template.ParseDialect(name)
}
