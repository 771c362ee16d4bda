package main

import (
	"sync/atomic"
	"time"
)

// stalls measures for how long this machine does not let a program run that has
// something to do: who is measured on it can't be quicker.
type stalls struct {
	longest atomic.Int64
	ended   chan struct{}
}

// watch begins to measure.
func watch() *stalls {
	s := &stalls{ended: make(chan struct{})}
	go func() {
		const nap = 2 * time.Millisecond
		for {
			slept := time.Now()
			select {
			case <-time.After(nap):
			case <-s.ended:
				return
			}
			s.longest.Store(max(s.longest.Load(), int64(time.Since(slept)-nap)))
		}
	}()
	return s
}

// end returns the longest stall.
func (s *stalls) end() time.Duration {
	close(s.ended)
	return time.Duration(s.longest.Load())
}
