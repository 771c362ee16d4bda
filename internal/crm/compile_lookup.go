package crm

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/screenpop/caddy-screenpop/internal/expression"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// lookup is a compiled [Lookup].
type lookup struct {
	kind           string
	first          *search
	otherwise      *search
	sample         *search
	detail         *detail
	follows        []follow
	recordKind     template.Fallback[values]
	id, name       template.Fallback[values]
	company, email template.Fallback[values]
	url            template.Fallback[values]
	phones         template.Fallback[values]
	unverified     bool
	fields         []field
}

// detail is a compiled [Detail].
type detail struct {
	*ask

	records    string
	miss, fail condition
}

// follow is a compiled [Follow].
type follow struct {
	*ask

	name       string
	miss, fail condition
}

// field is a compiled [Field].
type field struct {
	name  string
	value []fieldText
}

// fieldText is one text of a field. An address counts only when it is complete.
type fieldText struct {
	text      *text
	isAddress bool
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
	l := &lookup{kind: d.Kind, unverified: d.Unverified}
	if err := checkIdentifier("kind of record", d.Kind); err != nil {
		return nil, err
	}
	for _, step := range []func(Lookup, *lookup) error{c.searches, c.details, c.mapping} {
		if err := step(d, l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// searches compiles what is asked for first, what else, and as a sample.
func (c *compiler) searches(d Lookup, l *lookup) (err error) {
	if l.first, err = c.search(d.Search, searchPlaceholders{}); err != nil {
		return err
	}
	if err := checkVaries(l.first.mayVary(), l.first.method); err != nil {
		return err
	}
	if d.Otherwise != nil {
		if l.otherwise, err = c.search(inherited(*d.Otherwise, d.Search), searchPlaceholders{}); err != nil {
			return mistake.In("otherwise", err)
		}
		if err := checkVaries(l.otherwise.mayVary(), l.otherwise.method); err != nil {
			return mistake.In("otherwise", err)
		}
		if c.firstOnly {
			l.otherwise = nil
		}
	}
	if d.Sample == nil {
		return nil
	}
	sample := *d.Sample
	if sample.Headers == nil {
		sample.Headers = nobodysHeaders(d.Headers, l.first.headers)
	}
	if l.sample, err = c.search(inherited(sample, d.Search), searchPlaceholders{limit: true}); err != nil {
		return mistake.In("sample", err)
	}
	switch {
	case len(sample.Each) > 0:
		return mistake.In("sample", mistake.In("each", errors.New("makes several requests, but a sample is one; leave it out")))
	case l.sample.varies():
		return mistake.In("sample", errors.New("can't depend on a call: it lists records whatever their numbers"))
	}
	return nil
}

// nobodysHeaders are the header fields of a search that are the same for every
// call. An empty list, unlike none, inherits nothing.
func nobodysHeaders(written []Param, compiled []param) []Param {
	own := []Param{}
	for i, p := range compiled {
		if !p.isOfCall() {
			own = append(own, written[i])
		}
	}
	return own
}

func checkVaries(varies bool, method string) error {
	if varies {
		return nil
	}
	return mistake.In(method, errors.New("asks the same for every caller; put the number into the request, for example: query phone {number}"))
}

// inherited fills what a further search leaves out in from the first.
func inherited(d, first Search) Search {
	if d.Headers == nil {
		d.Headers = first.Headers
	}
	d.Records = cmp.Or(d.Records, first.Records)
	d.Dialect = cmp.Or(d.Dialect, first.Dialect)
	d.Miss = cmp.Or(d.Miss, first.Miss)
	d.Fail = cmp.Or(d.Fail, first.Fail)
	return d
}

// details compiles what is asked for about one record.
func (c *compiler) details(d Lookup, l *lookup) (err error) {
	if d.Detail != nil {
		if l.detail, err = c.detail(d); err != nil {
			return mistake.In("detail", err)
		}
	}
	for _, definition := range d.Follows {
		compiled, err := c.follow(definition, cmp.Or(d.Dialect, c.dialect), l.follows)
		if err != nil {
			return mistake.In("follow "+definition.Name, err)
		}
		l.follows = append(l.follows, compiled)
	}
	return nil
}

func (c *compiler) detail(d Lookup) (compiled *detail, err error) {
	dialect, err := parseDialect(cmp.Or(d.Detail.Dialect, d.Dialect, c.dialect))
	if err != nil {
		return nil, mistake.In("dialect", err)
	}
	compiled = &detail{records: cmp.Or(d.Detail.Records, "@this")}
	if err := CheckPath(compiled.records); err != nil {
		return nil, mistake.In("records", err)
	}
	request := d.Detail.Ask
	if request.Headers == nil {
		request.Headers = d.Headers
	}
	if compiled.ask, err = c.ask(request, dialect, c.aboutScope(searchPlaceholders{filter: d.Filter != nil, each: len(d.Each) > 0})); err != nil {
		return nil, err
	}
	if compiled.miss, err = c.condition("miss", d.Miss, c.miss); err != nil {
		return nil, err
	}
	compiled.fail, err = c.condition("fail", d.Fail, c.fail)
	return compiled, err
}

func (c *compiler) follow(d Follow, language string, before []follow) (compiled follow, err error) {
	if err := checkIdentifier("name", d.Name); err != nil {
		return follow{}, err
	}
	if slices.ContainsFunc(before, func(f follow) bool { return f.name == d.Name }) {
		return follow{}, errors.New("is there twice; give each a name of its own")
	}
	compiled.name = d.Name
	dialect, err := parseDialect(cmp.Or(d.Dialect, language))
	if err != nil {
		return follow{}, mistake.In("dialect", err)
	}
	if compiled.ask, err = c.ask(d.Ask, dialect, c.aboutScope(searchPlaceholders{})); err != nil {
		return follow{}, err
	}
	if !compiled.any(func(t *text) bool { return t.UsesAny("record.", "contact.") }) {
		return follow{}, mistake.In(compiled.method, errors.New("asks the same for every record; write what the record knows of it, for example {record.company_id}"))
	}
	if compiled.miss, err = c.condition("miss", d.Miss, c.miss); err != nil {
		return follow{}, err
	}
	compiled.fail, err = c.condition("fail", d.Fail, c.fail)
	return compiled, err
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
	scope := c.mappingScope(l.follows)
	for _, part := range []struct {
		option   string
		texts    []string
		fallback string
		place    template.Place
		into     *template.Fallback[values]
	}{
		{"kind", d.RecordKind, "", template.Text, &l.recordKind},
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
		compiled, err := compileField(f, scope)
		if err != nil {
			return mistake.In("field "+f.Name, err)
		}
		l.fields = append(l.fields, compiled)
	}
	return nil
}

func compileField(f Field, scope *template.Scope[values]) (field, error) {
	compiled := field{name: f.Name}
	for _, written := range f.Value {
		one := fieldText{isAddress: addressForm.MatchString(written)}
		place := map[bool]template.Place{false: template.Text, true: template.URL}[one.isAddress]
		var err error
		if one.text, err = template.Compile(written, place, scope); err != nil {
			return field{}, err
		}
		compiled.value = append(compiled.value, one)
	}
	return compiled, nil
}

// addressForm is how the address of a page begins.
var addressForm = regexp.MustCompile(`^(\{crm\.url\}|https?://)`)

func checkField(name string) error {
	if slices.Contains(fixedFields, name) || name == "count" {
		return fmt.Errorf("every record has %s; write it as an option of its own", name)
	}
	return checkIdentifier("field name", name)
}
