package crm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// withCompany follows each record to its company.
func withCompany(l *Lookup) {
	l.Follows = []Follow{{Name: "company", Ask: Ask{Path: "/companies/{record.company_id}"}}}
	l.Company = []string{"{follow.company.name}", "{record.company_name}"}
}

// byPath answers each path in its own way, and any other with a 404.
func byPath(paths map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, ok := paths[r.URL.Path]
		if !ok {
			answer = answering(404, `{"message":"no such path"}`)
		}
		answer(w, r)
	}
}

// companies lists which companies the records have, in order.
func companies(result Result) []string {
	var list []string
	for _, record := range result.Records {
		list = append(list, record.Company)
	}
	return list
}

const camille = `{"id":"7","name":"Camille","phone":"0427466347","company_id":3,"company_name":"of the list"}`

func TestWhatBelongsToARecordIsRead(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts":    answering(200, `[`+camille+`]`),
		"/companies/3": answering(200, `{"name":"Cuisines Moreau","city":"Lyon"}`),
		"/tickets":     answering(200, `{"results":[{"id":41,"subject":"Late"},{"id":42,"subject":"Broken"}]}`),
	}))
	result := searched(t, contacts(crm.URL, withCompany, func(l *Lookup) {
		l.Follows = append(l.Follows, Follow{Name: "tickets", Ask: Ask{
			Method: http.MethodPost, Path: "/tickets", JSON: `{"of":"{record.id}","contact":"{contact.id}","company":{record.company_id}}`,
			Headers: []Param{{"X-Of", "{contact.id}"}},
		}})
		l.URL = []string{"{crm.url}/tickets/{follow.tickets.results.0.id}", "{crm.url}/contacts/{record.id}"}
		l.Fields = []Field{{"city", []string{"{follow.company.city}"}}, {"open", []string{"{follow.tickets.results.#}"}}, {"none", []string{"{follow.company.vat}"}}}
	}))

	record := found(t, result)
	if record.Name != "Camille" || record.Company != "Cuisines Moreau" || record.URL != crm.URL+"/tickets/41" {
		t.Errorf("found %+v", record)
	}
	if record.Fields["city"] != "Lyon" || record.Fields["open"] != "2" || record.Fields["none"] != "" {
		t.Errorf("fields = %q", record.Fields)
	}
	for _, request := range crm.asked() {
		if request.path() == "/tickets" && (request.body != `{"of":"7","contact":"7","company":3}` || request.header.Get("X-Of") != "7") {
			t.Errorf("the tickets were asked for with %s, %v", request.body, request.header)
		}
	}
	var story []string
	for _, request := range result.Requests {
		story = append(story, fmt.Sprint(request.Asked, " ", request.Status))
	}
	slices.Sort(story)
	if want := []string{" 200", "follow company 200", "follow tickets 200"}; !slices.Equal(story, want) {
		t.Errorf("the story is %q", story)
	}
}

func TestTheSameRequestIsMadeOnceForAllRecords(t *testing.T) {
	list := `[{"id":"1","phone":"0427466347","company_id":3},{"id":"2","phone":"0427466347","company_id":4},{"id":"3","phone":"0427466347","company_id":3}]`
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts": answering(200, list), "/companies/3": answering(200, `{"name":"three"}`), "/companies/4": answering(200, `{"name":"four"}`),
	}))
	result := searched(t, contacts(crm.URL, withCompany))
	if got := companies(result); !slices.Equal(got, []string{"three", "four", "three"}) || result.Err != nil {
		t.Errorf("companies = %q, %v", got, result.Err)
	}
	if targets := crm.targets(); len(targets) != 3 {
		t.Errorf("asked %q", targets)
	}
}

func TestOnlyTheCallersRecordsAreFollowed(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts":    answering(200, `[{"id":"8","phone":"0199000001","company_id":4},`+camille+`]`),
		"/companies/3": answering(200, `{"name":"three"}`),
	}))
	result := searched(t, contacts(crm.URL, withCompany))
	if got := companies(result); !slices.Equal(got, []string{"three"}) || len(crm.asked()) != 2 {
		t.Errorf("companies = %q, asked %q", got, crm.targets())
	}
}

func TestTenRecordsAreFollowedAndTheOthersStay(t *testing.T) {
	var list []string
	for i := range maxFollowed + 2 {
		list = append(list, fmt.Sprintf(`{"id":"%d","phone":"0427466347","company_id":%d,"company_name":"listed"}`, i, i))
	}
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/contacts" {
			answering(200, "["+strings.Join(list, ",")+"]")(w, r)
			return
		}
		answering(200, `{"name":"followed"}`)(w, r)
	})
	result := searched(t, contacts(crm.URL, withCompany))
	want := append(slices.Repeat([]string{"followed"}, maxFollowed), "listed", "listed")
	if got := companies(result); !slices.Equal(got, want) || result.Err != nil || len(crm.asked()) != 1+maxFollowed {
		t.Errorf("companies = %q, %v, asked %d times", got, result.Err, len(crm.asked()))
	}
}

func TestARecordStaysWhenWhatBelongsToItCanNotBeHad(t *testing.T) {
	for name, test := range map[string]struct {
		company http.HandlerFunc
		want    string
	}{
		"it fails":            {answering(500, `{"message":"boom"}`), "500 Internal Server Error: boom"},
		"it is not there":     {answering(404, ``), "404 Not Found"},
		"it is not allowed":   {answering(403, ``), "403 Forbidden"},
		"it is a page":        {answering(200, `<html>`, "Content-Type", "text/html"), "text/html, not JSON"},
		"it says that it did": {answering(200, `{"success":false,"message":"locked"}`), "says that it failed (body.success == false): locked"},
		"it breaks off":       {dropping(""), "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(200, `[`+camille+`]`), "/companies/3": test.company}))
			d := contacts(crm.URL, withCompany)
			d.Fail = &Condition{Expression: "body.success == false"}
			result := searched(t, d)
			if got := companies(result); !slices.Equal(got, []string{"of the list"}) {
				t.Errorf("companies = %q", got)
			}
			hears(t, failure(t, result), "crm legacy: lookup contact: follow company: ", test.want)
		})
	}
}

func TestWhatDoesNotBelongToARecordIsNoFailure(t *testing.T) {
	for name, test := range map[string]struct {
		company http.HandlerFunc
		follow  func(*Follow)
	}{
		"a status":              {answering(404, ``), func(f *Follow) { f.Miss = &Condition{Status: []int{404}} }},
		"no content":            {answering(204, ``), func(f *Follow) { f.Miss = &Condition{Status: []int{204}} }},
		"an expression":         {answering(200, `{"code":"NONE","name":"x"}`), func(f *Follow) { f.Miss = &Condition{Expression: `body.code == "NONE"`} }},
		"a list that is empty":  {answering(200, `[]`), func(*Follow) {}},
		"nothing of that name":  {answering(200, `{"title":"x"}`), func(*Follow) {}},
		"a null":                {answering(200, `null`), func(*Follow) {}},
		"a fail of its own":     {answering(200, `{"success":false}`), func(f *Follow) { f.Fail = &Condition{Expression: "body.error == 1"} }},
		"a miss of the lookups": {answering(404, ``), func(f *Follow) { f.Miss = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(200, `[`+camille+`]`), "/companies/3": test.company}))
			d := contacts(crm.URL, withCompany, func(l *Lookup) { test.follow(&l.Follows[0]) })
			if name == "a miss of the lookups" {
				d.Miss = &Condition{Status: []int{404}}
			}
			d.Fail = &Condition{Expression: "body.success == false"}
			if record := found(t, searched(t, d)); record.Company != "of the list" {
				t.Errorf("company = %q", record.Company)
			}
		})
	}
}

func TestNothingIsAskedForWhereAPartIsBlank(t *testing.T) {
	for _, company := range []string{`null`, `""`, `false`, `{}`, `[]`, `" "`} {
		crm := serve(t, answering(200, strings.Replace(`[`+camille+`]`, `"company_id":3`, `"company_id":`+company, 1)))
		if record := found(t, searched(t, contacts(crm.URL, withCompany))); record.Company != "of the list" {
			t.Errorf("company = %q", record.Company)
		}
		crm.only(t)
	}
}

func TestARecordCanNotLeadAFollowElsewhere(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{"/contacts": answering(200, strings.Replace(`[`+camille+`]`, `"company_id":3`, `"company_id":".."`, 1))}))
	result := searched(t, contacts(crm.URL, withCompany))
	hears(t, failure(t, result), "not asked: ", "value refused: ")
	if len(result.Records) != 1 {
		t.Errorf("found %+v", result.Records)
	}
	crm.only(t)
}

func TestARecordOfWhichTheDetailKnowsWhatToFollow(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts":    answering(200, `[{"id":"7","phone":"0199000001"}]`),
		"/contacts/7":  answering(200, `{"phone":"0427466347","company_id":3}`),
		"/companies/3": answering(200, `{"name":"three"}`),
	}))
	if record := found(t, searched(t, contacts(crm.URL, withDetail, withCompany))); record.Company != "three" {
		t.Errorf("found %+v", record)
	}
}

// breaking is a transport with a defect that shows on one path.
type breaking struct {
	http.RoundTripper

	path string
}

func (b breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == b.path {
		panic("a defect")
	}
	return b.RoundTripper.RoundTrip(r)
}

func TestADefectInAFollowKeepsTheRecordAndTheServer(t *testing.T) {
	crm := serve(t, answering(200, `[`+camille+`]`))
	rest := compiled(t, contacts(crm.URL, withCompany), Options{Transport: breaking{crm.Client().Transport, "/companies/3"}})
	result := rest.Search(t.Context(), question(t, callersNumber))
	hears(t, failure(t, result), "lookup contact: the program failed")
	if got := companies(result); !slices.Equal(got, []string{"of the list"}) {
		t.Errorf("companies = %q", got)
	}
}

func TestADefectInADetailOrASecondSearchIsAFailure(t *testing.T) {
	for _, path := range []string{"/contacts/7", "/scan"} {
		crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
			answering(200, map[bool]string{true: `[{"id":"7","phone":"0199000001"}]`, false: `[]`}[path == "/contacts/7"])(w, r)
		})
		rest := compiled(t, contacts(crm.URL, withDetail, func(l *Lookup) {
			l.Otherwise = &Search{Ask: Ask{Path: "/scan", Query: []Param{{"q", "{number.nsn}"}}}}
		}), Options{Transport: breaking{crm.Client().Transport, path}})
		hears(t, failure(t, rest.Search(t.Context(), question(t, callersNumber))), "lookup contact: the program failed")
	}
}

func TestAFollowThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Lookup)
		want   []string
	}{
		"the same for every record": {func(l *Lookup) { l.Follows[0].Path = "/companies" }, []string{"follow company: GET: asks the same for every record", "{record.company_id}"}},
		"there twice":               {func(l *Lookup) { l.Follows = append(l.Follows, l.Follows[0]) }, []string{"follow company: is there twice"}},
		"a bad name":                {func(l *Lookup) { l.Follows[0].Name = "a.b" }, []string{`"a.b" is not a name`}},
		"no path":                   {func(l *Lookup) { l.Follows[0].Path = "" }, []string{"follow company: GET: missing"}},
		"a bad placeholder":         {func(l *Lookup) { l.Follows[0].Path = "/{recrod.id}" }, []string{"follow company: GET: unknown placeholder {recrod.id}"}},
		"a bad miss":                {func(l *Lookup) { l.Follows[0].Miss = &Condition{Status: []int{1}} }, []string{"follow company: miss: 1 is not an HTTP status"}},
		"a name that is not there":  {func(l *Lookup) { l.Company = []string{"{follow.compny.name}"} }, []string{"company: bad placeholder {follow.compny.name}: there is no follow compny; did you mean company?"}},
		"none that is there":        {func(l *Lookup) { l.Follows = nil }, []string{"there is no follow company in this lookup; write follow company <path>"}},
		"a bad path":                {func(l *Lookup) { l.Company = []string{"{follow.company.a..b}"} }, []string{"company: bad placeholder {follow.company.a..b}"}},
		"no path behind the name":   {func(l *Lookup) { l.Company = []string{"{follow.company}"} }, []string{"company: bad placeholder {follow.company}"}},
		"a phone that is followed":  {func(l *Lookup) { l.Phones = []string{"{follow.company.phone}"} }, []string{"phones: unknown placeholder {follow.company.phone}"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(contacts("https://crm.example.com", withCompany, test.change), Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), append(test.want, "lookup contact: ")...)
		})
	}
}
