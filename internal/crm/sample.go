package crm

import (
	"context"
	"slices"
)

// Sampled are some records of one lookup, whatever their numbers.
type Sampled struct {
	// Kind is the lookup's.
	Kind string
	// Records have all that the mapping reads, and all their numbers.
	Records []Record
	// Err is why they could not be had.
	Err error
}

// Sample lists some records of each lookup that says how (sample): at most
// limit of each.
func (r *REST) Sample(ctx context.Context, limit int) []Sampled {
	var all []Sampled
	for _, l := range r.lookups {
		if l.sample == nil {
			continue
		}
		sampled := Sampled{Kind: l.kind}
		sampled.Records, sampled.Err = r.sample(ctx, l, limit)
		all = append(all, sampled)
	}
	return all
}

func (r *REST) sample(ctx context.Context, l *lookup, limit int) ([]Record, error) {
	v := ofNobody()
	v.limit, v.lookup = limit, l.kind
	x, err := r.list(ctx, l.sample, &v, l.detail != nil)
	if err != nil {
		return nil, r.explain(l.kind, err)
	}
	var records []Record
	for _, raw := range x.records[:min(limit, len(x.records))] {
		v.record, v.detail = raw, ""
		record := r.record(l, v)
		if l.detail != nil && record.ID != "" {
			if record, err = r.sampleDetail(ctx, l, v, record); err != nil {
				return records, r.explain(l.kind, err)
			}
		}
		if l.isNamedByFollow() {
			k := kept{&record, v}
			r.follow(ctx, l, []kept{k}, &Result{}) // what can't be had stays blank, as in a search
		}
		records = append(records, record)
	}
	return records, nil
}

// isNamedByFollow reports whether what belongs to a record decides which one it
// is: a contact that stands for a lead.
func (l *lookup) isNamedByFollow() bool {
	depends := func(t *text) bool { return t.UsesAny("follow.") }
	return slices.ContainsFunc(l.id, depends) || slices.ContainsFunc(l.recordKind, depends)
}

// sampleDetail asks for the numbers that the list does not show.
func (r *REST) sampleDetail(ctx context.Context, l *lookup, v values, listed Record) (Record, error) {
	v.id = listed.ID
	x, err := r.perform(ctx, l.detail.ask, v)
	if err != nil {
		return listed, err
	}
	if v.detail, err = l.detail.read(x); err != nil {
		return listed, err
	}
	return r.record(l, v), nil
}
