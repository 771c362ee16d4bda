package crm

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// withSecond asks a slower search when the first finds nobody.
func withSecond(change ...func(*Search)) func(*Lookup) {
	return func(l *Lookup) {
		l.Otherwise = &Search{Ask: Ask{Path: "/scan", Query: []Param{{"pattern", "{number.like}"}}}}
		for _, one := range change {
			one(l.Otherwise)
		}
	}
}

// leads is a second lookup, with a second search of its own.
func leads(change ...func(*Lookup)) Lookup {
	return contactLookup(append([]func(*Lookup){func(l *Lookup) { l.Kind, l.Path = "lead", "/leads" }}, change...)...)
}

func TestTheSecondSearchIsMadeWhenTheFirstFindsNobody(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts": answering(200, `[{"id":"8","phone":"0199000001"}]`), // a stranger is nobody
		"/scan":     answering(200, callers),
	}))
	result := searched(t, contacts(crm.URL, withSecond()))
	found(t, result)
	if want := []string{"/contacts?q=%2B33427466347", "/scan?pattern=%254%252%257%254%256%256%253%254%257"}; !slices.Equal(crm.targets(), want) {
		t.Errorf("asked %q", crm.targets())
	}
	first, second := result.Requests[0], result.Requests[1]
	if first.Asked != "" || first.Dropped != 1 || second.Asked != "otherwise" || second.Kept != 1 {
		t.Errorf("the story is %+v", result.Requests)
	}
}

func TestTheSecondSearchIsNotMadeWhenTheFirstFindsSomebody(t *testing.T) {
	crm := serve(t, answering(200, callers))
	found(t, searched(t, contacts(crm.URL, withSecond())))
	crm.only(t)
}

// What one lookup found, the others need not look for any further.
func TestSecondSearchesAreOnlyMadeWhenNoLookupFoundAnybody(t *testing.T) {
	for name, test := range map[string]struct {
		leads        http.HandlerFunc
		asked, found []string
	}{
		"one found somebody": {answering(200, `[`+rosa+`]`), []string{"/contacts", "/leads"}, []string{"r"}},
		"none did":           {answering(200, `[]`), []string{"/contacts", "/leads", "/scan", "/scan-leads"}, []string{"a", "r"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, byPath(map[string]http.HandlerFunc{
				"/contacts": answering(200, `[]`), "/leads": test.leads, "/scan": answering(200, `[`+anna+`]`), "/scan-leads": answering(200, `[`+rosa+`]`),
			}))
			d := contacts(crm.URL, withSecond())
			d.Lookups = append(d.Lookups, leads(withSecond(func(s *Search) { s.Path = "/scan-leads" })))
			result := searched(t, d)
			var paths []string
			for _, request := range crm.asked() {
				paths = append(paths, request.path())
			}
			slices.Sort(paths)
			if !slices.Equal(paths, test.asked) || !slices.Equal(ids(result), test.found) || result.Err != nil {
				t.Errorf("asked %q, found %q, %v", paths, ids(result), result.Err)
			}
		})
	}
}

func TestASecondSearchThatFailsIsNotNotFound(t *testing.T) {
	for name, test := range map[string]struct {
		scan http.HandlerFunc
		want string
	}{
		"a failure":  {answering(500, ``), "500 Internal Server Error"},
		"a page":     {answering(200, `<html>`, "Content-Type", "text/html"), "text/html, not JSON"},
		"no records": {answering(200, `{}`), `nothing at "list"`},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(200, `{"list":[]}`), "/scan": test.scan}))
			result := searched(t, contacts(crm.URL, withSecond(), func(l *Lookup) { l.Records = "list" }))
			hears(t, failure(t, result), "crm legacy: lookup contact: ", test.want)
			if len(result.Records) != 0 {
				t.Errorf("found %q", ids(result))
			}
		})
	}
}

func TestNoSecondSearchIsMadeAfterAFailure(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(500, ``), "/scan": answering(200, callers)}))
	result := searched(t, contacts(crm.URL, withSecond()))
	hears(t, failure(t, result), "500 Internal Server Error")
	crm.only(t)
}

// One lookup that fails does not keep another from its second search.
func TestAnotherLookupsFailureDoesNotKeepFromASecondSearch(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(200, `[]`), "/leads": answering(500, ``), "/scan": answering(200, callers)}))
	d := contacts(crm.URL, withSecond())
	d.Lookups = append(d.Lookups, leads())
	result := searched(t, d)
	hears(t, failure(t, result), "lookup lead: 500")
	if !slices.Equal(ids(result), []string{"7"}) {
		t.Errorf("found %q", ids(result))
	}
}

func TestASecondSearchIsAsTheFirstWhereItDoesNotSay(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts": answering(404, ``), "/scan": answering(200, `{"list":[],"code":"NONE"}`),
	}))
	d := contacts(crm.URL, withSecond(func(s *Search) { s.Query = []Param{{"q", "name='{call.userData.USR_X}' {number.nsn}"}} }), func(l *Lookup) {
		l.Headers, l.Records, l.Dialect = []Param{{"X-Scope", "contacts"}}, "list", "sql"
		l.Miss, l.Fail = &Condition{Status: []int{404}}, &Condition{Expression: `body.code == "BROKEN"`}
	})
	if result := searchWith(t, d, "O'Brien"); result.Err != nil || len(result.Records) != 0 {
		t.Errorf("result = %+v", result)
	}
	second := crm.asked()[1]
	if second.header.Get("X-Scope") != "contacts" || pairs(t, second.query())[0].value != "name='O''Brien' 427466347" {
		t.Errorf("asked %q with %v", second.target, second.header)
	}
}

func TestASecondSearchHasSpellingsFiltersAndEachOfItsOwn(t *testing.T) {
	crm := serve(t, answering(200, `{"list":[],"results":[]}`))
	result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = "list" }, withSecond(func(s *Search) {
		s.Spellings, s.Filter, s.Each, s.Records = []string{"last7", "nsn"}, &Filter{"{each} like {number}", " or "}, []string{"phone", "mobile"}, "results"
		s.Query = []Param{{"q", "{filter}"}}
	})))
	var asked []string
	for _, request := range crm.asked()[1:] {
		asked = append(asked, pairs(t, request.query())[0].value)
	}
	slices.Sort(asked)
	if want := []string{"mobile like 7466347 or mobile like 427466347", "phone like 7466347 or phone like 427466347"}; !slices.Equal(asked, want) || result.Err != nil {
		t.Errorf("asked %q, %v", asked, result.Err)
	}
	if got := result.Requests[1].Asked; got != "otherwise phone filter" {
		t.Errorf("the story is %q", got)
	}
}

func TestASecondSearchesRecordsHaveDetailsAndFollows(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts": answering(200, `[]`), "/scan": answering(200, `["7"]`),
		"/contacts/7": answering(200, `{"phone":"0427466347","company_id":3}`), "/companies/3": answering(200, `{"name":"three"}`),
	}))
	if record := found(t, searched(t, contacts(crm.URL, withDetail, withCompany, withSecond()))); record.Company != "three" {
		t.Errorf("found %+v", record)
	}
}

func TestSecondSearchesCanBeLeftOut(t *testing.T) {
	crm := serve(t, answering(200, `[]`))
	d := contacts(crm.URL, withSecond())
	d.FirstOnly = true
	if result := searched(t, d); result.Err != nil || len(result.Records) != 0 {
		t.Errorf("result = %+v", result)
	}
	crm.only(t)
}

func TestASecondSearchThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Search)
		want   string
	}{
		"no path":            {func(s *Search) { s.Path = "" }, "otherwise: GET: missing"},
		"the same for all":   {func(s *Search) { s.Query = nil }, "otherwise: GET: asks the same for every caller"},
		"a bad spelling":     {func(s *Search) { s.Spellings = []string{"e146"} }, `otherwise: spellings: unknown spelling "e146"`},
		"a bad dialect":      {func(s *Search) { s.Dialect = "mysql" }, `otherwise: dialect: unknown dialect "mysql"; did you mean sql?`},
		"a bad path":         {func(s *Search) { s.Records = "a..b" }, `otherwise: records: the gjson path "a..b"`},
		"an unused filter":   {func(s *Search) { s.Filter = &Filter{"{number}", ","} }, "otherwise: filter: is not used"},
		"a bad fail":         {func(s *Search) { s.Fail = &Condition{Expression: "1"} }, "otherwise: fail: "},
		"two bodies":         {func(s *Search) { s.Method, s.JSON, s.XML = http.MethodPost, `{}`, `<a/>` }, "otherwise: POST: a request has one of json, xml and form"},
		"a filter of others": {func(s *Search) { s.Query = []Param{{"q", "{filter}"}} }, "otherwise: query q: unknown placeholder {filter}"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, off := range []bool{false, true} { // what is left out can't be wrong either
				d := contacts("https://crm.example.com", withSecond(test.change))
				d.FirstOnly = off
				_, err := Compile(d, Options{})
				if err == nil {
					t.Fatal("it compiled")
				}
				if !strings.Contains(err.Error(), "lookup contact: "+test.want) {
					t.Errorf("error: %v", err)
				}
			}
		})
	}
}
