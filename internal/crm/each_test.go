package crm

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// each asks for some texts at the same time.
func each(texts ...string) func(*Lookup) {
	return func(l *Lookup) { l.Each, l.Query = texts, []Param{{"field", "{each}"}, {"q", "{number.e164}"}} }
}

// bySpelling finds a record by the text that it is asked for.
func bySpelling(known ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, value := range r.URL.Query() {
			if slices.Contains(known, value[0]) {
				answering(200, callers)(w, r)
				return
			}
		}
		answering(200, `[]`)(w, r)
	}
}

// queries are those of all requests, in no order.
func queries(t *testing.T, crm *fakeCRM) []string {
	t.Helper()
	var list []string
	for _, request := range crm.asked() {
		list = append(list, fmt.Sprint(pairs(t, request.query())))
	}
	slices.Sort(list)
	return list
}

func TestEachTextIsAskedForAtTheSameTime(t *testing.T) {
	// No answer comes before all have asked: one after the other would never end.
	var all sync.WaitGroup
	all.Add(3)
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		all.Done()
		all.Wait()
		bySpelling("mobile")(w, r)
	})
	result := searched(t, contacts(crm.URL, each("phone", "mobile", "fax")))
	found(t, result)
	want := []string{"[{field fax} {q +33427466347}]", "[{field mobile} {q +33427466347}]", "[{field phone} {q +33427466347}]"}
	if got := queries(t, crm); !slices.Equal(got, want) {
		t.Errorf("asked %q", got)
	}
	var story []string
	for _, request := range result.Requests {
		story = append(story, fmt.Sprint(request.Asked, " ", request.Kept))
	}
	if want := []string{"phone 0", "mobile 1", "fax 0"}; !slices.Equal(story, want) {
		t.Errorf("the story is %q, want %q", story, want)
	}
}

func TestARecordWithoutAnIDThatTwoTextsFindIsOne(t *testing.T) {
	crm := serve(t, answering(200, `[{"name":"Rosa Marin","phone":"+33427466347"},{"name":"Rosa Marin","phone":"+33427466347","mobile":""}]`))
	result := searched(t, contacts(crm.URL, each("phone", "mobile")))
	if len(result.Records) != 2 || result.Err != nil {
		t.Errorf("found %d records, %v; in one answer two that look alike are two", len(result.Records), result.Err)
	}
}

func TestTextsThatAreTheSameAreAskedForOnce(t *testing.T) {
	crm := serve(t, answering(200, `[]`))
	result := searched(t, contacts(crm.URL, each("{number.national}", "0427466347", "{number.e164}", "+{number.digits}", "## ## ## ## ##")))
	want := []string{"[{field ## ## ## ## ##} {q +33427466347}]", "[{field +33427466347} {q +33427466347}]", "[{field 0427466347} {q +33427466347}]"}
	if got := queries(t, crm); !slices.Equal(got, want) || result.Err != nil {
		t.Errorf("asked %q, %v", got, result.Err)
	}
}

func TestATextThatTheNumberCanNotFillIsLeftOut(t *testing.T) {
	crm := serve(t, answering(200, `[]`))
	result := searched(t, contacts(crm.URL, each("{number.## ##}", "{number.e164}")))
	if result.Err != nil {
		t.Error(result.Err)
	}
	crm.only(t)

	crm = serve(t, answering(200, `[]`))
	hears(t, failure(t, searched(t, contacts(crm.URL, each("{number.## ##}")))), "not asked: the number can't be written")
	if len(crm.asked()) != 0 {
		t.Errorf("asked %q", crm.targets())
	}
}

func TestARecordThatSeveralTextsFindIsOne(t *testing.T) {
	crm := serve(t, bySpelling("phone", "mobile"))
	if result := searched(t, contacts(crm.URL, each("phone", "mobile"))); !slices.Equal(ids(result), []string{"7"}) || result.Err != nil {
		t.Errorf("found %q, %v", ids(result), result.Err)
	}
}

func TestRecordsKeepTheOrderOfTheTexts(t *testing.T) {
	second := make(chan struct{})
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("field") == "b" {
			close(second)
			answering(200, `[`+anna+`]`)(w, r)
			return
		}
		<-second
		answering(200, `[`+rosa+`]`)(w, r)
	})
	if result := searched(t, contacts(crm.URL, each("a", "b"))); !slices.Equal(ids(result), []string{"r", "a"}) {
		t.Errorf("found %q", ids(result))
	}
}

func TestATextThatFailsHidesNoRecordAndIsNotNotFound(t *testing.T) {
	for _, known := range []string{"mobile", "nobody"} {
		crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("field") == "phone" {
				answering(400, `{"message":"no such field"}`)(w, r)
				return
			}
			bySpelling(known)(w, r)
		})
		result := searched(t, contacts(crm.URL, each("phone", "mobile")))
		hears(t, failure(t, result), "crm legacy: lookup contact: 400 Bad Request: no such field")
		if (len(result.Records) == 1) != (known == "mobile") {
			t.Errorf("found %q", ids(result))
		}
	}
}

// Each text is asked for in one spelling after another, until it finds somebody.
func TestEachTextIsAskedForInEachSpelling(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Get("field") == "mobile" && query.Get("q") == "0427466347" {
			answering(200, callers)(w, r)
			return
		}
		answering(200, `[]`)(w, r)
	})
	found(t, searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Each, l.Spellings = []string{"phone", "mobile"}, []string{"e164", "national", "digits"}
		l.Query = []Param{{"field", "{each}"}, {"q", "{number}"}}
	})))
	if got := len(crm.asked()); got != 3+2 {
		t.Errorf("asked %d times: %q", got, crm.targets())
	}
}

func TestEachInEveryPlaceOfARequest(t *testing.T) {
	for place, test := range map[string]struct {
		put  func(*Lookup)
		read func(asked) string
		want string
	}{
		"the path":   {func(l *Lookup) { l.Path = "/by/{each}/x" }, func(a asked) string { return a.target }, "/by/a%20b/x"},
		"the query":  {func(l *Lookup) { l.Query = []Param{{"q", "{each} eq {number.nsn}"}} }, func(a asked) string { return a.query() }, "q=a+b+eq+427466347"},
		"a header":   {func(l *Lookup) { l.Headers = []Param{{"X-Field", "{each}"}} }, func(a asked) string { return a.header.Get("X-Field") }, "a b"},
		"a form":     {func(l *Lookup) { l.Method, l.Form = http.MethodPost, []Param{{"f", "{each}"}} }, func(a asked) string { return a.body }, "f=a+b"},
		"JSON":       {func(l *Lookup) { l.Method, l.JSON = http.MethodPost, `{"f":"{each}"}` }, func(a asked) string { return a.body }, `{"f":"a b"}`},
		"XML":        {func(l *Lookup) { l.Method, l.XML = http.MethodPost, `<f>{each}</f>` }, func(a asked) string { return a.body }, `<f>a b</f>`},
		"the filter": {func(l *Lookup) { l.Filter, l.Query = &Filter{"{each}={number}", ","}, []Param{{"q", "{filter}"}} }, func(a asked) string { return a.query() }, "q=a+b%3D%2B33427466347"},
	} {
		t.Run(place, func(t *testing.T) {
			crm := serve(t, answering(200, callers))
			found(t, searched(t, contacts(crm.URL, func(l *Lookup) {
				l.Query, l.Spellings, l.Each = []Param{{"n", "{number.nsn}"}}, []string{"e164"}, []string{"a b"}
			}, test.put)))
			got := crm.only(t)
			if said := test.read(got); said != test.want && said != test.want+"?n=427466347" {
				t.Errorf("asked %q", said)
			}
		})
	}
}

func TestEachThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Lookup)
		want   string
	}{
		"it is not used":      {func(l *Lookup) { l.Each = []string{"a"} }, "each: is not used; write {each} where one of its texts belongs"},
		"it is not there":     {func(l *Lookup) { l.Query = append(l.Query, Param{"f", "{each}"}) }, "query f: unknown placeholder {each}"},
		"it has call data":    {each("{call.userData.X}"), "each: unknown placeholder {call.userData.X}"},
		"all are the same":    {func(l *Lookup) { l.Each, l.Query = []string{"a"}, []Param{{"f", "{each}"}} }, "GET: asks the same for every caller"},
		"a spelling is wrong": {each("{number.e146}"), "each: bad placeholder {number.e146}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(contacts("https://crm.example.com", test.change), Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), "lookup contact: "+test.want)
		})
	}
}
