package crm

import (
	"errors"
	"slices"
	"sync"
)

// progress tells what is known while other lookups are still being asked. A nil
// one tells nobody.
type progress struct {
	tell func(Result)

	mu      sync.Mutex
	lookups []standing
}

// standing is how far a lookup has come.
type standing struct {
	run *run
	// known is what has come of it so far.
	known Result
	// answered is set when its searches that were made have answered; again when
	// the second one has.
	answered, again bool
}

func newProgress(runs []*run, tell func(Result)) *progress {
	if tell == nil || !isTold(runs) {
		return nil
	}
	p := &progress{tell: tell}
	for _, one := range runs {
		p.lookups = append(p.lookups, standing{run: one})
	}
	return p
}

// isTold reports whether anything can be known while the rest is still asked.
func isTold(runs []*run) bool {
	return len(runs) != 1 || runs[0].lookup.otherwise != nil || len(runs[0].lookup.follows) > 0
}

// searched notes what came of a lookup's first search.
func (p *progress) searched(one *run) { p.note(one, func(s *standing) { s.answered = true }) }

// searchedAgain notes what came of its second one.
func (p *progress) searchedAgain(one *run) { p.note(one, func(s *standing) { s.again = true }) }

func (p *progress) note(one *run, advance func(*standing)) {
	if p == nil {
		return
	}
	known := Result{Requests: slices.Clone(one.result.Requests), Err: one.result.Err}
	for _, k := range one.kept {
		known.Records = append(known.Records, *k.record)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.lookups {
		if p.lookups[i].run == one {
			p.lookups[i].known = known
			advance(&p.lookups[i])
		}
	}
	if interim := p.joined(); len(interim.Pending) > 0 {
		p.tell(interim)
	}
}

// joined is what is known of all lookups.
func (p *progress) joined() Result {
	var all Result
	found := slices.ContainsFunc(p.lookups, func(s standing) bool { return len(s.known.Records) > 0 })
	for _, s := range p.lookups {
		all.Records = append(all.Records, s.known.Records...)
		all.Requests = append(all.Requests, s.known.Requests...)
		all.Err = errors.Join(all.Err, s.known.Err)
		if s.isPending(found) {
			all.Pending = append(all.Pending, s.run.lookup.kind)
		}
	}
	return all
}

// isPending reports whether more is to come of a lookup: its search, a second
// one because nobody was found, or what belongs to its records.
func (s standing) isPending(found bool) bool {
	switch {
	case !s.answered:
		return true
	case s.known.Err != nil:
		return false
	case len(s.known.Records) > 0:
		return len(s.run.lookup.follows) > 0
	default:
		return !found && s.run.lookup.otherwise != nil && !s.again
	}
}
