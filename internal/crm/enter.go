package crm

import "context"

// Base is the address below which requests are made, as far as the
// configuration says.
func (r *REST) Base() string { return r.api }

// Enter lets the program in before the first call does: it fetches the token or
// session, if the CRM wants one, and returns the address below which its API is.
func (r *REST) Enter(ctx context.Context) (string, error) {
	key, err := r.entry.key(ctx)
	if err != nil {
		return "", err
	}
	v := ofNobody()
	v.access = key.Answer
	return r.entry.base(v)
}

// maxParallel bounds how many connections are worth opening for one call.
const maxParallel = 8

// Parallel is how many requests a call makes at the same time, at first.
func (r *REST) Parallel() int {
	count := 0
	for _, l := range r.lookups {
		count += max(1, len(l.first.each))
	}
	return min(count, maxParallel)
}
