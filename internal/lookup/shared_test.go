package lookup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// board is a shelf in memory, which takes its time and can be taken away.
type board struct {
	takes time.Duration

	mu     sync.Mutex
	values map[string]pinned
	down   bool
}

type pinned struct {
	value []byte
	until time.Time
}

var errShelf = errors.New("the shelf is down")

func newBoard() *board { return &board{takes: time.Millisecond, values: map[string]pinned{}} }

// do is one exchange. While the shelf is down it takes as long as anybody waits.
func (b *board) do(ctx context.Context, exchange func()) error {
	b.mu.Lock()
	down := b.down
	b.mu.Unlock()
	if down {
		time.Sleep(100 * time.Millisecond)
		return errShelf
	}
	time.Sleep(b.takes)
	b.mu.Lock()
	defer b.mu.Unlock()
	exchange()
	return ctx.Err()
}

func (b *board) Take(ctx context.Context, key string) (value []byte, left time.Duration, err error) {
	err = b.do(ctx, func() {
		if p, ok := b.values[key]; ok && time.Now().Before(p.until) {
			value, left = p.value, time.Until(p.until)
		}
	})
	return value, left, err
}

func (b *board) Put(ctx context.Context, key string, value []byte, lasting time.Duration) error {
	return b.do(ctx, func() { b.values[key] = pinned{slices.Clone(value), time.Now().Add(lasting)} })
}

func (b *board) Remove(ctx context.Context, key string) error {
	return b.do(ctx, func() { delete(b.values, key) })
}

func (b *board) Claim(ctx context.Context, key string, lasting time.Duration) (ours bool, err error) {
	err = b.do(ctx, func() {
		p, taken := b.values["claim "+key]
		if ours = !taken || !time.Now().Before(p.until); ours {
			b.values["claim "+key] = pinned{nil, time.Now().Add(lasting)}
		}
	})
	return ours, err
}

func (b *board) Release(ctx context.Context, key string) error { return b.Remove(ctx, "claim "+key) }

func (b *board) turn(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// prolong lets everything stay for longer.
func (b *board) prolong(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, p := range b.values {
		b.values[key] = pinned{p.value, p.until.Add(by)}
	}
}

// fleet runs a test with two gateways that share a shelf.
func (o *office) fleet(t *testing.T, b *board, test func(t *testing.T, one, other *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		settings := defaults
		settings.Shelf = b
		var desks []*desk
		for range 2 {
			memory, d := NewMemory(settings), &desk{t: t}
			d.Engine = New(NewSource(o, Options{Memory: memory, Behind: func(r Report) { d.behind = append(d.behind, r) }}))
			desks = append(desks, d)
			defer memory.Close()
		}
		test(t, desks[0], desks[1])
		desks[0].Retire()
		desks[1].Retire()
		time.Sleep(2 * time.Second) // for what is done when the calls were told
	})
}

// both ring at the same moment.
func both(one, other *desk) (first, second Report) {
	var ringing sync.WaitGroup
	ringing.Go(func() { first = one.ring() })
	ringing.Go(func() { second = other.ring() })
	ringing.Wait()
	return first, second
}

func TestAFleetAsksOnce(t *testing.T) {
	o := &office{takes: 30 * time.Millisecond}
	o.know(person("Rosa"))
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		first, second := both(one, other)
		origins := []Origin{first.Origin, second.Origin}
		slices.Sort(origins)
		if names(first.Result.Records) != "Rosa" || names(second.Result.Records) != "Rosa" || !slices.Equal(origins, []Origin{Asked, Shared}) {
			t.Errorf("got %+v and %+v", first, second)
		}
		o.was(t, 1)
	})
}

func TestAnotherGatewayRemembersToo(t *testing.T) {
	o := &office{}
	o.know(person("Rosa"))
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		one.ring()
		time.Sleep(time.Minute)
		report := other.ring()
		if names(report.Result.Records) != "Rosa" || report.Origin != Shared || report.Age.Round(time.Second) != time.Minute || report.Stale {
			t.Errorf("report = %+v", report)
		}
		time.Sleep(defaults.TTL - time.Minute)
		if report := other.ring(); report.Origin != Cached || !report.Stale {
			t.Errorf("it is fresh for longer than in the gateway that asked: %+v", report)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		o.was(t, 2)
	})
}

func TestWhoWasFoundByAnotherGatewayIsRenewedOnce(t *testing.T) {
	o := &office{takes: 30 * time.Millisecond}
	o.know(person("Rosa"))
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		one.ring()
		o.know(person("Camille"))
		time.Sleep(2 * defaults.TTL)
		report := other.ring()
		if names(report.Result.Records) != "Rosa" || report.Origin != Shared || !report.Stale {
			t.Errorf("report = %+v", report)
		}
		time.Sleep(time.Second)
		for _, d := range []*desk{one, other} {
			d.ring() // one of them may renew it from the shelf
			time.Sleep(time.Second)
			if report := d.ring(); names(report.Result.Records) != "Camille" || report.Stale {
				t.Errorf("then %+v", report)
			}
		}
		o.was(t, 2)
	})
}

// That is how it looks when the clock of the machine with the shelf, or of one of
// the gateways, is set.
func TestNoClockOfAFleetProlongsWhatIsShared(t *testing.T) {
	answer := sharedAnswer{Fresh: time.Minute, Stale: time.Hour, Said: time.Now().UTC()}
	for _, test := range []struct{ left, since, want time.Duration }{
		{answer.Fresh + answer.Stale, 0, 0},
		{answer.Fresh + answer.Stale - time.Second, time.Second, time.Second},
		{3 * time.Hour, 30 * time.Second, 30 * time.Second}, // the shelf's was set back
		{time.Second, 0, answer.Fresh + answer.Stale - time.Second},
		{answer.Fresh + answer.Stale - time.Second, -time.Hour, time.Second}, // ours was, or is behind
		{answer.Fresh + answer.Stale, time.Hour, time.Hour},
	} {
		if age := answer.age(test.left, answer.Said.Add(test.since)); age != test.want {
			t.Errorf("%s after it was said, of which %s are left: it is %s old, want %s", test.since, test.left, age, test.want)
		}
	}
}

func TestAShelfWhoseClockIsSetBackAnswersWithNothingOld(t *testing.T) {
	o, b := &office{}, newBoard()
	o.fleet(t, b, func(t *testing.T, one, other *desk) {
		one.ring()
		synctest.Wait()
		time.Sleep(time.Second)
		b.prolong(24 * time.Hour)
		o.know(person("Rosa"))
		time.Sleep(defaults.NotFound)
		gets(t, other.ring(), "Rosa", Asked, 0)

		time.Sleep(time.Second)
		b.prolong(24 * time.Hour)
		o.fail()
		time.Sleep(defaults.TTL + defaults.Stale)
		if report := one.ring(); !errors.Is(report.Result.Err, errDown) || len(report.Result.Records) > 0 {
			t.Errorf("got %+v", report)
		}
	})
}

func TestNotFoundIsSharedForAsLongAsItIsFresh(t *testing.T) {
	o := &office{}
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		one.ring()
		time.Sleep(defaults.NotFound / 2)
		if report := other.ring(); report.Origin != Shared || report.Result.Err != nil || len(report.Result.Records) > 0 {
			t.Errorf("report = %+v", report)
		}
		time.Sleep(defaults.NotFound / 2)
		o.know(person("Rosa"))
		if report := other.ring(); report.Origin != Asked || names(report.Result.Records) != "Rosa" {
			t.Errorf("then %+v", report)
		}
	})
}

func TestWhatCouldNotBeAskedIsNotShared(t *testing.T) {
	o := &office{takes: 30 * time.Millisecond}
	o.fail()
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		first, second := both(one, other)
		if first.Result.Err == nil || second.Result.Err == nil {
			t.Errorf("got %+v and %+v", first, second)
		}
		o.was(t, 2)
	})
}

func TestAGatewayThatDiedIsWaitedForHalfOfTheDeadline(t *testing.T) {
	o, b := &office{}, newBoard()
	o.know(person("Rosa"))
	o.fleet(t, b, func(t *testing.T, one, _ *desk) {
		_, _ = b.Claim(t.Context(), query(t).Number.E164(), time.Minute)
		started := time.Now()
		report := one.ring()
		gets(t, report, "Rosa", Asked, 0)
		if took := time.Since(started); took < 400*time.Millisecond || took > 450*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
	})
}

func TestEveryGatewayGoesOnWithoutTheShelf(t *testing.T) {
	o, b := &office{takes: 30 * time.Millisecond}, newBoard()
	o.know(person("Rosa"))
	o.fleet(t, b, func(t *testing.T, one, other *desk) {
		b.turn(true)
		started := time.Now()
		first, second := both(one, other)
		gets(t, first, "Rosa", Asked, 0)
		gets(t, second, "Rosa", Asked, 0)
		if took := time.Since(started); took > 300*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
		o.was(t, 2)
		b.turn(false)
		time.Sleep(3 * time.Hour)
		one.ring()
		time.Sleep(time.Second)
		if report := other.ring(); report.Origin != Shared {
			t.Errorf("after the shelf was found again: %+v", report)
		}
	})
}

// The promise that no stranger's record opens does not rest on the shelf.
func TestWhatIsSharedIsCheckedAgain(t *testing.T) {
	o, b := &office{}, newBoard()
	o.know(person("Rosa"))
	o.fleet(t, b, func(t *testing.T, one, other *desk) {
		stranger := []byte(`{"records":[{"Name":"Stranger","Phones":["01 23 45 67 89"]}],"fresh":60000000000,"said":"` + time.Now().Format(time.RFC3339) + `"}`)
		_ = b.Put(t.Context(), query(t).Number.E164(), stranger, time.Minute)
		if report := one.ring(); len(report.Result.Records) > 0 {
			t.Errorf("report = %+v", report)
		}
		_ = b.Put(t.Context(), query(t).Number.E164(), []byte("no JSON"), time.Minute)
		gets(t, other.ring(), "Rosa", Asked, 0)
	})
}

func TestACallThatAsksAnewAsksTheCRM(t *testing.T) {
	o := &office{}
	o.fleet(t, newBoard(), func(t *testing.T, one, other *desk) {
		one.ring()
		o.know(person("Rosa"))
		terms := deadlined()
		terms.Anew = true
		gets(t, other.Find(t.Context(), query(t), terms).Reports[0], "Rosa", Asked, 0)
	})
}

var _ crm.Connector = (*office)(nil)
