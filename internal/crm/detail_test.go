package crm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// withDetail is a lookup whose list shows only a record's first number.
func withDetail(l *Lookup) {
	l.Detail = &Detail{Ask: Ask{Path: "/contacts/{record.id}"}}
	l.Company = []string{"{record.company}"}
	l.Phones = []string{"{record.phone}", "{record.phones.#.number}"}
}

// listAndDetails answers the search with a list and what is below it by id.
func listAndDetails(list string, details map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, below := strings.CutPrefix(r.URL.Path, "/contacts/")
		if !below {
			answering(200, list)(w, r)
			return
		}
		if detail, ok := details[id]; ok {
			detail(w, r)
			return
		}
		answering(404, "")(w, r)
	}
}

func TestASecondNumberIsFoundInTheDetail(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"id":"7","name":"Camille","company":"Cuisines Moreau","phone":"0199000001"}]`, map[string]http.HandlerFunc{
		"7": answering(200, `{"id":"7","name":"Camille Moreau","company":null,"phone":"0199000001","phones":[{"number":"0199000001"},{"number":"04 27 46 63 47"}]}`),
	}))
	result := searched(t, contacts(crm.URL, withDetail))

	record := found(t, result)
	if record.Name != "Camille Moreau" || record.Company != "Cuisines Moreau" {
		t.Errorf("the record does not have what either answer has: %+v", record)
	}
	if !slices.Equal(record.Phones, []string{"0199000001", "0199000001", "04 27 46 63 47"}) {
		t.Errorf("phones = %q", record.Phones)
	}
	if want := []string{"/contacts?q=%2B33427466347", "/contacts/7"}; !slices.Equal(crm.targets(), want) {
		t.Errorf("asked %q, want %q", crm.targets(), want)
	}
	list, detail := result.Requests[0], result.Requests[1]
	if list.Returned != 1 || list.Kept != 0 || detail.Asked != "detail" || detail.Status != 200 || detail.Returned != 1 || detail.Kept != 1 {
		t.Errorf("the story is %+v", result.Requests)
	}
}

func TestTheDetailIsAskedForWithTheSameHeaders(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"id":"7","phone":"0199000001"}]`, map[string]http.HandlerFunc{"7": answering(200, `{"phone":"0427466347"}`)}))
	d := contacts(crm.URL, withDetail, func(l *Lookup) { l.Headers = []Param{{"X-Scope", "contacts"}} })
	d.Headers = []Param{{"X-Api-Key", "key"}}
	found(t, searched(t, d))
	for _, request := range crm.asked() {
		if request.header.Get("X-Api-Key") != "key" || request.header.Get("X-Scope") != "contacts" || request.header.Get("Accept") != "application/json" {
			t.Errorf("%s had %v", request.target, request.header)
		}
	}
}

func TestARecordThatTheListConfirmsNeedsNoDetail(t *testing.T) {
	crm := serve(t, listAndDetails(callers, nil))
	found(t, searched(t, contacts(crm.URL, withDetail)))
	crm.only(t)
}

func TestAStrangerInTheDetailIsDropped(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"id":"7","phone":"0199000001"}]`, map[string]http.HandlerFunc{
		"7": answering(200, `{"id":"7","phones":[{"number":"0199000001"},{"number":"0199000002"}]}`),
	}))
	result := searched(t, contacts(crm.URL, withDetail))
	if len(result.Records) != 0 || result.Err != nil || len(result.Requests) != 2 || result.Requests[1].Kept != 0 {
		t.Errorf("result = %+v", result)
	}
}

func TestADetailThatFailsIsNotNotFound(t *testing.T) {
	for name, test := range map[string]struct {
		detail http.HandlerFunc
		want   string
	}{
		"an error status":     {answering(500, `{"message":"boom"}`), "500 Internal Server Error: boom"},
		"no such record":      {answering(404, ``), "404 Not Found"},
		"no JSON":             {answering(200, `<html>`, "Content-Type", "text/html"), "text/html, not JSON"},
		"it says that it did": {answering(200, `{"success":false,"phone":"0427466347"}`), "says that it failed"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, listAndDetails(`[`+rosa+`,{"id":"7","phone":"0199000001"}]`, map[string]http.HandlerFunc{"7": test.detail}))
			result := searched(t, contacts(crm.URL, withDetail, func(l *Lookup) {
				l.Fail = &Condition{Expression: "body.success == false"}
			}))
			hears(t, failure(t, result), "crm legacy: lookup contact: ", test.want)
			if !slices.Equal(ids(result), []string{"r"}) { // what was found is true
				t.Errorf("found %q", ids(result))
			}
			if result.Requests[1].Err == nil {
				t.Errorf("the story is %+v", result.Requests)
			}
		})
	}
}

func TestTooManyStrangersAreNoSearchByNumber(t *testing.T) {
	strangers := func(count int) (string, map[string]http.HandlerFunc) {
		details := map[string]http.HandlerFunc{}
		var list []string
		for i := range count {
			list = append(list, fmt.Sprintf(`{"id":"%d","phone":"01990000%02d"}`, i, i))
			details[fmt.Sprint(i)] = answering(200, `{"phone":"0199000001"}`)
		}
		return "[" + strings.Join(list, ",") + "]", details
	}

	list, details := strangers(maxDetails)
	crm := serve(t, listAndDetails(list, details))
	if result := searched(t, contacts(crm.URL, withDetail)); result.Err != nil || len(crm.asked()) != 1+maxDetails {
		t.Errorf("%d strangers: %d requests, err = %v", maxDetails, len(crm.asked()), result.Err)
	}

	list, details = strangers(maxDetails + 1)
	crm = serve(t, listAndDetails(list, details))
	result := searched(t, contacts(crm.URL, withDetail))
	hears(t, failure(t, result), "11 records without the caller's number", "make the search stricter")
	if requests := len(crm.asked()); requests > 1+maxDetails {
		t.Errorf("%d requests", requests)
	}
}

func TestAnIDCannotLeadTheDetailElsewhere(t *testing.T) {
	for id, want := range map[string]string{
		"../users":   "/contacts/..%2Fusers",
		"a/b?c#d":    "/contacts/a%2Fb%3Fc%23d",
		"%2e%2e":     "/contacts/%252e%252e",
		"a b\\r\\nc": "/contacts/a%20b%0D%0Ac", // a line break, as JSON writes it
	} {
		crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/contacts" {
				answering(200, `[{"id":"`+id+`","phone":"0199000001"}]`)(w, r)
				return
			}
			answering(200, `{"phone":"0427466347"}`)(w, r)
		})
		found(t, searched(t, contacts(crm.URL, withDetail)))
		if targets := crm.targets(); targets[1] != want {
			t.Errorf("id %q: asked %q, want %q", id, targets[1], want)
		}
	}
	for _, id := range []string{"..", "."} {
		crm := serve(t, answering(200, `[{"id":"`+id+`","phone":"0199000001"}]`))
		hears(t, failure(t, searched(t, contacts(crm.URL, withDetail))), "not asked: path: ")
		crm.only(t)
	}
}

func TestRecordsKeepTheCRMsOrderWhicheverAnswerConfirmsThem(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"id":"1","phone":"0199000001"},{"id":"2","phone":"0427466347"},{"id":"3","phone":"0199000003"},{"id":"4","phone":"0427466347"}]`,
		map[string]http.HandlerFunc{"1": answering(200, `{"phones":[{"number":"0427466347"}]}`), "3": answering(200, `{}`)}))
	var ids []string
	for _, record := range searched(t, contacts(crm.URL, withDetail)).Records {
		ids = append(ids, record.ID)
	}
	if want := []string{"1", "2", "4"}; !slices.Equal(ids, want) {
		t.Errorf("the records are %q, want %q", ids, want)
	}
}

func TestARecordWithoutAnIDHasNoDetail(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"phone":"0199000001"}]`, nil))
	if result := searched(t, contacts(crm.URL, withDetail)); len(result.Records) != 0 || result.Err != nil {
		t.Errorf("result = %+v", result)
	}
	crm.only(t)
}

func TestARecordDeletedSinceTheSearchIsDropped(t *testing.T) {
	crm := serve(t, listAndDetails(`[{"id":"7","phone":"0199000001"}]`, nil))
	missing := func(l *Lookup) { l.Miss = &Condition{Status: []int{404}} }
	if result := searched(t, contacts(crm.URL, withDetail, missing)); len(result.Records) != 0 || result.Err != nil {
		t.Errorf("result = %+v", result)
	}
}

func TestADetailCanBeAnyRequest(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/rpc" {
			answering(200, `[{"id":7,"phone":"0199000001"},{"id":8,"phone":"0199000002"}]`)(w, r)
			return
		}
		answering(200, `{"result":[{"phone":"0427466347","name":"read"}]}`)(w, r)
	})
	result := searched(t, contacts(crm.URL, withDetail, func(l *Lookup) {
		l.Detail = &Detail{Ask: Ask{
			Method: http.MethodPost, Path: "/rpc", JSON: `{"read":[{record.id}],"id":"{contact.id}"}`, Headers: []Param{{"X-Id", "{record.id}"}}, Query: []Param{{"of", "{record.id}"}},
		}, Records: "result"}
		l.Headers = []Param{{"X-Scope", "of the list"}}
	}))
	if !slices.Equal(ids(result), []string{"7", "8"}) || result.Records[0].Name != "read" || result.Err != nil {
		t.Errorf("found %+v, %v", result.Records, result.Err)
	}
	for _, request := range crm.asked()[1:] {
		id := request.header.Get("X-Id")
		if request.method != http.MethodPost || request.target != "/rpc?of="+id || request.body != `{"read":[`+id+`],"id":"`+id+`"}` || request.header.Get("X-Scope") != "" {
			t.Errorf("asked %s %s %s with %v", request.method, request.target, request.body, request.header)
		}
	}
}

func TestWhereTheRecordStandsInTheDetail(t *testing.T) {
	for name, test := range map[string]struct {
		records, body string
		finds         bool
		want          string
	}{
		"the answer itself":   {"", `{"phone":"0427466347"}`, true, ""},
		"below a path":        {"data.contact", `{"data":{"contact":{"phone":"0427466347"}}}`, true, ""},
		"first of a list":     {"data", `{"data":[{"phone":"0427466347"},{"phone":"0199000001"}]}`, true, ""},
		"a list of nobody":    {"data", `{"data":[]}`, false, ""},
		"null":                {"data", `{"data":null}`, false, ""},
		"false":               {"data", `{"data":false}`, false, ""},
		"nowhere":             {"data", `{"list":[]}`, false, `nothing at "data" (records of detail)`},
		"nowhere in an error": {"data", `{"error":{"code":-32000}}`, false, `nothing at "data" (records of detail)`},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, listAndDetails(`[{"id":"7","phone":"0199000001"}]`, map[string]http.HandlerFunc{"7": answering(200, test.body)}))
			result := searched(t, contacts(crm.URL, withDetail, func(l *Lookup) { l.Detail.Records = test.records }))
			if (len(result.Records) == 1) != test.finds {
				t.Errorf("found %q", ids(result))
			}
			switch {
			case test.want != "":
				hears(t, failure(t, result), test.want)
			case result.Err != nil:
				t.Error(result.Err)
			}
		})
	}
}

// Some searches list ids alone.
func TestRecordsThatAreOnlyIDs(t *testing.T) {
	for name, list := range map[string]string{
		"numbers":         `[7,8]`,
		"texts":           `["7","8"]`,
		"among others":    `[null,"7",{"id":"8"},false,["9"],"a b","` + strings.Repeat("9", 65) + `"]`,
		"below the path":  `{"result":["7","8"]}`,
		"of a keyed list": `{"a":7,"b":8}`,
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, listAndDetails(list, map[string]http.HandlerFunc{
				"7": answering(200, `{"phone":"0427466347","name":"seven"}`), "8": answering(200, `{"phone":"0199000001"}`),
			}))
			result := searched(t, contacts(crm.URL, withDetail, func(l *Lookup) {
				l.Records = map[string]string{"below the path": "result", "of a keyed list": "@values"}[name]
			}))
			if record := found(t, result); record.ID != "7" || record.Name != "seven" {
				t.Errorf("found %+v", record)
			}
			if len(crm.asked()) != 3 {
				t.Errorf("asked %q", crm.targets())
			}
		})
	}
	t.Run("are none where nothing tells of one", func(t *testing.T) {
		crm := serve(t, answering(200, `[7,8]`))
		hears(t, failure(t, searched(t, contacts(crm.URL))), "holds no objects")
	})
}

func TestADetailThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		detail Detail
		want   string
	}{
		"no path":           {Detail{Records: "a"}, "detail: GET: missing"},
		"a bad path":        {Detail{Ask: Ask{Path: "/{record.id}"}, Records: "a..b"}, `detail: records: the gjson path "a..b"`},
		"a GET with a body": {Detail{Ask: Ask{Path: "/{record.id}", JSON: `{}`}}, "detail: GET: a GET has no body"},
		"a placeholder":     {Detail{Ask: Ask{Path: "/{follow.x.id}"}}, "detail: GET: unknown placeholder {follow.x.id}"},
		"no JSON":           {Detail{Ask: Ask{Method: http.MethodPost, Path: "/x", JSON: `{"a":{record.id}`}}, "detail: json: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(contacts("https://crm.example.com", withDetail, func(l *Lookup) { l.Detail = &test.detail }), Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), "lookup contact: "+test.want)
		})
	}
}
