package crm

import (
	"context"
	"sync"
)

// doubt is a record whose numbers in the list are not the caller's. The CRM
// may have found it by one that the list does not show.
type doubt struct {
	values values
	// record is where it belongs if it is the caller's after all.
	record **Record
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
	var running sync.WaitGroup
	for i, d := range doubtful {
		running.Go(func() { *d.record, steps[i] = r.askDetail(ctx, l, d.values) })
	}
	running.Wait()
	for _, step := range steps {
		if step.Err != nil && result.Err == nil {
			result.Err = step.Err
		}
	}
	result.Requests = append(result.Requests, steps...)
}

func (r *REST) askDetail(ctx context.Context, l *lookup, v values) (confirmed *Record, step Request) {
	step = Request{Lookup: l.kind, Asked: "detail"}
	defer func() {
		if recovered := recover(); recovered != nil {
			confirmed, step.Err = nil, r.panicked(l, recovered)
		}
	}()
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
		step.Dropped = 1
		return nil, step
	}
	step.Kept = 1
	return &record, step
}
