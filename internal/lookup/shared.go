package lookup

import (
	"context"
	"encoding/json"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// Shelf is where the gateways of a fleet remember together. Whatever fails there,
// each of them goes on by itself.
type Shelf interface {
	// Take returns what was put there, and for how long it stays; nil if nothing was.
	Take(ctx context.Context, key string) (value []byte, left time.Duration, err error)
	// Put puts a value there for a time, and Remove removes it.
	Put(ctx context.Context, key string, value []byte, lasting time.Duration) error
	Remove(ctx context.Context, key string) error
	// Claim reports whether nobody else is finding out what belongs there. If so,
	// others wait for us, for a time, or until Release.
	Claim(ctx context.Context, key string, lasting time.Duration) (bool, error)
	Release(ctx context.Context, key string) error
}

const (
	// claimed is how long a gateway is waited for at most, which may have died.
	claimed = 5 * time.Second
	// glance is the time between two looks at what another gateway has found out.
	glance = 20 * time.Millisecond
	// largestShared bounds what is put on the shelf, in bytes.
	largestShared = 256 << 10
)

// sharedAnswer is what is put on the shelf.
type sharedAnswer struct {
	Records []crm.Record `json:"records,omitempty"`
	// Fresh and Stale are for how long it is.
	Fresh time.Duration `json:"fresh"`
	Stale time.Duration `json:"stale,omitempty"`
	// Said is when the CRM said so, by the clock of the gateway that asked.
	Said time.Time `json:"said"`
}

// age goes by two clocks: the shelf's and the gateways'. Setting one of them back
// must not prolong anything.
func (a sharedAnswer) age(left time.Duration, now time.Time) time.Duration {
	return max(a.Fresh+a.Stale-left, now.Sub(a.Said), 0)
}

// consult finds out what the CRM says, from another gateway or from the CRM. It
// also returns what is left to do when whoever waits has been told.
func (s *Source) consult(ctx context.Context, key string, query crm.Query, how mode, patience time.Duration) (report Report, after func()) {
	if s.memory == nil || s.memory.settings.Shelf == nil {
		return s.search(ctx, query), func() {}
	}
	shelf := s.memory.settings.Shelf
	if how != anew {
		if report, ok := s.taken(ctx, shelf, key, query, how); ok {
			return report, func() {}
		}
	}
	ours, err := shelf.Claim(ctx, key, claimed)
	if err == nil && !ours && how != anew {
		if report, ours = s.await(ctx, shelf, key, query, patience); report.Origin == Shared {
			return report, func() {}
		}
	}
	report = s.search(ctx, query)
	return report, func() { s.put(shelf, key, report, ours) }
}

// taken is what stands on the shelf: while the CRM is not being asked again, also
// what is past its freshness.
func (s *Source) taken(ctx context.Context, shelf Shelf, key string, query crm.Query, how mode) (Report, bool) {
	value, left, err := shelf.Take(ctx, key)
	var answer sharedAnswer
	if err != nil || value == nil || json.Unmarshal(value, &answer) != nil {
		return Report{}, false
	}
	age := answer.age(left, time.Now())
	if age >= answer.Fresh+answer.Stale {
		return Report{}, false // a clock was set back, or it stays while it is read
	}
	report := s.checked(crm.Result{Records: answer.Records}, query)
	report.Origin, report.Age, report.fresh, report.Stale = Shared, age, answer.Fresh, age >= answer.Fresh
	return report, !report.Stale || how == first && report.found()
}

// await waits for what another gateway finds out, but only so long. When that one
// could not, finding out is ours.
func (s *Source) await(ctx context.Context, shelf Shelf, key string, query crm.Query, patience time.Duration) (report Report, ours bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case <-time.After(glance):
		case <-ctx.Done():
			return Report{}, false
		}
		if report, ok := s.taken(ctx, shelf, key, query, renewing); ok {
			return report, false
		}
		if ours, err := shelf.Claim(ctx, key, claimed); ours || err != nil {
			return Report{}, ours
		}
	}
}

// put shares what the CRM said.
func (s *Source) put(shelf Shelf, key string, report Report, ours bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fresh, stale := s.memory.lasting(report)
	switch value, err := json.Marshal(sharedAnswer{report.Result.Records, fresh, stale, time.Now().Add(-report.Age).UTC()}); {
	case report.Result.Err != nil: // the others find out for themselves
	case err != nil || fresh <= 0 || len(value) > largestShared:
		_ = shelf.Remove(ctx, key)
	default:
		_ = shelf.Put(ctx, key, value, fresh+stale)
	}
	if ours {
		_ = shelf.Release(ctx, key)
	}
}
