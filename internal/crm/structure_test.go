package crm

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/screenpop/caddy-screenpop/internal/phone"
)

// languages tell, for each dialect, where call data may stand, and what a
// server reads around it: what is left of a query without its strings.
var languages = map[string]struct {
	query string
	// around leaves of a query what is no data.
	around []func(string) string
}{
	"":           {`name eq '{call.userData.USR_X}' and n eq {number.nsn} and m eq {call.userData.USR_X}`, []func(string) string{words(false), words(true)}},
	"odata":      {`o eq {call.userData.USR_X} and name eq '{call.userData.USR_X}' and phone eq '{number.e164}'`, []func(string) string{words(false)}},
	"soql":       {`SELECT Id FROM Contact WHERE Name = '{call.userData.USR_X}' AND Phone = '{number.e164}'`, []func(string) string{unquoted(`'`, true)}},
	"soql like":  {`SELECT Id FROM Contact WHERE Name LIKE '%{call.userData.USR_X}%' AND Phone = '{number.e164}'`, []func(string) string{unquoted(`'`, true), wildcards}},
	"sosl":       {`FIND {{call.userData.USR_X} OR "{number.e164}"} IN PHONE FIELDS RETURNING Contact(Id WHERE Name = '{call.userData.USR_X}')`, []func(string) string{specials(`'`, `?&|!{}[]()^~*:\"'+-`)}},
	"sql":        {`SELECT * FROM c WHERE a='{call.userData.USR_X}' AND b="{call.userData.USR_X}" AND p='{number.e164}';`, []func(string) string{unquoted(`'"`, false), unquoted(`'"`, true)}},
	"sql in CEL": {`(t.name:like:'{call.userData.USR_X}') or (t.phone:=:'{number.e164}')`, []func(string) string{unquoted(`'"`, false), unquoted(`'"`, true), conditions}},
	"lucene":     {`name:{call.userData.USR_X} AND (phone:"{number.e164}" OR note:"{call.userData.USR_X}")`, []func(string) string{specials(`"`, `+-=&|!(){}[]^"~*?:\/<> `+"\u3000")}},
	"graphql":    {`query { find(name: "{call.userData.USR_X}", phone: "{number.e164}") { id } }`, []func(string) string{unquoted(`"`, true)}},
}

// unquoted leaves out what stands in strings. A quote that is doubled is one of
// the string's; so is one behind a backslash, where that means something.
func unquoted(quotes string, backslash bool) func(string) string {
	return func(text string) string {
		var left strings.Builder
		var open byte
		for i := 0; i < len(text); i++ {
			c := text[i]
			switch {
			case open == 0 && strings.IndexByte(quotes, c) >= 0:
				open = c
				left.WriteByte(c)
			case open == 0:
				left.WriteByte(c)
			case backslash && c == '\\':
				i++
			case c == open:
				if i+1 < len(text) && text[i+1] == open {
					i++
					continue
				}
				open = 0
				left.WriteByte(c)
			}
		}
		if open != 0 {
			return left.String() + "... is open"
		}
		return left.String()
	}
}

// specials leaves only what means something to a search: these signs, where they
// are not escaped, outside of strings.
func specials(quotes, signs string) func(string) string {
	return func(text string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(signs, r) {
				return r
			}
			return -1
		}, unquoted(quotes, true)(dropEscaped(text, quotes)))
	}
}

// dropEscaped leaves out what stands behind a backslash outside of strings.
func dropEscaped(text, quotes string) string {
	var left strings.Builder
	var open byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && open == 0:
			i++
			continue
		case c == '\\':
			left.WriteByte(c)
			if i++; i < len(text) {
				left.WriteByte(text[i])
			}
			continue
		case open == 0 && strings.IndexByte(quotes, c) >= 0:
			open = c
		case c == open:
			open = 0
		}
		left.WriteByte(c)
	}
	return left.String()
}

// words leaves the signs of a query whose data outside of strings is one word.
func words(backslash bool) func(string) string {
	return func(text string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._@", r) {
				return -1
			}
			return r
		}, unquoted(`'`, backslash)(text))
	}
}

// wildcards counts those of like.
func wildcards(text string) string {
	return fmt.Sprint(strings.Count(text, "%"), strings.Count(text, "_"))
}

// conditions leaves the brackets and colons of conditions that are read without
// regard to quotes.
func conditions(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("():", r) {
			return r
		}
		return -1
	}, text)
}

// dialectOf is the dialect of a language.
func dialectOf(language string) string {
	name, _, _ := strings.Cut(language, " ")
	return name
}

// shapes are requests with call data wherever it may stand, by name. Each comes
// with what of a request must not depend on the data.
func shapes() map[string]struct {
	put    func(*Lookup)
	around []func(string) string
} {
	type shape = struct {
		put    func(*Lookup)
		around []func(string) string
	}
	all := map[string]shape{}
	for name, carrier := range carriers {
		all[name] = shape{carrier.put, nil}
	}
	post := func(l *Lookup) { l.Method, l.Query = http.MethodPost, nil }
	for name, language := range languages {
		within := func(put func(*Lookup, string)) shape {
			return shape{func(l *Lookup) {
				l.Dialect = dialectOf(name)
				put(l, language.query)
			}, language.around}
		}
		encoded, err := json.Marshal(language.query)
		if err != nil {
			panic(err)
		}
		all[name+" in the query"] = within(func(l *Lookup, text string) { l.Query = []Param{{"a", "1"}, {"q", text}} })
		all[name+" in a form"] = within(func(l *Lookup, text string) { post(l); l.Form = []Param{{"a", "1"}, {"q", text}} })
		if name != "" { // without a dialect a header field is no query
			all[name+" in a header"] = within(func(l *Lookup, text string) { l.Query, l.Headers = nil, []Param{{"X-Query", text}} })
		}
		all[name+" in JSON"] = within(func(l *Lookup, _ string) { post(l); l.JSON = `{"a":1,"q":` + string(encoded) + `}` })
		all[name+" in each filter"] = within(func(l *Lookup, text string) {
			l.Filter, l.Query = &Filter{strings.ReplaceAll(strings.ReplaceAll(text, "{number.e164}", "{number}"), "{number.nsn}", "{number}"), " "}, []Param{{"q", "{filter}"}}
		})
	}
	all["JSON in the query"] = shape{func(l *Lookup) {
		l.Query = []Param{{"where", `{"a":"{call.userData.USR_X}","b":[{call.userData.USR_X},"{number.e164}"]}`}}
	}, nil}
	all["JSON in a form"] = shape{func(l *Lookup) {
		post(l)
		l.Form = []Param{{"where", `[["name","=","{call.userData.USR_X}"],["phone","in",["{number.e164}"]]]`}}
	}, nil}
	all["JSON in a header"] = shape{func(l *Lookup) { l.Headers = []Param{{"X-Where", `{"a":"{call.userData.USR_X}","b":"{number.e164}"}`}} }, nil}
	all["XML"] = shape{func(l *Lookup) {
		post(l)
		l.XML = `<find a="1" b="{call.userData.USR_X}"><p>{number.e164}</p><x>{call.userData.USR_X}</x></find>`
	}, nil}
	all["the caller as delivered"] = shape{func(l *Lookup) { l.Query = []Param{{"raw", "{call.caller}"}, {"did", "{call.did}"}, {"n", "{number}"}} }, nil}
	return all
}

// structure is all of a request but the data in it.
func structure(t testing.TB, a asked, around []func(string) string) string {
	t.Helper()
	parts := []string{a.method, strings.Repeat("/", strings.Count(a.path(), "/"))}
	value := func(name, text string) string {
		if name == "where" || name == "X-Where" {
			return shapeOf(t, text)
		}
		var left []string
		for _, leave := range around {
			left = append(left, leave(text))
		}
		return strings.Join(left, "\n")
	}
	params := func(encoded string) {
		for _, p := range pairs(t, encoded) {
			parts = append(parts, p.name+"="+value(p.name, p.value))
		}
	}
	params(a.query())
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		parts = append(parts, fmt.Sprint(name, " ", len(a.header[name])))
		if name == "X-Query" || name == "X-Where" {
			parts = append(parts, value(name, a.header.Get(name)))
		}
	}
	switch mediaType := a.header.Get("Content-Type"); {
	case strings.Contains(mediaType, "urlencoded"):
		params(a.body)
	case strings.Contains(mediaType, "json"):
		parts = append(parts, shapeOf(t, a.body))
		if q := queryOf(a.body); q != "" {
			parts = append(parts, value("q", q))
		}
	case strings.Contains(mediaType, "xml"):
		parts = append(parts, elements(t, a.body))
	}
	return strings.Join(parts, "\n")
}

func queryOf(body string) string {
	var members struct{ Q string }
	_ = json.Unmarshal([]byte(body), &members) // no object: no query
	return members.Q
}

// shapeOf is a JSON document without its values. A text that is absent may be
// null.
func shapeOf(t testing.TB, document string) string {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(document), &decoded); err != nil {
		t.Fatalf("%q is no JSON: %v", document, err)
	}
	var shape func(any) string
	shape = func(node any) string {
		switch node := node.(type) {
		case map[string]any:
			var members []string
			for _, name := range slices.Sorted(maps.Keys(node)) {
				members = append(members, fmt.Sprintf("%q:%s", name, shape(node[name])))
			}
			return "{" + strings.Join(members, ",") + "}"
		case []any:
			var members []string
			for _, member := range node {
				members = append(members, shape(member))
			}
			return "[" + strings.Join(members, ",") + "]"
		case string, nil:
			return "text"
		}
		return fmt.Sprint(node)
	}
	return shape(decoded)
}

// elements are those of an XML document, with the names of their attributes.
func elements(t testing.TB, document string) string {
	t.Helper()
	var list []string
	decoder := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(list, " ")
		}
		if err != nil {
			t.Fatalf("%q is no XML: %v", document, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			list = append(list, token.Name.Local)
			for _, a := range token.Attr {
				list = append(list, "@"+a.Name.Local)
			}
		case xml.EndElement:
			list = append(list, "/"+token.Name.Local)
		case xml.Comment, xml.ProcInst, xml.Directive:
			list = append(list, "something else")
		}
	}
}

// FuzzRequest: whatever the call data and the number are, a request that
// arrives is the one that was configured, with data in it.
func FuzzRequest(f *testing.F) {
	for _, datum := range hostile {
		f.Add(datum, "0427466347")
	}
	for _, datum := range []string{
		"", "x", "O'Brien", `' OR '1'='1`, `"}]}},"x":{"a":[{"b":"`, `\`, `\'`, `''`, `\"; DROP TABLE x; --`, "a AND b", "AND", "x) OR (y:*", "1/**/or/**/1", `*:*`,
		"</x><x>", "]]>", "<!--", "&e;", "ʼ OR ʼ1ʼ=ʼ1", "＇ OR", "name:like:'%", "%", "_", "a,b", "a;b", "{record.id}", "[[1]]", `{"a":1}`, "\u2028", "\xff\xfe", "a\tb", "#", "--", "/*",
	} {
		f.Add(datum, "+32 475 12 34 56")
	}
	crm := &latest{}
	server := httptest.NewServer(http.HandlerFunc(crm.answer))
	f.Cleanup(server.Close)
	all := shapes()
	rests := map[string]*REST{}
	for name, one := range all {
		d := contacts(server.URL, one.put)
		d.Spellings = []string{"e164"}
		rests[name] = compiled(f, d, Options{})
	}
	wanted := map[string]string{}
	region := france(f)
	ask := func(t testing.TB, name, datum string, number phone.Number, caller string) (asked, bool) {
		crm.forget()
		rests[name].Search(t.Context(), Query{Number: number, Region: region, Call: callWith(t, caller, map[string]string{"USR_X": datum})})
		return crm.only(t)
	}
	for name, one := range all {
		arrived, ok := ask(f, name, "harmless", question(f, callersNumber).Number, callersNumber)
		if !ok {
			f.Fatalf("%s: harmless data is refused", name)
		}
		wanted[name] = structure(f, arrived, one.around)
	}
	f.Fuzz(func(t *testing.T, datum, caller string) {
		number, err := region.Parse(caller)
		if err != nil {
			return // nobody is asked about it
		}
		for name, one := range all {
			arrived, ok := ask(t, name, datum, number, caller)
			if !ok {
				continue // refused
			}
			if got := structure(t, arrived, one.around); got != wanted[name] {
				t.Errorf("%s: %q and %q arrive as\n%+v\nwhose structure is\n%s\nwant\n%s", name, datum, caller, arrived, got, wanted[name])
			}
		}
	})
}

// latest is a CRM that knows nobody and remembers what it was asked since it
// last forgot.
type latest struct {
	mutex    sync.Mutex
	requests []asked
}

func (l *latest) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the test ended the request
	}
	l.mutex.Lock()
	l.requests = append(l.requests, asked{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
	l.mutex.Unlock()
	answering(200, `[]`)(w, r)
}

func (l *latest) forget() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.requests = nil
}

// only returns the one request, if there was one.
func (l *latest) only(t testing.TB) (asked, bool) {
	t.Helper()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.requests) > 1 {
		t.Errorf("asked %d times", len(l.requests))
	}
	if len(l.requests) == 0 {
		return asked{}, false
	}
	return l.requests[0], true
}
