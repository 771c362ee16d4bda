package load

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what is rung in one round.
type Load struct {
	Address     string // host:port
	Connections int
	Duration    time.Duration
	// Calls ends it before that. Default: no limit.
	Calls int64
	// Caller returns the number of the nth call.
	Caller func(n int64) string
	// Check says what is wrong with an answer. Default: any that is no success.
	Check func(Answer) error
}

// Round is what one round brought.
type Round struct {
	Calls                int
	PerSec               float64
	P50, P99, P999, Most time.Duration
	Errors               int
	FirstErr             error
}

// Run rings from all connections until the time is over, or there were enough calls. Each connection sends
// its next call when the last one was answered.
func (l Load) Run(next func() int64) Round {
	var (
		together sync.WaitGroup
		mu       sync.Mutex
		all      []time.Duration
		result   Round
	)
	started := time.Now()
	until := started.Add(l.Duration)
	var rung atomic.Int64
	mayRing := func() bool { return time.Now().Before(until) && (l.Calls == 0 || rung.Add(1) <= l.Calls) }
	if l.Check == nil {
		l.Check = Answer.Succeeded
	}
	for range l.Connections {
		together.Go(func() {
			took, err := l.ring(mayRing, next)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				result.Errors++
				result.FirstErr = err
			}
		})
	}
	together.Wait()
	elapsed := time.Since(started)
	result.Calls = len(all)
	result.PerSec = float64(len(all)) / elapsed.Seconds()
	if len(all) > 0 {
		slices.Sort(all)
		result.P50, result.P99, result.P999, result.Most = quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999), all[len(all)-1]
	}
	return result
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ring sends calls over one connection.
func (l Load) ring(mayRing func() bool, next func() int64) (took []time.Duration, err error) {
	line, err := Dial(l.Address)
	if err != nil {
		return nil, err
	}
	defer line.Close()
	for mayRing() {
		sent := time.Now()
		answer, err := line.Ring(l.Caller(next()), "1469709757.74")
		if err == nil {
			err = l.Check(answer)
		}
		if err != nil {
			return took, err
		}
		took = append(took, time.Since(sent))
	}
	return took, nil
}

// SameCaller always calls from one number.
func SameCaller(int64) string { return "0612345678" }

// OtherCaller never calls twice from the same: French mobile numbers that there
// can be.
func OtherCaller(n int64) string { return fmt.Sprintf("06%08d", 10_000_000+n%60_000_000) }
