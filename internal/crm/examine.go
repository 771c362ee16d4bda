package crm

import (
	"context"
	"runtime"
)

// examining bounds how many answers and records are worked on at once, in the
// whole program. A CRM that returns everybody to forty calls would else keep
// every processor busy, and calls from being answered; one is left for those.
var examining = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))

// small is an answer, in bytes, that is worked on at once: its turn would take
// longer to come than the work.
const small = 16 << 10

// examine does a short piece of work on an answer, or on a record of it, in turn
// with other calls'. It returns the context's cause when that ends before the
// turn comes.
func examine(ctx context.Context, answer int, work func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if answer <= small {
		work()
		return nil
	}
	select {
	case examining <- struct{}{}:
		defer func() { <-examining }()
		work()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
