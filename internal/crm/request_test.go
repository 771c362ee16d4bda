package crm

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAGetAsksBelowTheURLWithItsParameters(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL+"/api/", func(l *Lookup) {
		l.Path = "/contacts"
		l.Query = []Param{{"limit", "10"}, {"q", "{number.national}"}}
	})

	found(t, searched(t, d))

	got := crm.only(t)
	if got.method != http.MethodGet || got.target != "/api/contacts?limit=10&q=0427466347" || got.body != "" {
		t.Errorf("asked %s %s %q", got.method, got.target, got.body)
	}
}

func TestQueryParametersKeepOrderAndRepetition(t *testing.T) {
	crm := serve(t, answering(200, callers))
	params := []Param{
		{"where[0][type]", "in"},
		{"where[0][value][]", "{number.digits}"},
		{"a", "1"},
		{"where[0][value][]", "{number.national}"},
		{"where[0][value][]", "{number.idd}"},
		{"a", "a b&c=d+e"},
	}
	searched(t, contacts(crm.URL, func(l *Lookup) { l.Query = params }))

	want := []pair{
		{"where[0][type]", "in"},
		{"where[0][value][]", "33427466347"},
		{"a", "1"},
		{"where[0][value][]", "0427466347"},
		{"where[0][value][]", "0033427466347"},
		{"a", "a b&c=d+e"},
	}
	query := crm.only(t).query()
	if got := pairs(t, query); !slices.Equal(got, want) {
		t.Errorf("query = %q", got)
	}
	if strings.ContainsAny(query, "[] ") || !strings.HasPrefix(query, "where%5B0%5D%5Btype%5D=in&") {
		t.Errorf("the names are not encoded: %s", query)
	}
}

func TestParametersFollowAQueryThatThePathHas(t *testing.T) {
	crm := serve(t, answering(200, callers))
	searched(t, contacts(crm.URL, func(l *Lookup) { l.Path = "/index.php?module=Contacts" }))
	if got := crm.only(t).target; got != "/index.php?module=Contacts&q=%2B33427466347" {
		t.Errorf("target = %s", got)
	}
}

func TestAPostSendsJSON(t *testing.T) {
	crm := serve(t, answering(200, callers))
	searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Method, l.Query = http.MethodPost, nil
		l.JSON = `{"phone": "{number.e164}", "limit": 5, "agent": {call.user.userId}, "nothing": {call.userData.USR_NONE}}`
	}))

	got := crm.only(t)
	if got.method != http.MethodPost || got.target != "/contacts" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("asked %s %s as %s", got.method, got.target, got.header.Get("Content-Type"))
	}
	if want := `{"phone": "+33427466347", "limit": 5, "agent": "4", "nothing": null}`; got.body != want {
		t.Errorf("body = %s\nwant   %s", got.body, want)
	}
}

func TestAPostSendsAFormInOrder(t *testing.T) {
	crm := serve(t, answering(200, callers))
	searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Method, l.Query = http.MethodPost, nil
		l.Form = []Param{{"op", "search"}, {"n[]", "{number.e164}"}, {"n[]", "{number.spaced}"}}
	}))

	got := crm.only(t)
	if mediaType := got.header.Get("Content-Type"); mediaType != "application/x-www-form-urlencoded" {
		t.Errorf("Content-Type = %s", mediaType)
	}
	want := []pair{{"op", "search"}, {"n[]", "+33427466347"}, {"n[]", "04 27 46 63 47"}}
	if fields := pairs(t, got.body); !slices.Equal(fields, want) {
		t.Errorf("form = %q", fields)
	}
}

func TestHeadersOfTheCRMAndOfTheLookup(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL, func(l *Lookup) {
		l.Headers = []Param{{"X-Scope", "of the lookup"}, {"X-Queue", "{call.queue.name}"}}
	})
	d.Headers = []Param{{"Authorization", "Token {env.TOKEN}"}, {"X-Scope", "of the crm"}}
	settings := map[string]func(string) (string, error){
		"env.": func(name string) (string, error) { return "value of " + name, nil },
	}
	compiled(t, d, Options{Settings: settings}).Search(t.Context(), question(t, callersNumber))

	header := crm.only(t).header
	for name, want := range map[string]string{
		"Authorization": "Token value of env.TOKEN",
		"X-Scope":       "of the lookup", // the inner one counts
		"X-Queue":       "sales",
		"Accept":        "application/json",
		"User-Agent":    "caddy-screenpop",
	} {
		if got := header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestAHeaderCanReplaceWhatIsSentByDefault(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL)
	d.Headers = []Param{{"accept", "application/vnd.api+json"}, {"User-Agent", "screens"}, {"host", "crm.example.com"}}
	searched(t, d)

	got := crm.only(t)
	if accept := got.header.Values("Accept"); len(accept) != 1 || accept[0] != "application/vnd.api+json" {
		t.Errorf("Accept = %q", accept)
	}
	if got.header.Get("User-Agent") != "screens" || got.host != "crm.example.com" {
		t.Errorf("User-Agent = %q, Host = %q", got.header.Get("User-Agent"), got.host)
	}
}

func TestARepeatedHeaderKeepsAllItsValues(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL)
	d.Headers = []Param{{"Prefer", "a"}, {"prefer", "b"}}
	searched(t, d)
	if got := crm.only(t).header.Values("Prefer"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Prefer = %q", got)
	}
}

func TestTheNumberIsAskedForInOneSpellingAfterAnotherUntilAMatch(t *testing.T) {
	byNumber := func(l *Lookup) { l.Query = []Param{{"q", "{number}"}} }
	for name, test := range map[string]struct {
		known string // the spelling by which the CRM knows the caller
		want  []string
	}{
		"the first matches":  {"+33427466347", []string{"e164"}},
		"the second matches": {"0427466347", []string{"e164", "national"}},
		"the last matches":   {"33427466347", []string{"e164", "national", "digits"}},
		"none matches":       {"04 27 46 63 47", []string{"e164", "national", "digits"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("q") == test.known {
					answering(200, callers)(w, r)
					return
				}
				// A stranger is no match: the next spelling is asked for.
				answering(200, `[{"id":"8","phone":"0199000001"}]`)(w, r)
			})
			result := searched(t, contacts(crm.URL, byNumber))

			var spellings []string
			for _, request := range result.Requests {
				spellings = append(spellings, request.Asked)
			}
			if !slices.Equal(spellings, test.want) || len(crm.asked()) != len(test.want) {
				t.Errorf("asked for %q in %d requests, want %q", spellings, len(crm.asked()), test.want)
			}
			if matched := len(result.Records) == 1; matched != (test.known != "04 27 46 63 47") || result.Err != nil {
				t.Errorf("records = %+v, err = %v", result.Records, result.Err)
			}
		})
	}
}

func TestEveryRequestTellsItsStory(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("q") == "+33427466347" {
			answering(404, `[]`)(w, r)
			return
		}
		answering(200, `[{"id":"7","phone":"0427466347"},{"id":"8","phone":"0199000001"}]`)(w, r)
	})
	result := searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Query = []Param{{"q", "{number}"}}
		l.Miss = &Condition{Status: []int{404}}
	}))
	if len(result.Requests) != 2 {
		t.Fatalf("requests = %+v", result.Requests)
	}
	miss, hit := result.Requests[0], result.Requests[1]
	if miss.Lookup != "contact" || miss.Asked != "e164" || miss.Status != 404 || miss.Returned != 0 || miss.Kept != 0 || miss.Err != nil {
		t.Errorf("first = %+v", miss)
	}
	if hit.Asked != "national" || hit.Status != 200 || hit.Returned != 2 || hit.Kept != 1 || hit.Err != nil || hit.Took <= 0 {
		t.Errorf("second = %+v", hit)
	}
}

func TestAFailureEndsTheSpellings(t *testing.T) {
	crm := serve(t, answering(500, ""))
	result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Query = []Param{{"q", "{number}"}} }))
	if len(crm.asked()) != 1 || result.Err == nil {
		t.Errorf("asked %q, err = %v", crm.targets(), result.Err)
	}
}

func TestSpellingsThatGiveTheSameTextAreAskedForOnce(t *testing.T) {
	crm := serve(t, answering(200, `[]`))
	d := contacts(crm.URL, func(l *Lookup) { l.Query = []Param{{"q", "{number}"}} })
	// nsn, last9 and last10 are all 427466347; the mask is for other numbers.
	d.Spellings = []string{"nsn", "last9", "## ##", "last10", "last7"}
	searched(t, d)
	if want := []string{"/contacts?q=427466347", "/contacts?q=7466347"}; !slices.Equal(crm.targets(), want) {
		t.Errorf("asked %q, want %q", crm.targets(), want)
	}
}

func TestANumberWithoutAnySpellingIsNotAskedForAndNotCalledUnknown(t *testing.T) {
	for name, use := range map[string]func(*Lookup){
		"{number}": func(l *Lookup) { l.Query = []Param{{"q", "{number}"}} },
		"{filter}": func(l *Lookup) {
			l.Filter = &Filter{"phone eq '{number}'", " or "}
			l.Query = []Param{{"filter", "{filter}"}}
			l.Phones, l.Unverified = nil, true // an empty filter would open anybody's record
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, `[{"id":"8"}]`))
			d := contacts(crm.URL, use)
			d.Spellings = []string{"## ##"}
			result := searched(t, d)
			hears(t, failure(t, result), "not asked", "spellings")
			if len(crm.asked()) != 0 || len(result.Records) != 0 {
				t.Errorf("asked %q, found %+v", crm.targets(), result.Records)
			}
			if len(result.Requests) != 1 || result.Requests[0].Err == nil || result.Requests[0].Status != 0 {
				t.Errorf("the story is %+v", result.Requests)
			}
		})
	}
}

func TestTheFilterJoinsAllSpellingsIntoOneRequest(t *testing.T) {
	crm := serve(t, answering(200, callers))
	result := searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Filter = &Filter{"phone eq '{number}'", " or "}
		l.Query = []Param{{"filter", "({filter}) and active"}}
	}))
	want := []pair{{"filter", "(phone eq '+33427466347' or phone eq '0427466347' or phone eq '33427466347') and active"}}
	if got := pairs(t, crm.only(t).query()); !slices.Equal(got, want) {
		t.Errorf("query = %q", got)
	}
	if len(result.Requests) != 1 || result.Requests[0].Asked != "filter" {
		t.Errorf("story = %+v", result.Requests)
	}
}

func TestTheFilterWithinJSON(t *testing.T) {
	for name, test := range map[string]struct{ fragment, join, document, want string }{
		"all of a string": {
			`phone = "{number}"`, " or ", `{"query": "{filter}"}`,
			`{"query": "phone = \"+33427466347\" or phone = \"0427466347\""}`,
		},
		"a part of a string": {
			`phone = "{number}"`, " or ", `{"query": "active and ({filter})"}`,
			`{"query": "active and (phone = \"+33427466347\" or phone = \"0427466347\")"}`,
		},
		"outside of strings": {
			`{"phone": "{number}"}`, ", ", `{"where": [{filter}]}`,
			`{"where": [{"phone": "+33427466347"}, {"phone": "0427466347"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, callers))
			d := contacts(crm.URL, func(l *Lookup) {
				l.Method, l.Query, l.JSON = http.MethodPost, nil, test.document
				l.Filter = &Filter{test.fragment, test.join}
			})
			d.Spellings = []string{"e164", "national"}
			found(t, searched(t, d))
			if got := crm.only(t).body; got != test.want || !json.Valid([]byte(got)) {
				t.Errorf("body = %s\nwant   %s", got, test.want)
			}
		})
	}
}

func TestJSONInAQueryParameterIsEscapedAsJSON(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL, func(l *Lookup) {
		l.Query = []Param{{"searchParams", `{"where":[{"value":"{number.e164}","note":"{call.userData.USR_X}"}]}`}}
	})
	searchWith(t, d, `"},{"type":"or`)
	want := []pair{{"searchParams", `{"where":[{"value":"+33427466347","note":"\"},{\"type\":\"or"}]}`}}
	if got := pairs(t, crm.only(t).query()); !slices.Equal(got, want) {
		t.Errorf("query = %q", got)
	}
}

func TestLookupsRunSideBySideAndAnswerInTheirOrder(t *testing.T) {
	// The first lookup's answer waits for the second's request: one after the
	// other would never end.
	second := make(chan struct{})
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/leads" {
			close(second)
			answering(200, `[{"id":"L","phone":"0427466347"}]`)(w, r)
			return
		}
		select {
		case <-second:
		case <-r.Context().Done():
			return
		}
		answering(200, `[{"id":"C","phone":"0427466347"}]`)(w, r)
	})
	d := contacts(crm.URL)
	d.Lookups = append(d.Lookups, contactLookup(func(l *Lookup) { l.Kind, l.Path = "lead", "/leads" }))
	result := compiled(t, d, Options{}).Search(background(t), question(t, callersNumber))
	if got := ids(result); !slices.Equal(got, []string{"C", "L"}) || result.Err != nil {
		t.Errorf("found %q, err = %v", got, result.Err)
	}
}

func TestOneLookupsFailureDoesNotHideAnothersRecord(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/leads" {
			answering(403, "")(w, r)
			return
		}
		answering(200, callers)(w, r)
	})
	d := contacts(crm.URL)
	d.Lookups = append(d.Lookups, contactLookup(func(l *Lookup) { l.Kind, l.Path = "lead", "/leads" }))
	result := searched(t, d)
	hears(t, failure(t, result), "crm legacy: lookup lead: 403 Forbidden")
	if got := ids(result); !slices.Equal(got, []string{"7"}) {
		t.Errorf("found %q", got)
	}
}

func TestLinksAreMadeWithoutAskingTheCRM(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d := contacts(crm.URL + "/crm")
	d.SearchURL = "{crm.url}/search?q={number.e164}&from={crm.name}"
	d.CreateURL = "{crm.url}/new?phone={number.spaced}&note={call.userData.USR_X}"
	query := question(t, callersNumber)
	query.Call = callWith(t, callersNumber, map[string]string{"USR_X": `a b&c="d"#e`})

	links := compiled(t, d, Options{}).Links(query)
	if want := crm.URL + "/crm/search?q=%2B33427466347&from=legacy"; links.Search != want {
		t.Errorf("search = %s\nwant     %s", links.Search, want)
	}
	if want := crm.URL + "/crm/new?phone=04%2027%2046%2063%2047&note=a%20b%26c%3D%22d%22%23e"; links.Create != want {
		t.Errorf("create = %s\nwant     %s", links.Create, want)
	}
	if none := compiled(t, contacts(crm.URL), Options{}).Links(query); none != (Links{}) {
		t.Errorf("links that are not configured = %+v", none)
	}
	if len(crm.asked()) != 0 {
		t.Errorf("the CRM was asked %q", crm.targets())
	}
}

func TestALinkWithARefusedValueIsNone(t *testing.T) {
	d := contacts("https://crm.example.com")
	d.SearchURL = "{crm.url}/{call.userData.USR_X}/search"
	query := question(t, callersNumber)
	query.Call = callWith(t, callersNumber, map[string]string{"USR_X": ".."})
	if links := compiled(t, d, Options{}).Links(query); links.Search != "" {
		t.Errorf("search = %q", links.Search)
	}
}

// Some CRMs want JSON within something else.
func TestJSONWithinAFormOrAHeader(t *testing.T) {
	const document = `{"where":[{"value":"{number.e164}","note":"{call.userData.USR_X}","typed":{call.userData.USR_NONE}}]}`
	for name, test := range map[string]struct {
		put  func(*Lookup)
		read func(asked) string
	}{
		"a form":   {func(l *Lookup) { l.Method, l.Query, l.Form = http.MethodPost, nil, []Param{{"rest_data", document}} }, func(a asked) string { return pairs(t, a.body)[0].value }},
		"a header": {func(l *Lookup) { l.Query, l.Headers = nil, []Param{{"X-Search", document}} }, func(a asked) string { return a.header.Get("X-Search") }},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, callers))
			found(t, searchWith(t, contacts(crm.URL, test.put), "a\"},{\"é\r\nX-Admin: 1"))
			var arrived struct {
				Where []struct {
					Value, Note string
					Typed       *string
				}
			}
			got := crm.only(t)
			if err := json.Unmarshal([]byte(test.read(got)), &arrived); err != nil {
				t.Fatalf("%q: %v", test.read(got), err)
			}
			if len(arrived.Where) != 1 || arrived.Where[0].Value != callersNumber || arrived.Where[0].Note != "a\"},{\"é\r\nX-Admin: 1" || arrived.Where[0].Typed != nil {
				t.Errorf("%+v arrived", arrived)
			}
			if got.header.Get("X-Admin") != "" {
				t.Errorf("the header fields are %v", got.header)
			}
		})
	}
}
