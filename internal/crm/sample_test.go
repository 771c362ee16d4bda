package crm

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// withSample lists records for a sample below another path.
func withSample(l *Lookup) {
	l.Sample = &Search{Ask: Ask{Path: "/all", Query: []Param{{"max", "{limit}"}}}}
}

// sampled returns what one lookup's sample brought.
func sampled(t testing.TB, rest *REST, limit int) Sampled {
	t.Helper()
	all := rest.Sample(background(t), limit)
	if len(all) != 1 || all[0].Kind != "contact" {
		t.Fatalf("sampled %+v", all)
	}
	return all[0]
}

func TestASampleListsRecordsWhateverTheirNumbers(t *testing.T) {
	crm := serve(t, answering(200, `{"list":[{"id":"1","phone":"0199000001"},{"id":"2","phone":null},{"id":"3","phone":["a","b"]}]}`))
	rest := compiled(t, contacts(crm.URL, withSample, func(l *Lookup) { l.Records = "list" }), Options{})
	got := sampled(t, rest, 2)
	if got.Err != nil || len(got.Records) != 2 || got.Records[0].ID != "1" || !slices.Equal(got.Records[0].Phones, []string{"0199000001"}) || len(got.Records[1].Phones) != 0 {
		t.Errorf("sampled %+v", got)
	}
	if target := crm.only(t).target; target != "/all?max=2" {
		t.Errorf("asked %s", target)
	}
}

func TestTheLimitIsANumberInJSON(t *testing.T) {
	crm := serve(t, answering(200, `[]`))
	rest := compiled(t, contacts(crm.URL, func(l *Lookup) {
		l.Sample = &Search{Ask: Ask{Method: http.MethodPost, Path: "/all", JSON: `{"max":{limit},"page":"1 of {limit}"}`}}
	}), Options{})
	if got := sampled(t, rest, 50); got.Err != nil || len(got.Records) != 0 {
		t.Errorf("sampled %+v", got)
	}
	if body := crm.only(t).body; body != `{"max":50,"page":"1 of 50"}` {
		t.Errorf("asked %s", body)
	}
}

func TestASamplesNumbersThatTheListDoesNotShow(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/all" {
			answering(200, `["7","8"]`)(w, r)
			return
		}
		answering(200, `{"phones":[{"number":"01990000`+strings.TrimPrefix(r.URL.Path, "/contacts/")+`"}]}`)(w, r)
	})
	got := sampled(t, compiled(t, contacts(crm.URL, withDetail, withSample), Options{}), 50)
	if got.Err != nil || len(got.Records) != 2 || got.Records[1].Phones[0] != "019900008" {
		t.Errorf("sampled %+v", got)
	}
}

func TestASampleThatFails(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"the list":   answering(500, ``),
		"the detail": listAndDetails(`[]`, nil),
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if name == "the detail" && r.URL.Path == "/all" {
					answering(200, `["7"]`)(w, r)
					return
				}
				answer(w, r)
			})
			got := sampled(t, compiled(t, contacts(crm.URL, withDetail, withSample), Options{}), 50)
			if got.Err == nil || !strings.HasPrefix(got.Err.Error(), "crm legacy: lookup contact: ") {
				t.Errorf("sampled %+v", got)
			}
		})
	}
}

func TestALookupWithoutASampleHasNone(t *testing.T) {
	if got := compiled(t, contacts("https://crm.example.com"), Options{}).Sample(t.Context(), 50); len(got) != 0 {
		t.Errorf("sampled %+v", got)
	}
}

// What a search has in its header fields of the call, a sample has not.
func TestASampleHasNoHeaderOfTheCall(t *testing.T) {
	for name, use := range map[string]func(*Lookup){
		"a spelling":     func(l *Lookup) { l.Headers = []Param{{"X-Number", "{number.e164}"}} },
		"each spelling":  func(l *Lookup) { l.Headers = []Param{{"X-Number", "{number}"}} },
		"call data":      func(l *Lookup) { l.Headers = []Param{{"X-Number", "{call.caller}"}} },
		"a filter":       func(l *Lookup) { l.Headers, l.Filter = []Param{{"X-Number", "{filter}"}}, &Filter{"p={number}", ","} },
		"one of several": func(l *Lookup) { l.Headers, l.Each = []Param{{"X-Number", "{each}"}}, []string{"{number.e164}"} },
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
				answering(200, map[bool]string{true: `["7"]`, false: `{"phone":"0427466347"}`}[r.URL.Path != "/contacts/7"])(w, r)
			})
			d := contacts(crm.URL, withDetail, withSample, use, func(l *Lookup) { l.Headers = append(l.Headers, Param{"X-Scope", "contacts"}) })
			d.Headers = []Param{{"X-Caller", "{number.e164}"}}
			rest := compiled(t, d, Options{})
			if got := sampled(t, rest, 50); got.Err != nil || len(got.Records) != 1 {
				t.Errorf("sampled %+v", got)
			}
			for _, request := range crm.asked() {
				if request.header.Values("X-Number") != nil || request.header.Values("X-Caller") != nil || request.header.Get("X-Scope") != "contacts" {
					t.Errorf("%s was asked for with %v", request.target, request.header)
				}
			}
			found(t, rest.Search(t.Context(), question(t, callersNumber)))
			for _, request := range crm.asked()[2:] {
				if request.header.Get("X-Number") == "" || request.header.Get("X-Caller") == "" {
					t.Errorf("%s was asked for with %v", request.target, request.header)
				}
			}
		})
	}
}

func TestASampleThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Lookup)
		want   string
	}{
		"it has the number": {func(l *Lookup) { l.Sample.Query = []Param{{"q", "{number.e164}"}} }, "sample: can't depend on a call: it lists records whatever their numbers"},
		"it has call data":  {func(l *Lookup) { l.Sample.Headers = []Param{{"X", "{call.queue.name}"}} }, "sample: can't depend on a call"},
		"it asks for each": {
			func(l *Lookup) { l.Sample.Each, l.Sample.Query = []string{"a"}, []Param{{"q", "{each}"}} }, "sample: each: makes several requests, but a sample is one",
		},
		"it has no path":       {func(l *Lookup) { l.Sample.Path = "" }, "sample: GET: missing"},
		"a search has a limit": {func(l *Lookup) { l.Query = append(l.Query, Param{"max", "{limit}"}) }, "query max: unknown placeholder {limit}"},
		"a second search has": {
			func(l *Lookup) {
				l.Otherwise = &Search{Ask: Ask{Path: "/{number.nsn}", Query: []Param{{"max", "{limit}"}}}}
			}, "otherwise: query max: unknown placeholder {limit}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(contacts("https://crm.example.com", withSample, test.change), Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), "lookup contact: "+test.want)
		})
	}
}
