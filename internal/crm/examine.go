package crm

import (
	"context"
	"runtime"
)

// examining bounds how many answers and records are worked on at once, in the
// whole program. A CRM that returns everybody to forty calls would else keep
// every processor busy, and calls from being answered; one is left for those.
var examining = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))

// examine does a short piece of work on an answer, in turn with other calls'.
// It returns the context's cause when that ends before the turn comes.
func examine(ctx context.Context, work func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
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
