package crm

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// hostile is call data that a caller or a careless dialplan could set.
var hostile = map[string]string{
	"quotes":             `a"b'c` + "`d",
	"braces":             `{"$ne":null}`,
	"newlines":           "a\nb",
	"a header":           "a\r\nX-Admin: 1\r\n\r\nGET /admin HTTP/1.1",
	"NUL":                "a\x00b",
	"SQL":                "' or 1=1 --",
	"a placeholder":      "{number}",
	"a setting":          "{env.TOKEN}",
	"an upward path":     "../../admin",
	"one step up":        "..",
	"parameters":         "a&admin=1;b=2#c?d",
	"percent":            "%2e%2e%2fadmin%00",
	"a backslash":        `\","x":"`,
	"markup":             "<script>alert(1)</script>",
	"reordering marks":   "a\u202eb\u2066c",
	"ten thousand signs": strings.Repeat("é", 10_000),
}

// carriers are the places of a request, with how to read one's parameters.
var carriers = map[string]struct {
	put  func(*Lookup)
	read func(testing.TB, asked) []pair
	want func(value string) []pair
	// refuses names the values that can't stand in this place.
	refuses []string
}{
	"query": {
		put:  func(l *Lookup) { l.Query = []Param{{"a", "1"}, {"x", "{call.userData.USR_X}"}, {"z", "2"}} },
		read: func(t testing.TB, a asked) []pair { return pairs(t, a.query()) },
		want: func(value string) []pair { return []pair{{"a", "1"}, {"x", value}, {"z", "2"}} },
	},
	"form": {
		put: func(l *Lookup) {
			l.Method, l.Query = http.MethodPost, nil
			l.Form = []Param{{"a", "1"}, {"x", "{call.userData.USR_X}"}, {"z", "2"}}
		},
		read: func(t testing.TB, a asked) []pair { return pairs(t, a.body) },
		want: func(value string) []pair { return []pair{{"a", "1"}, {"x", value}, {"z", "2"}} },
	},
	"all of a JSON string": {
		put: func(l *Lookup) {
			l.Method, l.Query = http.MethodPost, nil
			l.JSON = `{"a":"1","x":"{call.userData.USR_X}","z":"2"}`
		},
		read: jsonPairs,
		want: func(value string) []pair { return []pair{{"a", "1"}, {"x", value}, {"z", "2"}} },
	},
	"a JSON value": {
		put: func(l *Lookup) {
			l.Method, l.Query = http.MethodPost, nil
			l.JSON = `{"a":"1","x":{call.userData.USR_X},"z":"2"}`
		},
		read: jsonPairs,
		want: func(value string) []pair { return []pair{{"a", "1"}, {"x", value}, {"z", "2"}} },
	},
	"path": {
		put: func(l *Lookup) { l.Path, l.Query = "/contacts/{call.userData.USR_X}/phones", nil },
		read: func(t testing.TB, a asked) []pair {
			segments := strings.Split(a.path(), "/")
			if len(segments) != 4 {
				t.Fatalf("the path has other segments: %q", a.target)
			}
			value, err := url.PathUnescape(segments[2])
			if err != nil {
				t.Fatal(err)
			}
			return []pair{{segments[1], value}, {segments[3], a.query()}}
		},
		want:    func(value string) []pair { return []pair{{"contacts", value}, {"phones", ""}} },
		refuses: []string{"one step up"},
	},
	"header": {
		put: func(l *Lookup) { l.Query, l.Headers = nil, []Param{{"X-Data", "{call.userData.USR_X}"}} },
		read: func(_ testing.TB, a asked) []pair {
			list := []pair{{"X-Admin", a.header.Get("X-Admin")}}
			for _, value := range a.header.Values("X-Data") {
				list = append(list, pair{"X-Data", value})
			}
			return list
		},
		want:    func(value string) []pair { return []pair{{"X-Admin", ""}, {"X-Data", value}} },
		refuses: []string{"newlines", "a header", "NUL"},
	},
}

// jsonPairs lists the members of the posted object; there must be no other.
func jsonPairs(t testing.TB, a asked) []pair {
	t.Helper()
	var members map[string]string
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	var list []pair
	for name, value := range members {
		list = append(list, pair{name, value})
	}
	slices.SortFunc(list, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return list
}

func TestCallDataReachesTheCRMAsDataOfOneParameter(t *testing.T) {
	for place, carrier := range carriers {
		for kind, value := range hostile {
			t.Run(place+"/"+kind, func(t *testing.T) {
				crm := serve(t, answering(200, callers))
				result := searchWith(t, contacts(crm.URL, carrier.put), value)
				if slices.Contains(carrier.refuses, kind) {
					wasRefused(t, crm, result, value)
					return
				}
				found(t, result)
				if got, want := carrier.read(t, crm.only(t)), carrier.want(value); !slices.Equal(got, want) {
					t.Errorf("%.300q arrived, want %.300q", got, want)
				}
			})
		}
	}
}

// wasRefused fails unless the request was not made, and the error says so
// without the value.
func wasRefused(t *testing.T, crm *fakeCRM, result Result, value string) {
	t.Helper()
	text := failure(t, result)
	hears(t, text, "not asked: ", "value refused: ")
	if strings.Contains(text, value) && value != ".." {
		t.Errorf("%q repeats the value", text)
	}
	if len(crm.asked()) != 0 {
		t.Errorf("the CRM was asked %q all the same", crm.targets())
	}
	if len(result.Requests) != 1 || result.Requests[0].Err == nil {
		t.Errorf("the story is %+v", result.Requests)
	}
}

// A value that shares its text with others may stand in a query language that
// the program does not know: only harmless text may.
func TestCallDataWithinAQueryLanguageIsHarmlessOrRefused(t *testing.T) {
	places := map[string]func(*Lookup){
		"a part of a parameter": func(l *Lookup) { l.Query = []Param{{"q", "name eq '{call.userData.USR_X}'"}} },
		"a part of a form field": func(l *Lookup) {
			l.Method, l.Query, l.Form = http.MethodPost, nil, []Param{{"q", "name = \"{call.userData.USR_X}\""}}
		},
		"a part of a JSON string": func(l *Lookup) {
			l.Method, l.Query, l.JSON = http.MethodPost, nil, `{"q":"name eq '{call.userData.USR_X}'"}`
		},
		"a filter": func(l *Lookup) {
			l.Filter = &Filter{"(phone eq '{number}' and name eq '{call.userData.USR_X}')", " or "}
			l.Query = []Param{{"q", "{filter}"}}
		},
	}
	for place, put := range places {
		t.Run(place, func(t *testing.T) {
			for _, kind := range []string{"quotes", "braces", "newlines", "a header", "NUL", "SQL", "a placeholder", "an upward path", "parameters", "percent", "a backslash", "markup", "reordering marks"} {
				crm := serve(t, answering(200, callers))
				wasRefused(t, crm, searchWith(t, contacts(crm.URL, put), hostile[kind]), hostile[kind])
			}
			crm := serve(t, answering(200, callers))
			found(t, searchWith(t, contacts(crm.URL, put), "Zoë M. Moreau-2 @home+1_x"))
			crm.only(t)
		})
	}
}

func TestALongDatumStaysWhole(t *testing.T) {
	crm := serve(t, answering(200, callers))
	long := strings.Repeat("x", 10_000)
	searchWith(t, contacts(crm.URL, func(l *Lookup) { l.Query = []Param{{"q", "{call.userData.USR_X}"}} }), long)
	if got := pairs(t, crm.only(t).query()); len(got) != 1 || got[0].value != long {
		t.Errorf("%d parameters arrived", len(got))
	}
}

func TestTheAgentsTokenNeverReachesACRM(t *testing.T) {
	crm := serve(t, answering(200, callers))
	searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Query = []Param{{"user", "{call.user.*}"}, {"all", "{call.user.@values}"}, {"raw", "{call.user}"}}
	}))
	if target := crm.only(t).target; strings.Contains(target, "live-token") {
		t.Errorf("asked %s", target)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := serve(t, answering(200, callers))
	for _, status := range []int{301, 302, 303, 307, 308} {
		crm := serve(t, answering(status, "", "Location", elsewhere.URL+"/login?phone=%2B33427466347"))
		d := contacts(crm.URL)
		d.Headers = []Param{{"Authorization", "Token secret"}, {"X-Api-Key", "secret"}, {"Cookie", "session=secret"}}
		result := searched(t, d)
		hears(t, failure(t, result), http.StatusText(status), "redirects to "+elsewhere.URL+":", "as url")
		leaksNothing(t, result.Err.Error())
	}
	if requests := elsewhere.asked(); len(requests) != 0 {
		t.Errorf("credentials left: %+v", requests)
	}
}

// In the strings of a language that the program knows, call data may be
// anything that can be written in it, and is read as it was.
func TestCallDataWithinALanguageIsReadAsItWas(t *testing.T) {
	for language, test := range map[string]struct{ before, after, datum, written string }{
		"odata":   {"name eq '", "'", `O'Brien" \ or 1 eq 1`, `O''Brien" \ or 1 eq 1`},
		"soql":    {"Name = '", "'", `O'Brien" \ or`, `O\'Brien\" \\ or`},
		"sosl":    {"FIND {", "} RETURNING Contact", `O'Brien (a) -b`, `O\'Brien \(a\) \-b`},
		"sql":     {"name = '", "'", `O'Brien" \ or 1=1 --`, `O''Brien" \\ or 1=1 --`},
		"lucene":  {`name:"`, `"`, `O'Brien" OR x:y \`, `O'Brien\" OR x:y \\`},
		"graphql": {`query { find(name: "`, `") { id } }`, `O'Brien" \ {}`, `O'Brien\" \\ {}`},
	} {
		places := map[string]struct {
			put  func(*Lookup, string)
			read func(testing.TB, asked) string
		}{
			"the query": {func(l *Lookup, text string) { l.Query = []Param{{"q", text}} }, func(t testing.TB, a asked) string { return pairs(t, a.query())[0].value }},
			"a form":    {func(l *Lookup, text string) { l.Method, l.Query, l.Form = http.MethodPost, nil, []Param{{"q", text}} }, func(t testing.TB, a asked) string { return pairs(t, a.body)[0].value }},
			"a header":  {func(l *Lookup, text string) { l.Query, l.Headers = nil, []Param{{"X-Q", text}} }, func(_ testing.TB, a asked) string { return a.header.Get("X-Q") }},
			"a string of JSON": {func(l *Lookup, text string) {
				l.Method, l.Query, l.JSON = http.MethodPost, nil, `{"q":`+quoted("%s", text)+`}`
			}, func(t testing.TB, a asked) string { return jsonPairs(t, a)[0].value }},
		}
		for place, at := range places {
			t.Run(language+"/"+place, func(t *testing.T) {
				crm := serve(t, answering(200, callers))
				found(t, searchWith(t, contacts(crm.URL, func(l *Lookup) {
					l.Dialect = language
					at.put(l, test.before+"{call.userData.USR_X}"+test.after)
				}), test.datum))
				if got, want := at.read(t, crm.only(t)), test.before+test.written+test.after; got != want {
					t.Errorf("asked %q, want %q", got, want)
				}
			})
		}
	}
}
