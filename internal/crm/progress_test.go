package crm

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// interim searches until the CRM is asked for what it holds back, and returns
// the last that was told by then, and what came of it in the end.
func interim(t *testing.T, d Definition, answers map[string]http.HandlerFunc, heldBack string) (known, all Result) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	answer := answers[heldBack]
	answers[heldBack] = func(w http.ResponseWriter, r *http.Request) {
		close(held)
		<-release
		answer(w, r)
	}
	crm := serve(t, byPath(answers))
	d.URL = crm.URL
	told, query := make(chan Result, 10), question(t, callersNumber)
	query.Interim = func(known Result) { told <- known }
	done := make(chan Result)
	go func() { done <- compiled(t, d, Options{}).Search(background(t), query) }()
	<-held
	known = <-told
	close(release)
	return known, <-done
}

func TestWhatIsFoundIsToldWhileTheRestIsStillAsked(t *testing.T) {
	d := contacts("")
	d.Lookups = append(d.Lookups, leads())
	known, all := interim(t, d, map[string]http.HandlerFunc{
		"/contacts": answering(200, callers), "/leads": answering(200, `[`+rosa+`]`),
	}, "/leads")
	if !slices.Equal(ids(known), []string{"7"}) || !slices.Equal(known.Pending, []string{"lead"}) || len(known.Requests) != 1 || known.Err != nil {
		t.Errorf("told %+v", known)
	}
	if !slices.Equal(ids(all), []string{"7", "r"}) || all.Pending != nil {
		t.Errorf("in the end %+v", all)
	}
}

func TestWhatFailedIsToldToo(t *testing.T) {
	d := contacts("")
	d.Lookups = append(d.Lookups, leads())
	known, _ := interim(t, d, map[string]http.HandlerFunc{
		"/contacts": answering(503, ""), "/leads": answering(200, `[]`),
	}, "/leads")
	if len(known.Records) > 0 || !slices.Equal(known.Pending, []string{"lead"}) || known.Err == nil || !strings.Contains(known.Err.Error(), "503") {
		t.Errorf("told %+v", known)
	}
}

func TestASecondSearchIsStillToCome(t *testing.T) {
	known, all := interim(t, contacts("", withSecond()), map[string]http.HandlerFunc{
		"/contacts": answering(200, `[]`), "/scan": answering(200, callers),
	}, "/scan")
	if len(known.Records) > 0 || !slices.Equal(known.Pending, []string{"contact"}) || !slices.Equal(ids(all), []string{"7"}) {
		t.Errorf("told %+v, in the end %+v", known, all)
	}
}

func TestWhatBelongsToARecordIsStillToCome(t *testing.T) {
	d := contacts("", func(l *Lookup) {
		l.Follows = []Follow{{Name: "company", Ask: Ask{Path: "/companies/{record.id}"}}}
		l.Company = []string{"{follow.company.name}"}
	})
	known, all := interim(t, d, map[string]http.HandlerFunc{
		"/contacts": answering(200, callers), "/companies/7": answering(200, `{"name":"Quai Nord"}`),
	}, "/companies/7")
	if !slices.Equal(ids(known), []string{"7"}) || known.Records[0].Company != "" || !slices.Equal(known.Pending, []string{"contact"}) {
		t.Errorf("told %+v", known)
	}
	if found(t, all).Company != "Quai Nord" {
		t.Errorf("in the end %+v", all)
	}
}

func TestNothingIsToldWhenNothingIsStillAsked(t *testing.T) {
	crm := serve(t, answering(200, callers))
	query := question(t, callersNumber)
	query.Interim = func(known Result) { t.Errorf("told %+v", known) }
	found(t, compiled(t, contacts(crm.URL), Options{}).Search(t.Context(), query))
}

func TestTheCRMSaysHowLongItsAnswerIsFresh(t *testing.T) {
	for header, want := range map[string]string{
		"max-age=60":                          "1m0s",
		"private, Max-Age=\"60\"":             "1m0s",
		"max-age=0, private, must-revalidate": "0s",
		"no-store, max-age=60":                "0s",
		"no-cache, max-age=60":                "0s",
		"max-age=forever":                     "0s",
		"max-age=-60":                         "0s",
		"max-age=99999999999999999999":        "0s",
		"public":                              "0s",
		"":                                    "0s",
	} {
		crm := serve(t, answering(200, callers, "Cache-Control", header))
		if got := searched(t, contacts(crm.URL)).MaxAge(); got.String() != want {
			t.Errorf("%s is fresh for %s, want %s", header, got, want)
		}
	}
}

func TestTheFreshnessOfAnAnswerThatIsOldIsLess(t *testing.T) {
	crm := serve(t, answering(200, callers, "Cache-Control", "max-age=60", "Age", "45"))
	if got := searched(t, contacts(crm.URL)).MaxAge(); got.String() != "15s" {
		t.Errorf("fresh for %s", got)
	}
}

func TestTheShortestFreshnessCounts(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/leads" {
			w.Header().Set("Cache-Control", "max-age=30")
		} else {
			w.Header().Set("Cache-Control", "max-age=60")
		}
		_, _ = io.WriteString(w, `[]`)
	})
	d := contacts(crm.URL)
	d.Lookups = append(d.Lookups, leads())
	if got := searched(t, d).MaxAge(); got.String() != "30s" {
		t.Errorf("fresh for %s", got)
	}
}
