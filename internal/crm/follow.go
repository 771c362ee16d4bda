package crm

import (
	"context"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// maxFollowed is for how many records of a lookup more is asked. An agent who
// chooses among more than that reads names, not companies.
const maxFollowed = 10

// follow asks for what belongs to the records that were found, and reads them
// again with it. What can't be had stays blank: the records are true all the same.
func (r *REST) follow(ctx context.Context, l *lookup, found []kept, result *Result) {
	if len(l.follows) == 0 {
		return
	}
	asked := &followed{answers: map[string]*followedAnswer{}}
	found = found[:min(len(found), maxFollowed)]
	together(len(found), func(i int) {
		defer asked.survive(r, l)
		found[i].values.id = found[i].record.ID
		found[i].values.follows = map[string]string{}
		r.followAll(ctx, l, &found[i], asked)
	})
	result.Requests = append(result.Requests, asked.steps...)
	if asked.err != nil && result.Err == nil {
		result.Err = asked.err
	}
}

// followAll asks for everything that belongs to one record.
func (r *REST) followAll(ctx context.Context, l *lookup, k *kept, asked *followed) {
	key, err := r.entry.key(ctx)
	if err != nil {
		asked.fail(r.explain(l.kind, err))
		return
	}
	k.values.access = key.Answer
	answers := make([]string, len(l.follows))
	together(len(l.follows), func(i int) {
		defer asked.survive(r, l)
		answers[i] = asked.once(r, ctx, l, &l.follows[i], k.values)
	})
	size := len(k.values.record) + len(k.values.detail)
	for i, answer := range answers {
		k.values.follows[l.follows[i].name] = answer
		size += len(answer)
	}
	_ = examine(ctx, size, func() { *k.record = r.record(l, k.values) }) // too late: as it was
}

// followed are the requests that the records of one lookup caused. Two records
// of one company ask for it once.
type followed struct {
	mu      sync.Mutex
	answers map[string]*followedAnswer
	steps   []Request
	err     error
}

type followedAnswer struct {
	once sync.Once
	body string
}

// once returns the answer to a request, which is made if it was not before.
func (f *followed) once(r *REST, ctx context.Context, l *lookup, one *follow, v values) string { //nolint:revive // the receiver owns, the CRM asks
	if !one.isComplete(v) {
		return ""
	}
	key, err := one.identity(v)
	if err != nil {
		f.fail(r.explain(l.kind, &refused{err}))
		return ""
	}
	f.mu.Lock()
	answer, there := f.answers[key]
	if !there {
		answer = &followedAnswer{}
		f.answers[key] = answer
	}
	f.mu.Unlock()
	answer.once.Do(func() { answer.body = f.ask(r, ctx, l, one, v) })
	return answer.body
}

func (f *followed) ask(r *REST, ctx context.Context, l *lookup, one *follow, v values) string { //nolint:revive // as above
	step := Request{Lookup: l.kind, Asked: AskedFollow + one.name}
	x, err := r.perform(protect.Later(one.miss.expected(ctx)), one.ask, v)
	step.exchanged(x)
	body := ""
	if err == nil {
		body, err = one.read(x)
	}
	if err != nil {
		step.Err = r.explain(l.kind+": follow "+one.name, err)
		f.fail(step.Err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, step)
	return body
}

// survive makes a panic a failure. It is deferred in every goroutine: one that
// panics ends the server.
func (f *followed) survive(r *REST, l *lookup) {
	if recovered := recover(); recovered != nil {
		f.fail(r.panicked(l, recovered))
	}
}

func (f *followed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// read returns the answer, or "" if it says that there is no such thing.
func (f *follow) read(x *exchange) (string, error) {
	if f.miss.meansNothing(x) {
		return "", nil
	}
	if err := x.check(f.fail); err != nil {
		return "", err
	}
	if f.miss.holds(x) {
		return "", nil
	}
	return gjson.Parse(x.body).Raw, nil
}

// identity is the same for requests that are the same.
func (f *follow) identity(v values) (string, error) {
	identity := []string{f.name}
	for t := range f.texts {
		rendered, err := t.Render(v)
		if err != nil {
			return "", err
		}
		identity = append(identity, rendered)
	}
	return strings.Join(identity, "\x00"), nil
}
