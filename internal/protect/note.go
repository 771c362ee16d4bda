package protect

import (
	"context"
	"sync/atomic"
	"time"
)

// Note is what becomes of a request, for its trace.
type Note struct {
	tries  atomic.Int32
	waited atomic.Int64
}

// Tries is how often the request was made; 0 if it was not.
func (n *Note) Tries() int { return int(n.tries.Load()) }

// Waited is how long it waited for its turn.
func (n *Note) Waited() time.Duration { return time.Duration(n.waited.Load()) }

type contextKey int

const (
	noteKey contextKey = iota
	exemptKey
	normalKey
	laterKey
	allowanceKey
	awaitedKey
)

// WithNote has a note written of the requests that are made with the context.
func WithNote(ctx context.Context, note *Note) context.Context {
	return context.WithValue(ctx, noteKey, note)
}

func noteOf(ctx context.Context) *Note {
	if note, ok := ctx.Value(noteKey).(*Note); ok {
		return note
	}
	return &Note{}
}

// Exempt is for requests that are not searches: log-ins, and those for tokens.
// They have a back-off of their own, and making one twice may lock an account
// or use a token up.
func Exempt(ctx context.Context) context.Context { return context.WithValue(ctx, exemptKey, true) }

func isExempt(ctx context.Context) bool { return ctx.Value(exemptKey) != nil }

// WithNormal is for requests to which a CRM may answer with a status of 500 or
// above although nothing is wrong with it.
func WithNormal(ctx context.Context, isNormal func(status int) bool) context.Context {
	return context.WithValue(ctx, normalKey, isNormal)
}

func isNormal(ctx context.Context, status int) bool {
	is, ok := ctx.Value(normalKey).(func(int) bool)
	return ok && is(status)
}
