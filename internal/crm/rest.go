package crm

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/screenpop/caddy-screenpop/internal/phone"
)

// Profile returns which CRM this is.
func (r *REST) Profile() Profile { return r.profile }

// Links returns the CRM's search and creation pages for a query.
func (r *REST) Links(query Query) Links {
	v := values{query: query}
	var links Links
	if r.searchURL != nil {
		links.Search, _ = r.searchURL.Render(v) // a refused value is no link
	}
	if r.createURL != nil {
		links.Create, _ = r.createURL.Render(v)
	}
	return links
}

// Search runs all lookups in parallel and returns what they found, in their
// configured order.
func (r *REST) Search(ctx context.Context, query Query) Result {
	results := make([]Result, len(r.lookups))
	var running sync.WaitGroup
	for i, l := range r.lookups {
		running.Go(func() { results[i] = r.search(ctx, l, query) })
	}
	running.Wait()

	var all Result
	var failures []error
	for _, result := range results {
		all.Records = append(all.Records, result.Records...)
		all.Requests = append(all.Requests, result.Requests...)
		if result.Err != nil {
			failures = append(failures, result.Err)
		}
	}
	all.Err = errors.Join(failures...)
	return all
}

// search runs one lookup: one request, or one for each spelling until one
// answers with a match.
func (r *REST) search(ctx context.Context, l *lookup, query Query) (result Result) {
	defer func() {
		if recovered := recover(); recovered != nil {
			result = Result{Err: r.panicked(l, recovered)}
		}
	}()
	attempts := r.attempts(l, query)
	if len(attempts) == 0 {
		return r.unwritable(l)
	}
	for _, attempt := range attempts {
		found := r.ask(ctx, l, attempt, &result)
		if len(found) > 0 || result.Err != nil {
			result.Records = found
			break
		}
	}
	return result
}

// panicked is the error for a defect of the program or one of its libraries
// that an answer brought to light. It must not end the server.
func (r *REST) panicked(l *lookup, recovered any) error {
	return r.explain(l.kind, failf("the program failed at the answer (%T); please report it with the lookup's definition", recovered))
}

// unwritable is the result for a number that none of the spellings can write:
// nothing was asked, which is not "not found".
func (r *REST) unwritable(l *lookup) Result {
	err := r.explain(l.kind, failf("not asked: the number can't be written in any of the spellings (%s); add one that every number has, for example e164", r.spellingNames()))
	return Result{Requests: []Request{{Lookup: l.kind, Err: err}}, Err: err}
}

func (r *REST) spellingNames() string {
	var names []string
	for _, spelling := range r.spellings {
		names = append(names, spelling.String())
	}
	return strings.Join(names, ", ")
}

// attempt is one request of a lookup.
type attempt struct {
	values values
	asked  string
}

// attempts plans the requests of a lookup. Two spellings that are the same
// text are asked for once, and one that a number doesn't have, never.
func (r *REST) attempts(l *lookup, query Query) []attempt {
	base := values{query: query}
	switch {
	case l.eachSpelling:
		var list []attempt
		for _, spelling := range r.spellingsOf(query.Number) {
			v := base
			v.spelling = spelling
			list = append(list, attempt{v, spelling.String()})
		}
		return list
	case l.filter != nil && len(r.spellingsOf(query.Number)) == 0:
		return nil // an empty filter would ask for everybody
	case l.filter != nil:
		return []attempt{{base, "filter"}}
	default:
		return []attempt{{base, ""}}
	}
}

func (r *REST) spellingsOf(number phone.Number) []phone.Spelling {
	seen := map[string]bool{"": true}
	var distinct []phone.Spelling
	for _, spelling := range r.spellings {
		if text := spelling.Of(number); !seen[text] {
			seen[text] = true
			distinct = append(distinct, spelling)
		}
	}
	return distinct
}

// joinFilter renders a filter's fragment for every spelling.
func (r *REST) joinFilter(l *lookup, v values) (string, error) {
	var joined strings.Builder
	for i, spelling := range r.spellingsOf(v.query.Number) {
		v.spelling = spelling
		fragment, err := l.filter.Render(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			joined.WriteString(l.join)
		}
		joined.WriteString(fragment)
	}
	return joined.String(), nil
}

// ask makes one request and keeps the records that are the caller's. What
// happened is added to the result's story.
func (r *REST) ask(ctx context.Context, l *lookup, a attempt, result *Result) []Record {
	step := Request{Lookup: l.kind, Asked: a.asked}
	exchange, err := r.list(ctx, l, a.values)
	step.Status, step.Took, step.Returned = exchange.status, exchange.took, len(exchange.records)
	if err != nil {
		step.Err = r.explain(l.kind, err)
		result.Err = step.Err
		result.Requests = append(result.Requests, step)
		return nil
	}

	// The CRM's order stays: a record that its detail confirms keeps its place.
	records := make([]*Record, len(exchange.records))
	var doubtful []doubt
	for i, raw := range exchange.records {
		v := a.values
		v.record = raw
		err := examine(ctx, func() {
			switch record := r.record(l, v); {
			case l.unverified || v.query.Matches(record.Phones):
				records[i] = &record
				step.Kept++
			case l.detail != nil && record.ID != "":
				doubtful = append(doubtful, doubt{v, &records[i]})
			default:
				step.Dropped++
			}
		})
		if err != nil {
			result.Err = r.explain(l.kind, err)
			break
		}
	}
	if exchange.truncated {
		result.Err = r.explain(l.kind, failf("the answer has more than %d records, and only those were looked at; make the search stricter", maxRecords))
	}
	result.Requests = append(result.Requests, step)
	r.settle(ctx, l, doubtful, result)
	return present(records)
}

func present(records []*Record) []Record {
	var list []Record
	for _, record := range records {
		if record != nil {
			list = append(list, *record)
		}
	}
	return list
}

// record maps what the CRM returned. What can't be mapped stays blank.
func (r *REST) record(l *lookup, v values) Record {
	record := Record{
		CRM:        r.profile.Name,
		Kind:       l.kind,
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
		record.Fields[f.name] = first(f.value.Render(v))
	}
	return record
}

// maxPhones bounds the work on one option of one record.
const maxPhones = 50

// page is the record's page: the first address all of whose parts the record
// has. https://crm.example.com/contacts/ without an id is another page.
func (l *lookup) page(v values) string {
	for _, address := range l.url {
		if address.IsComplete(v) {
			if page, err := address.Render(v); err == nil && page != "" {
				return page
			}
		}
	}
	return ""
}

func first(text string, _ error) string { return text }
