package crm

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// suiteCRM is SuiteCRM 7.14.6 as it was recorded: a request is answered if it
// is, byte for byte, one that was.
func suiteCRM(t testing.TB) *fakeCRM {
	t.Helper()
	exchanges := exchangesIn(t, "testdata/suitecrm-7.14.6.json")
	var crm *fakeCRM
	crm = serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests := crm.asked()
		body := requests[len(requests)-1].body // one request at a time
		for _, e := range exchanges {
			if r.Method == e.Request.Method && r.RequestURI == e.Request.Target && hasHeaders(r, e.Request.Headers) && sameJSON(body, e.Request.Body) {
				e.answer(w)
				return
			}
		}
		answering(404, `{"errors":{"status":404,"title":null,"detail":"not recorded"}}`)(w, r)
	})
	return crm
}

func hasHeaders(r *http.Request, headers map[string]string) bool {
	for name, value := range headers {
		if r.Header.Get(name) != value {
			return false
		}
	}
	return true
}

// sameJSON compares two bodies, but for the order of their members.
func sameJSON(one, other string) bool {
	var a, b any
	if one == "" || other == "" {
		return one == other
	}
	return json.Unmarshal([]byte(one), &a) == nil && json.Unmarshal([]byte(other), &b) == nil && reflect.DeepEqual(a, b)
}

// suiteCRMSearch asks one module as it was recorded.
func suiteCRMSearch(address, secret, module string, query ...Param) Definition {
	fields, size := "name,phone_work,phone_mobile,account_name,email1", "20"
	phones := []string{"{record.attributes.phone_work}", "{record.attributes.phone_mobile}"}
	switch module {
	case "Leads":
		fields, size = "name,phone_work,phone_mobile,account_name", "5"
	case "Accounts":
		fields, size = "name,phone_office,phone_alternate", "5"
		phones = []string{"{record.attributes.phone_office}", "{record.attributes.phone_alternate}"}
	}
	if strings.HasPrefix(query[len(query)-1].Value, "{number.") { // refusals were recorded without
		query = append(query, Param{"fields[" + module + "]", fields}, Param{"page[size]", size})
	}
	return Definition{
		Name:    "suitecrm",
		URL:     address,
		Headers: []Param{{"Content-Type", "application/vnd.api+json"}, {"Accept", "application/vnd.api+json"}},
		Auth:    &Auth{OAuth2: &OAuth2{URL: "{crm.url}/Api/access_token", Encoding: "json", ClientID: "THE-CLIENT-ID", ClientSecret: secret}},
		Lookups: []Lookup{{
			Kind:       "contact",
			Search:     Search{Ask: Ask{Path: "/Api/V8/module/" + module, Query: query, Headers: []Param{{"X-Caller", "{number.last7}"}}}, Records: "data"},
			RecordName: []string{"{record.attributes.name}"},
			Company:    []string{"{record.attributes.account_name}"},
			Phones:     phones,
		}},
	}
}

func TestSuiteCRMsRecordedSearches(t *testing.T) {
	like := func(field string) Param { return Param{"filter[" + field + "][like]", "{number.like}"} }
	for name, test := range map[string]struct {
		caller, module string
		query          []Param
		want           []string
	}{
		"like with wildcards": {"0123456789", "Contacts", []Param{like("phone_work")}, []string{
			"Bruno Klein 0033123456789", "Carla Roux 01.23.45.67.89", "David Yilmaz 0123456789", "Elena Faure +33123456789",
			"Anna Dubois +33 1 23 45 67 89", "Franck Martin (01) 23-45-67-89", "Greta Tanaka +33 (0)1 23 45 67 89",
		}},
		"one spelling":    {"0123456789", "Contacts", []Param{{"filter[phone_work][eq]", "{number.national}"}}, []string{"David Yilmaz 0123456789"}},
		"one of fields":   {"0610000003", "Contacts", []Param{{"filter[operator]", "or"}, like("phone_work"), like("phone_mobile")}, []string{"David Yilmaz 0123456789"}},
		"nobody":          {"0987654321", "Contacts", []Param{like("phone_work")}, nil},
		"leads' mobiles":  {"0612345678", "Leads", []Param{like("phone_mobile")}, []string{"Lena Cohen +33 6 12 34 56 78", "Karim Vidal 0033612345678", "Jonas Olsen 06 12 34 56 78", "Ines Huber 06.12.34.56.78", "Hugo Abel 06-12-34-56-78"}},
		"accounts' phone": {"0123456789", "Accounts", []Param{like("phone_office")}, []string{"Dubois SARL +33 1 23 45 67 89", "Klein SARL 0033123456789", "Roux SARL 01.23.45.67.89", "Yilmaz SARL 0123456789"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := suiteCRM(t)
			result := compiled(t, suiteCRMSearch(crm.URL, "THE-CLIENT-SECRET", test.module, test.query...), Options{}).Search(t.Context(), question(t, test.caller))
			var got []string
			for _, record := range result.Records {
				got = append(got, record.Name+" "+record.Phones[0])
			}
			if !slices.Equal(got, test.want) || result.Err != nil {
				t.Errorf("found %q, err = %v\nwant  %q", got, result.Err, test.want)
			}
			if requests := crm.asked(); len(requests) != 2 || requests[0].path() != "/Api/access_token" {
				t.Errorf("asked %q", crm.targets())
			}
		})
	}
}

func TestSuiteCRMsRefusalsSayWhatToMend(t *testing.T) {
	for name, test := range map[string]struct {
		secret string
		query  Param
		want   []string
	}{
		"wrong secret":     {"wrong", Param{"filter[phone_work][like]", "{number.like}"}, []string{"no session or token", "401", "invalid_client: Client authentication failed", "the client id or the client secret"}},
		"unknown operator": {"THE-CLIENT-SECRET", Param{"filter[phone_work][contains]", "123"}, []string{"400 Bad Request: Filter operator contains is invalid", "check the lookup"}},
		"unknown field":    {"THE-CLIENT-SECRET", Param{"filter[nofield][eq]", "1"}, []string{"400 Bad Request: Filter field nofield in Contact module is not found", "check the lookup"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := suiteCRM(t)
			result := compiled(t, suiteCRMSearch(crm.URL, test.secret, "Contacts", test.query), Options{}).Search(t.Context(), question(t, "0123456789"))
			hears(t, failure(t, result), append(test.want, "crm suitecrm: lookup contact: ")...)
		})
	}
}

// SuiteCRM says with a 401 that a token has ended; the program asks for another,
// once.
func TestSuiteCRMThatRefusesEveryTokenIsAskedTwice(t *testing.T) {
	exchanges := exchangesIn(t, "testdata/suitecrm-7.14.6.json")
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		name := "bad token"
		if r.Method == http.MethodPost {
			name = "token"
		}
		exchanges[slices.IndexFunc(exchanges, func(e recordedExchange) bool { return e.Name == name })].answer(w)
	})
	result := compiled(t, suiteCRMSearch(crm.URL, "THE-CLIENT-SECRET", "Contacts", Param{"filter[phone_work][like]", "{number.like}"}), Options{}).Search(t.Context(), question(t, "0123456789"))
	hears(t, failure(t, result), "401 Unauthorized: The resource owner or authorization server denied the request.")
	var methods []string
	for _, a := range crm.asked() {
		methods = append(methods, a.method)
	}
	if want := []string{"POST", "GET", "POST", "GET"}; !slices.Equal(methods, want) {
		t.Errorf("asked %q", methods)
	}
}
