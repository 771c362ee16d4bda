package lookup

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
)

// guest is a CRM that says what a test wants.
type guest struct {
	name   string
	search func(context.Context) crm.Result
	window time.Duration
}

func (g guest) Profile() crm.Profile                               { return crm.Profile{Name: g.name, Window: g.window} }
func (g guest) Links(crm.Query) crm.Links                          { return crm.Links{} }
func (g guest) Key(query crm.Query) string                         { return query.Number.E164() }
func (g guest) Search(ctx context.Context, _ crm.Query) crm.Result { return g.search(ctx) }

// says is a CRM that answers at once.
func says(name string, records ...crm.Record) guest {
	return guest{name: name, search: func(context.Context) crm.Result { return crm.Result{Records: records} }}
}

var errDown = errors.New("down")

func fails(name string, records ...crm.Record) guest {
	return guest{name: name, search: func(context.Context) crm.Result { return crm.Result{Records: records, Err: errDown} }}
}

// hangs is a CRM that answers when it is released, and ignores its context.
func hangs(name string, released <-chan struct{}, records ...crm.Record) guest {
	return guest{name: name, search: func(context.Context) crm.Result {
		<-released
		return crm.Result{Records: records}
	}}
}

// query asks who 04 27 46 63 47 is.
func query(t testing.TB) crm.Query {
	t.Helper()
	region, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	number, err := region.Parse("0427466347")
	if err != nil {
		t.Fatal(err)
	}
	return crm.Query{Number: number, Region: region}
}

// person is a record that has the caller's number.
func person(name string) crm.Record {
	return crm.Record{Kind: "contact", ID: name, Name: name, Phones: []string{"06 12 34 56 78", "04 27 46 63 47"}}
}

func names(records []crm.Record) string {
	var all []string
	for _, record := range records {
		all = append(all, record.Name)
	}
	return strings.Join(all, " ")
}

// find asks CRMs that all answer.
func find(t *testing.T, guests ...guest) Finding {
	t.Helper()
	e := engine(guests...)
	defer e.Retire()
	return e.Find(t.Context(), query(t), Terms{})
}

// engine asks CRMs, and remembers nothing.
func engine(guests ...guest) *Engine {
	var sources []*Source
	for _, g := range guests {
		sources = append(sources, NewSource(g, Options{}))
	}
	return New(sources...)
}

// expect checks who was found, where, and whether something could not be asked.
func expect(t *testing.T, finding Finding, records, from string, failed bool) {
	t.Helper()
	if names(finding.Records) != records || finding.CRM.Profile().Name != from || (finding.Err != nil) != failed {
		t.Errorf("found %q in %s, %v; want %q in %s, failed %v", names(finding.Records), finding.CRM.Profile().Name, finding.Err, records, from, failed)
	}
}

func TestTheCallerIsFound(t *testing.T) {
	expect(t, find(t, says("a", person("Rosa"))), "Rosa", "a", false)
	expect(t, find(t, says("a", person("Rosa"), person("Camille"))), "Rosa Camille", "a", false)
	expect(t, find(t, says("a")), "", "a", false)
}

func TestTheOrderOfPreferenceCountsAndNotTheFastest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released, found := make(chan struct{}), make(chan Finding, 1)
		go func() { found <- find(t, hangs("slow", released, person("Rosa")), says("fast", person("Camille"))) }()
		synctest.Wait()
		if len(found) > 0 {
			t.Error("the fastest CRM was taken")
		}
		close(released)
		expect(t, <-found, "Rosa", "slow", false)
	})
}

func TestALaterCRMAnswersForOneThatDoesNotKnowTheCaller(t *testing.T) {
	finding := find(t, says("a"), says("b", person("Rosa")), says("c", person("Camille")))
	expect(t, finding, "Rosa", "b", false)
	if len(finding.Reports) != 3 || finding.Reports[0].CRM != "a" || finding.Reports[1].CRM != "b" || finding.Reports[2].CRM != "c" {
		t.Errorf("reports = %+v", finding.Reports)
	}
}

func TestNobodyIsWaitedForOnceTheChoiceIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		e := engine(says("a"), says("b", person("Rosa")), hangs("c", released))
		finding := e.Find(t.Context(), query(t), Terms{})
		expect(t, finding, "Rosa", "b", false)
		if late := finding.Reports[2]; late.CRM != "c" || late.Result.Err != nil || !late.Left {
			t.Errorf("the CRM that was not waited for reports %+v", late)
		}
		close(released)
		e.Retire()
	})
}

func TestCouldNotAskIsNotNotFound(t *testing.T) {
	for _, guests := range [][]guest{{fails("a")}, {fails("a"), says("b")}, {says("a"), fails("b")}} {
		finding := find(t, guests...)
		expect(t, finding, "", "a", true)
		if !errors.Is(finding.Err, errDown) {
			t.Errorf("err = %v", finding.Err)
		}
	}
}

func TestAMatchCountsWhateverElseFailed(t *testing.T) {
	expect(t, find(t, fails("a"), says("b", person("Rosa"))), "Rosa", "b", true)
	expect(t, find(t, fails("a", person("Rosa")), says("b")), "Rosa", "a", true)
	expect(t, find(t, fails("a"), fails("b", person("Rosa"))), "Rosa", "b", true)
}

// deadlined are calls that are to be answered within 800 ms.
func deadlined() Terms { return Terms{Arrived: time.Now(), Deadline: 800 * time.Millisecond} }

func TestBeforeTheDeadlineACRMThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		e := engine(hangs("deaf", released, person("Rosa")), says("b"))
		terms := deadlined()
		finding := e.Find(t.Context(), query(t), terms)
		expect(t, finding, "", "deaf", true)
		if took := time.Since(terms.Arrived); took != 775*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
		if got := finding.Err.Error(); got != "crm deaf: no answer within the deadline of 800ms; the CRM is slow or hangs" {
			t.Errorf("err = %s", got)
		}
		if deaf, b := finding.Reports[0], finding.Reports[1]; !deaf.Left || b.Left || b.Result.Err != nil {
			t.Errorf("reports = %+v", finding.Reports)
		}
		close(released)
		e.Retire()
	})
}

func TestAtTheDeadlineTheBestAnswerSoFarCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		slow := says("slow")
		slow.window = time.Second
		slow.search = hangs("", released).search
		e := engine(slow, says("b", person("Rosa")), says("c", person("Camille")))
		expect(t, e.Find(t.Context(), query(t), deadlined()), "Rosa", "b", true)
		close(released)
		e.Retire()
	})
}

func TestACallOfAnyLengthIsAnsweredBeforeItsDeadline(t *testing.T) {
	for deadline, want := range map[time.Duration]time.Duration{
		50 * time.Millisecond: 43750 * time.Microsecond,
		time.Minute:           time.Minute - 25*time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			released := make(chan struct{})
			e, started := engine(hangs("a", released)), time.Now()
			e.Find(t.Context(), query(t), Terms{Arrived: started, Deadline: deadline})
			if took := time.Since(started); took > want {
				t.Errorf("answered after %s", took)
			}
			close(released)
			e.Retire()
		})
	}
}

// What is left behind must end, or each call would leave something running.
func TestASearchEndsWithItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started, ended := time.Now(), make(chan time.Duration, 1)
		obeys := guest{name: "b", search: func(ctx context.Context) crm.Result {
			<-ctx.Done()
			ended <- time.Since(started)
			return crm.Result{Err: context.Cause(ctx)}
		}}
		e := engine(says("a", person("Rosa")), obeys)
		expect(t, e.Find(t.Context(), query(t), deadlined()), "Rosa", "a", false)
		if took := <-ended; took != crm.DefaultLimit {
			t.Errorf("ended after %s", took)
		}
		e.Retire()
	})
}

func TestACallOutlivesItsConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 2)
		thinks := guest{name: "a", search: func(ctx context.Context) crm.Result {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			ended <- context.Cause(ctx)
			return crm.Result{Records: []crm.Record{person("Rosa")}}
		}}
		e, found := engine(thinks), make(chan Finding)
		patient := Terms{Arrived: time.Now(), Deadline: 10 * time.Second}
		go func() { found <- e.Find(t.Context(), query(t), patient) }()
		synctest.Wait()
		e.Retire()
		expect(t, <-found, "Rosa", "a", false)
		if err := <-ended; err != nil {
			t.Errorf("its search ended because %v", err)
		}
		expect(t, e.Find(t.Context(), query(t), patient), "Rosa", "a", false) // one that came in the last moment
		<-ended
		started := time.Now()
		e.Find(t.Context(), query(t), deadlined())
		if err := <-ended; !errors.Is(err, crm.ErrReplaced) || time.Since(started) != 775*time.Millisecond {
			t.Errorf("a search that nobody waits for any longer ended after %s because %v", time.Since(started), err)
		}
	})
}

func TestWhatIsAskedBehindTheCallsEndsWithTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{takes: time.Hour, limit: time.Hour}
		e := New(NewSource(o, Options{Behind: func(r Report) { t.Errorf("told of %+v", r) }}))
		e.Find(t.Context(), query(t), deadlined())
		e.Retire()
		synctest.Wait()
		started := time.Now()
		o.ended.Wait()
		if took := time.Since(started); took != 0 {
			t.Errorf("ended after %s", took)
		}
	})
}

func TestAConnectorThatDoesNotObeyHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		e := engine(hangs("deaf", released, person("Rosa")))
		e.Find(t.Context(), query(t), deadlined())
		time.Sleep(crm.DefaultLimit)
		finding := e.Find(t.Context(), query(t), Terms{})
		if finding.Err == nil || finding.Err.Error() != "crm deaf: no answer within 10s (limit)" {
			t.Errorf("whoever waits for it is told %v", finding.Err)
		}
		e.Retire()
		close(released)
	})
}

func TestABrowserThatGoesAwayDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		e := engine(hangs("a", released, person("Rosa")))
		ctx, goAway := context.WithCancel(t.Context())
		goAway()
		if finding := e.Find(ctx, query(t), Terms{}); finding.Err == nil || finding.Err.Error() != "crm a: the agent's browser gave up before the CRM answered" {
			t.Errorf("err = %v", finding.Err)
		}
		found := make(chan Finding)
		go func() { found <- e.Find(t.Context(), query(t), Terms{}) }()
		synctest.Wait()
		close(released)
		expect(t, <-found, "Rosa", "a", false) // it was asked on, for the next one
		e.Retire()
	})
}

func TestAPanicIsAFailureOfItsCRM(t *testing.T) {
	panics := guest{name: "a", search: func(context.Context) crm.Result { panic("with 0427466347") }}
	finding := find(t, panics, says("b", person("Rosa")))
	expect(t, finding, "Rosa", "b", true)
	if got := finding.Err.Error(); got != "crm a: the connector panicked: string" {
		t.Errorf("err = %s", got)
	}
	if got := finding.Reports[0]; got.CRM != "a" || got.Result.Err == nil {
		t.Errorf("report = %+v", got)
	}
}

func TestAStrangersRecordIsDropped(t *testing.T) {
	stranger := crm.Record{Kind: "contact", ID: "9", Name: "Stranger", Phones: []string{"01 23 45 67 89"}}
	numberless := crm.Record{Kind: "contact", ID: "10", Name: "Numberless"}
	finding := find(t, says("a", stranger, person("Rosa"), numberless))
	expect(t, finding, "Rosa", "a", false)
	if finding.Reports[0].Dropped != 2 {
		t.Errorf("dropped = %d", finding.Reports[0].Dropped)
	}
	expect(t, find(t, says("a", stranger), says("b", person("Rosa"))), "Rosa", "b", false)
	expect(t, find(t, says("a", stranger)), "", "a", false)
}

func TestARecordOfATrustedSearchIsKept(t *testing.T) {
	expect(t, find(t, says("a", crm.Record{Name: "Trusted", Unverified: true})), "Trusted", "a", false)
}

func TestWhatACRMReturnedIsNotChanged(t *testing.T) {
	records := []crm.Record{{Name: "Stranger"}, person("Rosa"), person("Rosa")}
	find(t, says("a", records...))
	if names(records) != "Stranger Rosa Rosa" {
		t.Errorf("the connector's own list is now %q", names(records))
	}
}

func TestOneThingIsShownOnce(t *testing.T) {
	rosa := person("Rosa")
	renamed := rosa
	renamed.Name = "Rosa again"
	lead := rosa
	lead.Kind, lead.Name = "lead", "Rosa's lead"
	finding := find(t, says("a", rosa, renamed, lead))
	expect(t, finding, "Rosa Rosa's lead", "a", false)
	if finding.Reports[0].Dropped != 1 {
		t.Errorf("dropped = %d", finding.Reports[0].Dropped)
	}
	nameless := crm.Record{Name: "without id", Unverified: true}
	expect(t, find(t, says("a", nameless, nameless)), "without id without id", "a", false)
}

func TestACompanyStandsBehindItsPeople(t *testing.T) {
	acme := crm.Record{Kind: "account", ID: "1", Name: "ACME", Unverified: true}
	acmeOfItself := crm.Record{Kind: "account", ID: "1", Name: "ACME", Company: "ACME", Unverified: true}
	globex := crm.Record{Kind: "account", ID: "2", Name: "Globex", Unverified: true}
	rosa := crm.Record{Kind: "contact", ID: "3", Name: "Rosa", Company: "ACME", Unverified: true}
	camille := crm.Record{Kind: "contact", ID: "4", Name: "Camille", Company: "ACME", Unverified: true}
	freelance := crm.Record{Kind: "contact", ID: "5", Name: "Free", Unverified: true}
	subsidiary := crm.Record{Kind: "account", ID: "6", Name: "ACME Lyon", Company: "ACME", Unverified: true}
	eponym := crm.Record{Kind: "contact", ID: "7", Name: "ACME", Company: "ACME", Unverified: true}
	nameless := crm.Record{Kind: "account", ID: "8", Unverified: true}
	lyonnaise := crm.Record{Kind: "contact", ID: "9", Name: "Lou", Company: "ACME Lyon", Unverified: true}
	for _, test := range []struct {
		records []crm.Record
		want    string
	}{
		{[]crm.Record{acme, rosa}, "Rosa"},
		{[]crm.Record{rosa, acmeOfItself}, "Rosa"},
		{[]crm.Record{acme, rosa, globex, camille}, "Rosa Globex Camille"},
		{[]crm.Record{acme}, "ACME"},
		{[]crm.Record{acme, globex}, "ACME Globex"},
		{[]crm.Record{globex, rosa}, "Globex Rosa"},
		{[]crm.Record{acme, freelance}, "ACME Free"},
		{[]crm.Record{nameless, freelance}, " Free"},
		{[]crm.Record{acme, subsidiary}, "ACME ACME Lyon"},
		{[]crm.Record{acme, eponym}, "ACME ACME"},
		{[]crm.Record{subsidiary, lyonnaise}, "ACME Lyon Lou"}, // who works for ACME, not a company of its own
	} {
		if got := names(find(t, says("a", test.records...)).Records); got != test.want {
			t.Errorf("%q = %q, want %q", names(test.records), got, test.want)
		}
	}
}

func TestOnlyTheNamedCRMsAreAskedInTheirOrder(t *testing.T) {
	var asked atomic.Int32
	counted := func(name string) guest {
		return guest{name: name, search: func(context.Context) crm.Result {
			asked.Add(1)
			return crm.Result{Records: []crm.Record{person(name)}}
		}}
	}
	e := engine(counted("a"), counted("b"), says("c"))
	expect(t, e.Find(t.Context(), query(t), Terms{Ask: []string{"c", "b"}}), "b", "b", false)
	if asked.Load() != 1 {
		t.Errorf("%d CRMs were asked", asked.Load())
	}
	finding := e.Find(t.Context(), query(t), Terms{Ask: []string{"c"}})
	expect(t, finding, "", "c", false)
	if len(finding.Reports) != 1 {
		t.Errorf("reports = %+v", finding.Reports)
	}
	for want, ask := range map[string][]string{"a": nil, "b": {"b", "a"}} {
		if got := e.First(ask...).Profile().Name; got != want {
			t.Errorf("First(%v) = %s", ask, got)
		}
	}
}

func TestAnEngineServesManyCallsAtOnce(t *testing.T) {
	e, q := engine(says("a"), says("b", person("Rosa")), fails("c")), query(t)
	found := make(chan Finding)
	for range 8 {
		go func() { found <- e.Find(t.Context(), q, Terms{}) }()
	}
	for range 8 {
		if finding := <-found; names(finding.Records) != "Rosa" {
			t.Errorf("found %q", names(finding.Records))
		}
	}
}
