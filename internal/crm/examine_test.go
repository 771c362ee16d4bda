package crm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAProcessorIsLeftForAnsweringCalls(t *testing.T) {
	var busy, most atomic.Int64
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() {
			err := examine(t.Context(), small+1, func() {
				now := busy.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				busy.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if most.Load() > int64(cap(examining)) || most.Load() == 0 {
		t.Errorf("%d were at work at once, of at most %d", most.Load(), cap(examining))
	}
}

func TestWorkWhoseTurnComesTooLateIsNotDone(t *testing.T) {
	for range cap(examining) {
		examining <- struct{}{}
	}
	defer func() {
		for range cap(examining) {
			<-examining
		}
	}()
	late := errors.New("the call is answered")
	ctx, cancel := context.WithCancelCause(t.Context())
	result := make(chan error)
	go func() { result <- examine(ctx, small+1, func() { t.Error("it was done") }) }()
	cancel(late)
	if err := <-result; !errors.Is(err, late) {
		t.Errorf("error: %v", err)
	}
}

func TestAPanicGivesTheTurnBack(t *testing.T) {
	func() {
		defer func() { _ = recover() }()
		_ = examine(t.Context(), small+1, func() { panic("a defect") })
	}()
	if len(examining) != 0 {
		t.Error("the turn is lost")
	}
}
