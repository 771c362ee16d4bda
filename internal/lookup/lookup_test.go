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
}

func (g guest) Profile() crm.Profile                               { return crm.Profile{Name: g.name} }
func (g guest) Links(crm.Query) crm.Links                          { return crm.Links{} }
func (g guest) Search(ctx context.Context, _ crm.Query) crm.Result { return g.search(ctx) }

// says is a CRM that answers at once.
func says(name string, records ...crm.Record) guest {
	return guest{name, func(context.Context) crm.Result { return crm.Result{Records: records} }}
}

var errDown = errors.New("down")

func fails(name string, records ...crm.Record) guest {
	return guest{name, func(context.Context) crm.Result { return crm.Result{Records: records, Err: errDown} }}
}

// hangs is a CRM that answers when it is released, and ignores its context.
func hangs(name string, released <-chan struct{}, records ...crm.Record) guest {
	return guest{name, func(context.Context) crm.Result {
		<-released
		return crm.Result{Records: records}
	}}
}

// query asks who 04 27 46 63 47 is.
func query(t *testing.T) crm.Query {
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
	return engine(guests...).Find(t.Context(), nil, query(t))
}

func engine(guests ...guest) *Engine {
	var connectors []crm.Connector
	for _, g := range guests {
		connectors = append(connectors, g)
	}
	return New(connectors...)
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
		defer close(released)
		finding := find(t, says("a"), says("b", person("Rosa")), hangs("c", released))
		expect(t, finding, "Rosa", "b", false)
		if late := finding.Reports[2]; late.CRM != "c" || late.Result.Err != nil {
			t.Errorf("the CRM that was not waited for reports %+v", late)
		}
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

func TestWhenPatienceEndsACRMThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released, patience, found := make(chan struct{}), make(chan time.Time), make(chan Finding, 1)
		defer close(released)
		e := engine(hangs("deaf", released, person("Rosa")), says("b"))
		go func() { found <- e.Find(t.Context(), patience, query(t)) }()
		synctest.Wait()
		if len(found) > 0 {
			t.Fatal("the CRM was not waited for")
		}
		patience <- time.Time{}
		finding := <-found
		expect(t, finding, "", "deaf", true)
		if got := finding.Err.Error(); got != "crm deaf: no answer in time" {
			t.Errorf("err = %s", got)
		}
		if err := finding.Reports[1].Result.Err; err != nil {
			t.Errorf("the CRM that answered reports %v", err)
		}
	})
}

func TestWhenPatienceEndsTheBestAnswerSoFarCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released, patience, found := make(chan struct{}), make(chan time.Time), make(chan Finding, 1)
		defer close(released)
		e := engine(hangs("deaf", released), says("b", person("Rosa")), says("c", person("Camille")))
		go func() { found <- e.Find(t.Context(), patience, query(t)) }()
		synctest.Wait()
		patience <- time.Time{}
		expect(t, <-found, "Rosa", "b", true)
	})
}

// What is left behind must end, or each call would leave something running.
func TestACRMIsToldWhenNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Bool
		obeys := guest{"b", func(ctx context.Context) crm.Result {
			<-ctx.Done()
			told.Store(true)
			return crm.Result{Err: ctx.Err()}
		}}
		expect(t, find(t, says("a", person("Rosa")), obeys), "Rosa", "a", false)
		synctest.Wait()
		if !told.Load() {
			t.Error("the CRM's context did not end")
		}
	})
}

func TestTheTimeOfACRMEndsWithTheCall(t *testing.T) {
	obeys := guest{"a", func(ctx context.Context) crm.Result {
		<-ctx.Done()
		return crm.Result{Err: context.Cause(ctx)}
	}}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDown)
	if finding := engine(obeys).Find(ctx, nil, query(t)); !errors.Is(finding.Err, errDown) {
		t.Errorf("err = %v", finding.Err)
	}
}

func TestAPanicIsAFailureOfItsCRM(t *testing.T) {
	panics := guest{"a", func(context.Context) crm.Result { panic("with 0427466347") }}
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
		return guest{name, func(context.Context) crm.Result {
			asked.Add(1)
			return crm.Result{Records: []crm.Record{person(name)}}
		}}
	}
	e := engine(counted("a"), counted("b"), says("c"))
	expect(t, e.Find(t.Context(), nil, query(t), "c", "b"), "b", "b", false)
	if asked.Load() != 1 {
		t.Errorf("%d CRMs were asked", asked.Load())
	}
	finding := e.Find(t.Context(), nil, query(t), "c")
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
		go func() { found <- e.Find(t.Context(), nil, q) }()
	}
	for range 8 {
		if finding := <-found; names(finding.Records) != "Rosa" {
			t.Errorf("found %q", names(finding.Records))
		}
	}
}
