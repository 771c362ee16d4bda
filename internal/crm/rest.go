package crm

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/protect"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Profile returns which CRM this is.
func (r *REST) Profile() Profile { return r.profile }

// Links returns the CRM's search and creation pages for a query.
func (r *REST) Links(query Query) Links {
	if r.searchURL == nil && r.createURL == nil {
		return Links{}
	}
	return r.links(values{query: new(query)})
}

func (r *REST) links(v values) (links Links) {
	if r.searchURL != nil {
		links.Search, _ = r.searchURL.Render(v) // a refused value is no link
	}
	if r.createURL != nil {
		links.Create, _ = r.createURL.Render(v)
	}
	return links
}

// Search runs all lookups in parallel and returns what they found, in their
// configured order. Only when none of them finds anybody, their second searches
// are made: those are slow.
func (r *REST) Search(ctx context.Context, query Query) Result {
	runs := make([]*run, len(r.lookups))
	for i, l := range r.lookups {
		runs[i] = &run{lookup: l}
	}
	told := newProgress(runs, query.Interim)
	r.each(runs, func(one *run) {
		r.search(ctx, one, one.lookup.first, &query)
		told.searched(one)
	})
	if !slices.ContainsFunc(runs, func(one *run) bool { return len(one.kept) > 0 }) {
		r.each(runs, func(one *run) {
			if one.lookup.otherwise != nil && one.result.Err == nil {
				r.search(protect.Later(ctx), one, one.lookup.otherwise, &query)
				told.searchedAgain(one)
			}
		})
	}
	r.each(runs, func(one *run) { r.finish(ctx, one) })

	var all Result
	var failures []error
	for _, one := range runs {
		all.Records = append(all.Records, one.result.Records...)
		all.Requests = append(all.Requests, one.result.Requests...)
		if one.result.Err != nil {
			failures = append(failures, one.result.Err)
		}
	}
	all.Err = errors.Join(failures...)
	return all
}

// run is one lookup for one query.
type run struct {
	lookup *lookup
	result Result
	// kept are the records so far; asked is set once a request could be made.
	kept  []kept
	asked bool
}

// each does a step of all lookups at the same time. A panic is a defect of the
// program or one of its libraries that an answer brought to light: it must not
// end the server.
func (r *REST) each(runs []*run, step func(*run)) {
	together(len(runs), func(i int) {
		one := runs[i]
		defer func() {
			if recovered := recover(); recovered != nil {
				one.kept, one.result.Err = nil, r.panicked(one.lookup, recovered)
			}
		}()
		step(one)
	})
}

// search makes one of a lookup's searches.
func (r *REST) search(ctx context.Context, one *run, s *search, query *Query) {
	found, asked := r.find(ctx, one.lookup, s, values{query: query, lookup: one.lookup.kind}, &one.result)
	one.kept, one.asked = found, one.asked || asked
}

// finish asks for what the records need besides.
func (r *REST) finish(ctx context.Context, one *run) {
	if !one.asked && one.result.Err == nil {
		one.result = r.unwritable(one.lookup)
	}
	r.follow(ctx, one.lookup, one.kept, &one.result)
	for _, k := range one.kept {
		one.result.Records = append(one.result.Records, *k.record)
	}
}

// kept is a record that is the caller's, with what it was read from.
type kept struct {
	record *Record
	values values
}

// isAgain reports whether two requests of one search returned the same thing:
// by its id, or word for word.
func (k kept) isAgain(other kept) bool {
	return k.record.Same(*other.record) || k.values.eachOf != other.values.eachOf && k.values.record == other.values.record
}

// find makes a search: one request, or one for each spelling until one answers
// with a match; for each of the search's texts at the same time. It reports
// whether anything could be asked.
func (r *REST) find(ctx context.Context, l *lookup, s *search, v values, result *Result) (all []kept, asked bool) {
	branches := s.branches(v)
	together(len(branches), func(i int) {
		one := &branches[i]
		defer func() {
			if recovered := recover(); recovered != nil {
				one.found, one.result.Err = nil, r.panicked(l, recovered)
			}
		}()
		one.found, one.asked = r.tryAll(ctx, l, s, one.values, &one.result)
	})
	for i := range branches {
		one := &branches[i]
		result.Requests = append(result.Requests, one.result.Requests...)
		result.Err = errors.Join(result.Err, one.result.Err)
		asked = asked || one.asked
		for _, k := range one.found {
			if !slices.ContainsFunc(all, k.isAgain) {
				all = append(all, k)
			}
		}
	}
	return all, asked
}

// branch is one text of a search, with what came of it.
type branch struct {
	values values
	found  []kept
	asked  bool
	result Result
}

// branches are the values for each of a search's texts. A text that the number
// can't fill is left out, and two that are the same are one.
func (s *search) branches(v values) []branch {
	if len(s.each) == 0 {
		return []branch{{values: v}}
	}
	seen := map[string]bool{}
	var branches []branch
	for _, one := range s.each {
		branched := v
		branched.each, _ = one.Render(v) // settings and numbers are never refused
		branched.eachOf = one
		if one.IsComplete(v) && !seen[branched.each] {
			seen[branched.each] = true
			branches = append(branches, branch{values: branched})
		}
	}
	return branches
}

// tryAll makes the requests of one branch in turn, until one finds somebody.
func (r *REST) tryAll(ctx context.Context, l *lookup, s *search, v values, result *Result) (found []kept, asked bool) {
	attempts := s.attempts(v)
	for i, attempt := range attempts {
		if i == 1 {
			ctx = protect.Later(ctx)
		}
		attempt.name(l, s)
		found := r.ask(ctx, l, s, attempt, result)
		if len(found) > 0 || result.Err != nil {
			return found, true
		}
	}
	return nil, len(attempts) > 0
}

// panicked is the error for a panic.
func (r *REST) panicked(l *lookup, recovered any) error {
	return r.explain(l.kind, failf("the program failed at the answer (%T); please report it with the lookup's definition", recovered))
}

// unwritable is the result for a number that none of the spellings can write:
// nothing was asked, which is not "not found".
func (r *REST) unwritable(l *lookup) Result {
	err := r.explain(l.kind, failf("not asked: the number can't be written in any of the spellings (%s); add one that every number has, for example e164", l.first.spellingNames()))
	return Result{Requests: []Request{{Lookup: l.kind, Err: err}}, Err: err}
}

func (s *search) spellingNames() string {
	var names []string
	for _, spelling := range s.spellings {
		names = append(names, spelling.String())
	}
	return strings.Join(names, ", ")
}

// attempt is one request of a search.
type attempt struct {
	values values
	asked  string
}

// name adds to how an attempt asks which search and which text it is for.
func (a *attempt) name(l *lookup, s *search) {
	words := []string{a.asked}
	if a.values.eachOf != nil {
		words = []string{a.values.eachOf.String(), a.asked}
	}
	if s == l.otherwise {
		words = append([]string{"otherwise"}, words...)
	}
	a.asked = strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// attempts plans the requests of a search. Two spellings that are the same
// text are asked for once, and one that a number doesn't have, never.
func (s *search) attempts(v values) []attempt {
	switch {
	case s.eachSpelling:
		var list []attempt
		for _, spelling := range s.spellingsOf(v.query.Number) {
			v.spelling = spelling
			list = append(list, attempt{v, spelling.String()})
		}
		return list
	case s.filter != nil && len(s.spellingsOf(v.query.Number)) == 0:
		return nil // an empty filter would ask for everybody
	case s.filter != nil:
		return []attempt{{v, "filter"}}
	default:
		return []attempt{{v, ""}}
	}
}

func (s *search) spellingsOf(number phone.Number) []phone.Spelling {
	seen := map[string]bool{"": true}
	var distinct []phone.Spelling
	for _, spelling := range s.spellings {
		if text := spelling.Of(number); !seen[text] {
			seen[text] = true
			distinct = append(distinct, spelling)
		}
	}
	return distinct
}

// joinFilter renders a filter's fragment for every spelling.
func (s *search) joinFilter(v values) (string, error) {
	var joined strings.Builder
	for i, spelling := range s.spellingsOf(v.query.Number) {
		v.spelling = spelling
		fragment, err := s.filter.Render(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			joined.WriteString(s.join)
		}
		joined.WriteString(fragment)
	}
	return joined.String(), nil
}

// ask makes one request and keeps the records that are the caller's. What
// happened is added to the result's story.
func (r *REST) ask(ctx context.Context, l *lookup, s *search, a attempt, result *Result) []kept {
	step := Request{Lookup: l.kind, Asked: a.asked}
	x, err := r.list(ctx, s, &a.values, l.detail != nil)
	step.exchanged(x)
	step.Returned = len(x.records)
	if err != nil {
		step.Err = r.explain(l.kind, err)
		result.Err = step.Err
		result.Requests = append(result.Requests, step)
		return nil
	}

	// The CRM's order stays: a record that its detail confirms keeps its place.
	records := make([]kept, len(x.records))
	var doubtful []doubt
	numberless := 0
	for i, raw := range x.records {
		v := a.values
		v.record = raw
		err := examine(ctx, len(x.body), func() {
			switch record := r.record(l, v); {
			case l.unverified || v.query.Matches(record.Phones):
				records[i] = kept{&record, v}
				step.Kept++
			case l.detail != nil && record.ID != "":
				v.id = record.ID
				doubtful = append(doubtful, doubt{v, &records[i]})
			default:
				step.Dropped++
				if len(record.Phones) == 0 {
					numberless++
				}
				r.witness.Load().drop(record)
			}
		})
		if err != nil {
			result.Err = r.explain(l.kind, err)
			break
		}
	}
	if x.truncated {
		result.Err = r.explain(l.kind, failf("the answer has more than %d records, and only those were looked at; make the search stricter", maxRecords))
	}
	if numberless > 0 && numberless == step.Returned {
		step.Doubt = r.explain(l.kind, errNumberless)
	}
	result.Requests = append(result.Requests, step)
	r.settle(ctx, l, doubtful, result)
	return slices.DeleteFunc(records, func(k kept) bool { return k.record == nil })
}

// errNumberless is no failure: a search over all texts finds people without a
// number too. With a place written wrongly, though, everybody is unknown.
var errNumberless = failf("the CRM returned something, but no number is where phones says that they are; are records and phones right, and may the credentials read those fields?")

// record maps what the CRM returned. What can't be mapped stays blank.
func (r *REST) record(l *lookup, v values) Record {
	record := Record{
		CRM:        r.profile.Name,
		Kind:       l.kindOf(v),
		ID:         first(l.id.Render(v)),
		Name:       first(l.name.Render(v)),
		Company:    first(l.company.Render(v)),
		Email:      first(l.email.Render(v)),
		URL:        l.page(v),
		Unverified: l.unverified,
	}
	for _, phones := range l.phones {
		list, err := phones.RenderAll(v)
		if err == nil {
			record.Phones = append(record.Phones, list[:min(len(list), maxPhones)]...)
		}
	}
	for _, f := range l.fields {
		if record.Fields == nil {
			record.Fields = make(map[string]string, len(l.fields))
		}
		record.Fields[f.name] = f.of(v)
	}
	return record
}

// kindOf is the kind of a record: the lookup's, unless the record says another.
func (l *lookup) kindOf(v values) string {
	said := strings.ToLower(first(l.recordKind.Render(v)))
	if !nameForm.MatchString(said) {
		return l.kind
	}
	return said
}

// maxPhones bounds the work on one option of one record.
const maxPhones = 50

// page is the record's page: the first address all of whose parts the record
// has. https://crm.example.com/contacts/ without an id is another page.
func (l *lookup) page(v values) string { return page(l.url, v) }

func page(addresses template.Fallback[values], v values) string {
	for _, address := range addresses {
		if address.IsComplete(v) {
			if page, err := address.Render(v); err == nil && page != "" {
				return page
			}
		}
	}
	return ""
}

// of reads a field.
func (f field) of(v values) string {
	for _, one := range f.value {
		said := first(one.text.Render(v))
		if one.isAddress {
			said = page(template.Fallback[values]{one.text}, v)
		}
		if strings.TrimSpace(said) != "" {
			return said
		}
	}
	return ""
}

func first(text string, _ error) string { return text }
