package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
)

// tally counts what became of calls.
type tally struct {
	mu sync.Mutex
	// calls that were rung, and of them those that were answered so.
	calls, found, notFound, unreachable int
	// lost got no answer, and wrong one that is not true.
	lost, wrong int
	// closed connections and refused ones were replaced, and the call rung again.
	closed, refused int
	took            []time.Duration
	// limit is how long a call may take, and sky tells what is happening when one
	// takes longer.
	limit time.Duration
	sky   func() string
	// examples are some of what was lost or wrong.
	examples []string
}

const maxExamples = 20

func (t *tally) count(what *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*what++
}

// add counts a call.
func (t *tally) add(caller string, answer load.Answer, err error, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	t.took = append(t.took, took)
	if took > t.limit {
		t.example("caller %s, answered after %s; at the end of it %s", caller, took, t.sky())
	}
	says := func(url string) bool { return bytes.Contains(answer.Body, []byte(url)) }
	switch known := isKnown(caller); {
	case err != nil:
		t.lost++
		t.example("caller %s, lost after %s: %v", caller, took, err)
	case answer.Status == 200 && says(unreachable):
		t.unreachable++
	case answer.Status == 200 && known && isOf(caller, string(answer.Body)):
		t.found++
	case answer.Status == 200 && !known && says(notFound):
		t.notFound++
	default:
		t.wrong++
		t.example("caller %s, after %s: %d %s", caller, took, answer.Status, answer.Body)
	}
}

func (t *tally) example(format string, args ...any) {
	if len(t.examples) < maxExamples {
		t.examples = append(t.examples, fmt.Sprintf(format, args...))
	}
}

// late counts the calls that took longer.
func (t *tally) late(than time.Duration) (count int) {
	for _, took := range t.took {
		if took > than {
			count++
		}
	}
	return count
}

// worst is the longest that a call took.
func (t *tally) worst() time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	return slices.Max(t.took)
}
