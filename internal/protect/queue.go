package protect

import (
	"context"
	"errors"
	"math"
	"time"
)

// enter waits for a request's turn. Whoever is let in must call leave, and tell
// what became of it by the permit.
func (s *State) enter(ctx context.Context, note *Note) (permit, error) {
	if err := s.health.check(); err != nil {
		return permit{}, err
	}
	if err := s.inTime(ctx); err != nil {
		return permit{}, err
	}
	if err := s.place(ctx, note); err != nil {
		return permit{}, err
	}
	s.running.Add(1)
	err := s.pace(ctx, note)
	if err == nil && note.Waited() > 0 {
		err = s.inTime(ctx)
	}
	if err != nil {
		s.leave()
		return permit{}, err
	}
	p, err := s.health.admit() // it may have failed while we waited
	if err != nil {
		s.leave()
	}
	return p, err
}

func (s *State) leave() {
	s.running.Add(-1)
	s.places.ReleasePermit()
}

// place takes one of the places for requests, when the CRM may be asked.
func (s *State) place(ctx context.Context, note *Note) error {
	for {
		if err := s.rest(ctx, note); err != nil {
			return err
		}
		if err := s.takePlace(ctx, note); err != nil {
			return err
		}
		if s.limit.left(time.Now()) == 0 {
			return nil
		}
		s.places.ReleasePermit() // another request was told to wait
	}
}

// rest waits while the CRM does not want to be asked, if there is time to.
func (s *State) rest(ctx context.Context, note *Note) error {
	left := s.limit.left(time.Now())
	if left == 0 {
		return nil
	}
	refusal := &Refusal{Why: Limited, Wait: left}
	if left > s.patience(ctx) {
		return refusal
	}
	return s.wait(note, refusal, func() error { return sleep(ctx, left) })
}

func (s *State) takePlace(ctx context.Context, note *Note) error {
	if s.places.TryAcquirePermit() {
		return nil
	}
	crowded := &Refusal{Why: Crowded, Count: s.options.Concurrent}
	return s.wait(note, crowded, func() error { return s.awaitPlace(ctx) })
}

// awaitPlace waits for a place for as long as that makes sense: another call may
// wait for the same in the meantime.
func (s *State) awaitPlace(ctx context.Context) error {
	for {
		patience := s.patience(ctx)
		if patience == 0 {
			return context.DeadlineExceeded
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		err := s.places.AcquirePermit(waiting)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// pace keeps the configured rate.
func (s *State) pace(ctx context.Context, note *Note) error {
	if s.rate == nil {
		return nil
	}
	refusal := &Refusal{Why: TooFast, Count: s.options.Rate, Per: s.options.Per}
	wait := s.rate.TryReservePermit(s.patience(ctx))
	switch {
	case wait < 0:
		return refusal
	case wait == 0:
		return nil
	}
	return s.wait(note, refusal, func() error { return sleep(ctx, wait) })
}

// wait waits as one of those that may do so at the same time. The refusal is
// for a request whose time is over before.
func (s *State) wait(note *Note, refusal *Refusal, until func() error) error {
	if s.waiting.Add(1) > int64(s.options.Queue) {
		s.waiting.Add(-1)
		return &Refusal{Why: QueueFull, Count: s.options.Queue}
	}
	defer s.waiting.Add(-1)
	began := time.Now()
	err := until()
	note.waited.Add(int64(time.Since(began)))
	if errors.Is(err, context.DeadlineExceeded) {
		return refusal
	}
	return err
}

// timeOf is how much time a context has left.
func timeOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return max(0, time.Until(deadline))
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
