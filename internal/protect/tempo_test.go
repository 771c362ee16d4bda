package protect

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// taking answers after a time.
func taking(d time.Duration) crm {
	return func(request *http.Request) (*http.Response, error) {
		if err := sleep(request.Context(), d); err != nil {
			return nil, err
		}
		return reply(200, ""), nil
	}
}

// learned is a CRM of which a stretch of answers is known.
func learned(t *testing.T, o Options, quickest time.Duration) *asker {
	t.Helper()
	a := ask(o, taking(quickest))
	for range stretch {
		if err := a.get(t); err != nil {
			t.Fatal(err)
		}
	}
	a.arrived.Store(0)
	return a
}

// within makes a request that has so much time.
func (a *asker) within(ctx context.Context, t *testing.T, left time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	_, _, err := a.send(ctx, "")
	return err
}

func TestALaterRequestThatCanNotBeAnsweredInTimeIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := learned(t, Options{}, 400*time.Millisecond)
		err := a.within(Later(t.Context()), t, 399*time.Millisecond)
		if refusal := why(t, err); refusal.Why != TooLate || refusal.Left != 399*time.Millisecond || refusal.Quickest != 400*time.Millisecond {
			t.Errorf("refused: %+v", refusal)
		}
		a.hasArrived(t, 0)
		if err := a.within(Later(t.Context()), t, 401*time.Millisecond); err != nil {
			t.Errorf("one that can be: %v", err)
		}
		a.hasArrived(t, 1)
		if status := a.Status(); status.Running != 0 || status.Breaker != "closed" {
			t.Errorf("%+v", status)
		}
	})
}

func TestTheFirstRequestOfASearchIsAlwaysMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := learned(t, Options{}, 400*time.Millisecond)
		a.answers(taking(10 * time.Millisecond)) // it has become quicker
		if err := a.within(t.Context(), t, 100*time.Millisecond); err != nil {
			t.Error(err)
		}
		a.hasArrived(t, 1)
		if err := a.within(Later(t.Context()), t, 100*time.Millisecond); err != nil {
			t.Errorf("now a later one is made too: %v", err)
		}
	})
}

func TestATempoThatIsNotKnownRefusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{}, taking(400*time.Millisecond))
		for range stretch - 1 {
			_ = a.get(t)
		}
		_ = a.within(Later(t.Context()), t, time.Millisecond)
		a.hasArrived(t, stretch)
	})
}

// A later request whose turn comes too late for it gives its place away.
func TestALaterRequestThatWaitedTooLongIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := learned(t, Options{Concurrent: 1}, 400*time.Millisecond)
		var first sync.WaitGroup
		first.Go(func() { _ = a.get(t) })
		synctest.Wait()
		if refusal := why(t, a.within(Later(t.Context()), t, 700*time.Millisecond)); refusal.Why != TooLate || refusal.Left != 300*time.Millisecond {
			t.Errorf("refused: %+v", refusal)
		}
		first.Wait()
		a.hasArrived(t, 1)
		if err := a.get(t); err != nil {
			t.Errorf("its place is free: %v", err)
		}
	})
}

func TestATempoForgets(t *testing.T) {
	var pace tempo
	learn := func(times int, took time.Duration) {
		for range times {
			pace.learn(took)
		}
	}
	learn(1, time.Millisecond)
	learn(stretch-1, time.Second)
	if got := pace.quickest(); got != time.Millisecond {
		t.Errorf("quickest: %s", got)
	}
	learn(stretch, time.Second)
	if got := pace.quickest(); got != time.Second {
		t.Errorf("after a stretch of slow answers: %s", got)
	}
	learn(1, 2*time.Millisecond)
	if got := pace.quickest(); got != 2*time.Millisecond {
		t.Errorf("after a quick one: %s", got)
	}
}
