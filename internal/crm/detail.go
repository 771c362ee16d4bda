package crm

import (
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// doubt is a record whose numbers in the list are not the caller's. The CRM
// may have found it by one that the list does not show.
type doubt struct {
	values values
	// place is where it belongs if it is the caller's after all.
	place *kept
}

// maxDetails bounds the requests that one answer can cause. A search that
// returns more strangers than that is not a search by number.
const maxDetails = 10

// settle asks for the whole of each doubtful record, and puts those that have
// the caller's number into their places.
func (r *REST) settle(ctx context.Context, l *lookup, doubtful []doubt, result *Result) {
	if len(doubtful) > maxDetails {
		result.Err = r.explain(l.kind, failf("the answer has %d records without the caller's number, too many to ask for one by one; make the search stricter", len(doubtful)))
		doubtful = doubtful[:maxDetails]
	}
	steps := make([]Request, len(doubtful))
	together(len(doubtful), func(i int) { *doubtful[i].place, steps[i] = r.askDetail(ctx, l, doubtful[i].values) })
	for _, step := range steps {
		if step.Err != nil && result.Err == nil {
			result.Err = step.Err
		}
	}
	result.Requests = append(result.Requests, steps...)
}

func (r *REST) askDetail(ctx context.Context, l *lookup, v values) (confirmed kept, step Request) {
	step = Request{Lookup: l.kind, Asked: "detail"}
	defer func() {
		if recovered := recover(); recovered != nil {
			confirmed, step.Err = kept{}, r.panicked(l, recovered)
		}
	}()
	x, err := r.perform(protect.Later(ctx), l.detail.ask, v)
	step.exchanged(x)
	if err == nil {
		late := examine(ctx, len(x.body), func() { v.detail, err = l.detail.read(x) })
		err = errors.Join(err, late)
	}
	if err != nil {
		step.Err = r.explain(l.kind, err)
		return kept{}, step
	}
	step.Returned = 1
	record := r.record(l, v)
	if !v.query.Matches(record.Phones) {
		step.Dropped = 1
		r.witness.Load().drop(record)
		return kept{}, step
	}
	step.Kept = 1
	return kept{&record, v}, step
}

// read takes the record out of an answer; "" if it was deleted since the
// search.
func (d *detail) read(x *exchange) (string, error) {
	if d.miss.meansNothing(x) {
		return "", nil
	}
	if err := x.check(d.fail); err != nil {
		return "", err
	}
	found := gjson.Get(x.body, d.records)
	if list := found.Array(); found.IsArray() && len(list) > 0 {
		found = list[0]
	}
	if !found.IsObject() {
		if d.miss.holds(x) || found.Exists() {
			return "", nil
		}
		return "", failf("the answer has nothing at %q (records of detail)", d.records)
	}
	return found.Raw, nil
}
