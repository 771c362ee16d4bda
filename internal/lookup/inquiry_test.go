package lookup

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// after is a CRM that answers after a while.
func after(name string, takes, window time.Duration, result crm.Result) guest {
	return guest{name: name, window: window, search: func(ctx context.Context) crm.Result {
		select {
		case <-time.After(takes):
			return result
		case <-ctx.Done():
			return crm.Result{Err: context.Cause(ctx)}
		}
	}}
}

func knows(names ...string) (result crm.Result) {
	for _, name := range names {
		result.Records = append(result.Records, person(name))
	}
	return result
}

func TestTheOrderOfPreferenceCountsWithinEachCRMsWindow(t *testing.T) {
	const ms = time.Millisecond
	nobody, down := crm.Result{}, crm.Result{Err: errDown}
	for name, test := range map[string]struct {
		guests []guest
		want   string
		from   string
		took   time.Duration
		failed bool
	}{
		"the preferred one, if it is slower": {
			[]guest{after("a", 300*ms, 0, knows("Rosa")), after("b", 10*ms, 0, knows("Camille"))}, "Rosa", "a", 300 * ms, false,
		},
		"another one when half of the deadline is over": {
			[]guest{after("a", 500*ms, 0, knows("Rosa")), after("b", 10*ms, 0, knows("Camille"))}, "Camille", "b", 400 * ms, false,
		},
		"another one after the window of the first": {
			[]guest{after("a", 300*ms, 100*ms, knows("Rosa")), after("b", 10*ms, 0, knows("Camille"))}, "Camille", "b", 100 * ms, false,
		},
		"the first match after the window": {
			[]guest{after("a", 300*ms, 100*ms, knows("Rosa")), after("b", 200*ms, 0, knows("Camille"))}, "Camille", "b", 200 * ms, false,
		},
		"the preferred one too, if nobody was faster": {
			[]guest{after("a", 300*ms, 100*ms, knows("Rosa")), after("b", 10*ms, 0, nobody)}, "Rosa", "a", 300 * ms, false,
		},
		"the second, whose window is longer than the first one's": {
			[]guest{
				after("a", 700*ms, 100*ms, knows("Rosa")), after("b", 250*ms, 300*ms, knows("Camille")), after("c", 10*ms, 0, knows("Lou")),
			}, "Camille", "b", 250 * ms, false,
		},
		"the third, after the windows of both": {
			[]guest{
				after("a", 700*ms, 100*ms, knows("Rosa")), after("b", 700*ms, 300*ms, knows("Camille")), after("c", 10*ms, 0, knows("Lou")),
			}, "Lou", "c", 300 * ms, false,
		},
		"the second, when the first one is down": {
			[]guest{after("a", 10*ms, 0, down), after("b", 50*ms, 0, knows("Camille"))}, "Camille", "b", 50 * ms, true,
		},
		"nobody, only when all have said so": {
			[]guest{after("a", 600*ms, 100*ms, nobody), after("b", 10*ms, 0, nobody)}, "", "a", 600 * ms, false,
		},
		"unknown, when one has not": {
			[]guest{after("a", 900*ms, 100*ms, nobody), after("b", 10*ms, 0, nobody)}, "", "a", 775 * ms, true,
		},
		"unknown, when the last one has not": {
			[]guest{after("a", 10*ms, 0, nobody), after("b", 900*ms, 0, nobody)}, "", "a", 775 * ms, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, terms := engine(test.guests...), deadlined()
				finding := e.Find(t.Context(), query(t), terms)
				expect(t, finding, test.want, test.from, test.failed)
				if took := time.Since(terms.Arrived); took != test.took {
					t.Errorf("answered after %s, want %s", took, test.took)
				}
				e.Retire()
			})
		})
	}
}

// slow is a CRM that tells what it has found so far, and then goes on.
type slow struct {
	guest

	soFar crm.Result
}

func (s slow) Search(ctx context.Context, query crm.Query) crm.Result {
	query.Interim(crm.Result{Pending: []string{"lead"}})
	query.Interim(s.soFar)
	return s.search(ctx)
}

func TestAtTheDeadlineWhatWasFoundSoFarCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stranger := crm.Record{Kind: "contact", ID: "9", Phones: []string{"01 23 45 67 89"}}
		s := slow{after("slow", 2*time.Second, 0, knows("Rosa", "Camille")), crm.Result{
			Records:  []crm.Record{person("Rosa"), stranger},
			Requests: []crm.Request{{Lookup: "contact", Status: 200}},
			Pending:  []string{"account", "lead"},
		}}
		e := New(NewSource(s, Options{}))
		finding := e.Find(t.Context(), query(t), deadlined())
		expect(t, finding, "Rosa", "slow", true)
		const want = "crm slow: lookup account: no answer within the deadline of 800ms; the CRM is slow or hangs\n" +
			"crm slow: lookup lead: no answer within the deadline of 800ms; the CRM is slow or hangs"
		if report := finding.Reports[0]; finding.Err.Error() != want || len(report.Result.Requests) != 1 || report.Dropped != 1 || !report.Left {
			t.Errorf("report = %+v", report)
		}
		expect(t, e.Find(t.Context(), query(t), Terms{Arrived: time.Now(), Deadline: time.Minute}), "Rosa Camille", "slow", false)
		e.Retire()
	})
}

func TestWhatFailedIsToldBesideWhatIsStillAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{after("slow", time.Hour, 0, crm.Result{}), crm.Result{Pending: []string{"account"}, Err: errDown}}
		e := New(NewSource(s, Options{}))
		finding := e.Find(t.Context(), query(t), deadlined())
		expect(t, finding, "", "slow", true)
		if !errors.Is(finding.Err, errDown) || finding.Err.Error() != "down\ncrm slow: lookup account: no answer within the deadline of 800ms; the CRM is slow or hangs" {
			t.Errorf("err = %v", finding.Err)
		}
		e.Retire()
	})
}
