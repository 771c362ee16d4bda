package crm

import (
	"context"
	"errors"
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
func (r *REST) search(ctx context.Context, l *lookup, query Query) Result {
	var result Result
	for _, attempt := range r.attempts(l, query) {
		found := r.ask(ctx, l, attempt, &result)
		if len(found) > 0 || result.Err != nil {
			result.Records = found
			break
		}
	}
	return result
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
	joined := ""
	for i, spelling := range r.spellingsOf(v.query.Number) {
		v.spelling = spelling
		fragment, err := l.filter.Render(v)
		if err != nil {
			return "", err
		}
		if i > 0 {
			joined += l.join
		}
		joined += fragment
	}
	return joined, nil
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

	var kept []Record
	var doubtful []values
	for _, raw := range exchange.records {
		v := a.values
		v.record = raw
		switch record := r.record(l, v); {
		case l.unverified || v.query.Matches(record.Phones):
			kept = append(kept, record)
		case l.detail != nil:
			doubtful = append(doubtful, v)
		}
	}
	step.Kept = len(kept)
	result.Requests = append(result.Requests, step)
	return append(kept, r.details(ctx, l, doubtful, result)...)
}

// maxDetails bounds the requests that one answer can cause. A search that
// returns more strangers than that is not a search by number.
const maxDetails = 10

// details asks for the whole of each record whose numbers in the list were not
// the caller's, and keeps those that have the caller's number after all.
func (r *REST) details(ctx context.Context, l *lookup, doubtful []values, result *Result) []Record {
	if len(doubtful) > maxDetails {
		result.Err = r.explain(l.kind, failf("the answer has %d records without the caller's number, too many to ask for one by one; make the search stricter", len(doubtful)))
		doubtful = doubtful[:maxDetails]
	}
	records := make([]*Record, len(doubtful))
	steps := make([]Request, len(doubtful))
	var running sync.WaitGroup
	for i, v := range doubtful {
		running.Go(func() { records[i], steps[i] = r.askDetail(ctx, l, v) })
	}
	running.Wait()

	var kept []Record
	for i := range steps {
		if steps[i].Err != nil && result.Err == nil {
			result.Err = steps[i].Err
		}
		if records[i] != nil {
			kept = append(kept, *records[i])
		}
	}
	result.Requests = append(result.Requests, steps...)
	return kept
}

func (r *REST) askDetail(ctx context.Context, l *lookup, v values) (*Record, Request) {
	step := Request{Lookup: l.kind, Asked: "detail"}
	exchange, err := r.detail(ctx, l, v)
	step.Status, step.Took = exchange.status, exchange.took
	if err != nil {
		step.Err = r.explain(l.kind, err)
		return nil, step
	}
	step.Returned = 1
	v.detail = exchange.body
	record := r.record(l, v)
	if !v.query.Matches(record.Phones) {
		return nil, step
	}
	step.Kept = 1
	return &record, step
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
		URL:        first(l.url.Render(v)),
		Unverified: l.unverified,
	}
	for _, phones := range l.phones {
		list, err := phones.RenderAll(v)
		if err == nil {
			record.Phones = append(record.Phones, list...)
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

func first(text string, _ error) string { return text }
