package crm

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// broken changes a good definition, at its first lookup or anywhere.
func broken(change func(*Definition, *Lookup)) Definition {
	d := contacts("https://crm.example.com")
	change(&d, &d.Lookups[0])
	return d
}

func TestMistakesSayWhereTheyAreAndWhatWouldBeRight(t *testing.T) {
	inLookup := func(options ...string) []string { return append([]string{"lookup contact"}, options...) }
	for name, test := range map[string]struct {
		change func(*Definition, *Lookup)
		where  []string
		text   []string
	}{
		"no url":          {func(d *Definition, _ *Lookup) { d.URL = "" }, []string{"url"}, []string{"missing; ", "https://crm.example.com"}},
		"a bare host":     {func(d *Definition, _ *Lookup) { d.URL = "crm.example.com" }, []string{"url"}, []string{`"crm.example.com" is not where a CRM lives`, "https://host"}},
		"another scheme":  {func(d *Definition, _ *Lookup) { d.URL = "ftp://crm.example.com" }, []string{"url"}, []string{"is not where a CRM lives"}},
		"no host":         {func(d *Definition, _ *Lookup) { d.URL = "https:///api" }, []string{"url"}, []string{"is not where a CRM lives"}},
		"a port only":     {func(d *Definition, _ *Lookup) { d.URL = "https://:8443" }, []string{"url"}, []string{"is not where a CRM lives"}},
		"no url at all":   {func(d *Definition, _ *Lookup) { d.URL = "https://a b/%zz" }, []string{"url"}, []string{"is not where a CRM lives"}},
		"a user name":     {func(d *Definition, _ *Lookup) { d.URL = "https://bob:hunter22@crm.example.com" }, []string{"url"}, []string{"user name or password", "auth basic"}},
		"a query":         {func(d *Definition, _ *Lookup) { d.URL = "https://crm.example.com/api?key=1" }, []string{"url"}, []string{"has a query or fragment"}},
		"an empty query":  {func(d *Definition, _ *Lookup) { d.URL = "https://crm.example.com/api?" }, []string{"url"}, []string{"has a query or fragment"}},
		"a fragment":      {func(d *Definition, _ *Lookup) { d.URL = "https://crm.example.com/#api" }, []string{"url"}, []string{"has a query or fragment"}},
		"a call's url":    {func(d *Definition, _ *Lookup) { d.URL = "https://{call.queue.name}.example.com" }, []string{"url"}, []string{"unknown placeholder {call.queue.name}"}},
		"a line in url":   {func(d *Definition, _ *Lookup) { d.URL = "https://crm.example.com\r\n" }, []string{"url"}, []string{"line break"}},
		"an empty url":    {func(d *Definition, _ *Lookup) { d.URL = "{env.EMPTY}" }, []string{"url"}, []string{`"{env.EMPTY}" is not where a CRM lives`}},
		"an odd name":     {func(d *Definition, _ *Lookup) { d.Name = "my crm" }, []string{"name"}, []string{`"my crm" is not a name`, "letters, digits"}},
		"a spelling":      {func(d *Definition, _ *Lookup) { d.Spellings = []string{"e164", "natoinal"} }, []string{"spellings"}, []string{`unknown spelling "natoinal"`, "national", "masks"}},
		"a mask":          {func(d *Definition, _ *Lookup) { d.Spellings = []string{`## "##"`} }, []string{"spellings"}, []string{"the mask", "quotes"}},
		"no lookup":       {func(d *Definition, _ *Lookup) { d.Lookups = nil }, []string{"lookup"}, []string{"missing; ", "lookup contact { GET /contacts"}},
		"the search page": {func(d *Definition, _ *Lookup) { d.SearchURL = "/search" }, []string{"search_url"}, []string{`"/search" is not an address`, "https://host"}},
		"its host":        {func(d *Definition, _ *Lookup) { d.SearchURL = "https://{call.queue.name}/x" }, []string{"search_url"}, []string{"can't stand in the host"}},
		"the form": {
			func(d *Definition, _ *Lookup) { d.CreateURL = "{crm.url}/new?id={record.id}" },
			[]string{"create_url"},
			[]string{"unknown placeholder {record.id}"},
		},

		"a header's name":    {func(d *Definition, _ *Lookup) { d.Headers = []Param{{"X Key", "1"}} }, []string{"header X Key"}, []string{`"X Key" is not the name of a header field`}},
		"a header's line":    {func(d *Definition, _ *Lookup) { d.Headers = []Param{{"X-Key", "a\nb"}} }, []string{"header X-Key"}, []string{"holds a line break"}},
		"a setting's line":   {func(d *Definition, _ *Lookup) { d.Headers = []Param{{"X-Key", "{env.LINES}"}} }, []string{"header X-Key"}, []string{"holds a line break"}},
		"an empty setting":   {func(d *Definition, _ *Lookup) { d.Headers = []Param{{"X-Key", "{env.MISSING}"}} }, []string{"header X-Key"}, []string{"{env.MISSING} is empty"}},
		"number in a header": {func(d *Definition, _ *Lookup) { d.Headers = []Param{{"X-Q", "{number}"}} }, []string{"header X-Q"}, []string{"unknown placeholder {number}"}},
		"a lookup's header":  {func(_ *Definition, l *Lookup) { l.Headers = []Param{{"X:Y", "1"}} }, inLookup("header X:Y"), []string{"is not the name"}},
		"a header left open": {func(_ *Definition, l *Lookup) { l.Headers = []Param{{"X-Q", "{call.caller"}} }, inLookup("header X-Q"), []string{"is not closed", "{call.caller}"}},
		"a parameter's name": {
			func(_ *Definition, l *Lookup) { l.Query = []Param{{"filter[{number}]", "x"}} },
			inLookup("query"),
			[]string{"the name filter[{number}] holds the placeholder {number}", "only values take placeholders"},
		},
		"no kind":             {func(_ *Definition, l *Lookup) { l.Kind = "" }, []string{"lookup "}, []string{`"" is not a kind of record`}},
		"an odd kind":         {func(_ *Definition, l *Lookup) { l.Kind = "a/b" }, []string{"lookup a/b"}, []string{`"a/b" is not a kind of record`}},
		"a kind twice":        {func(d *Definition, _ *Lookup) { d.Lookups = append(d.Lookups, contactLookup()) }, inLookup(), []string{"is there twice", "a kind of its own"}},
		"no path":             {func(_ *Definition, l *Lookup) { l.Path = "" }, inLookup("GET"), []string{"missing; ", "GET /contacts"}},
		"no slash":            {func(_ *Definition, l *Lookup) { l.Path = "contacts" }, inLookup("GET"), []string{`"contacts" is not a path`, "begin with /"}},
		"a whole address":     {func(_ *Definition, l *Lookup) { l.Path = "https://evil.example/" }, inLookup("GET"), []string{"is not a path"}},
		"another method":      {func(_ *Definition, l *Lookup) { l.Method = "PUT" }, inLookup("PUT"), []string{`"PUT" is not one of GET, POST`}},
		"a GET with JSON":     {func(_ *Definition, l *Lookup) { l.JSON = "{}" }, inLookup("GET"), []string{"a GET has no body", "write POST"}},
		"a GET with a form":   {func(_ *Definition, l *Lookup) { l.Form = []Param{{"a", "b"}} }, inLookup("GET"), []string{"a GET has no body"}},
		"JSON and a form":     {func(_ *Definition, l *Lookup) { l.Method, l.JSON, l.Form = http.MethodPost, "{}", []Param{{"a", "b"}} }, inLookup("POST"), []string{"one of json, xml and form, not several"}},
		"no JSON":             {func(_ *Definition, l *Lookup) { l.Method, l.JSON = http.MethodPost, `{"q": +{number.e164}}` }, inLookup("json"), []string{"is not valid JSON", "needs quotes"}},
		"JSON left open":      {func(_ *Definition, l *Lookup) { l.Method, l.JSON = http.MethodPost, `{"q": "{number}` }, inLookup("json"), []string{"is not valid JSON"}},
		"a query placeholder": {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{numbr}"}} }, inLookup("query q"), []string{"unknown placeholder {numbr}", "did you mean {number}?"}},
		"a form placeholder":  {func(_ *Definition, l *Lookup) { l.Method, l.Form = http.MethodPost, []Param{{"q", "{number.natinal}"}} }, inLookup("form q"), []string{"did you mean {number.national}?"}},
		"no such family":      {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{xyzzy.foo.bar.baz}"}} }, inLookup("query q"), []string{"unknown placeholder {xyzzy.foo.bar.baz}", "{call.*}", "{number.*}", `\{`}},
		"the token":           {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.user.token}"}} }, inLookup("query q"), []string{"token is a live credential"}},
		"the token in capitals": {
			func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.user.Token}"}} },
			inLookup("query q"),
			[]string{"token is a live credential"},
		},
		"a name of the call":      {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.queu.name}"}} }, inLookup("query q"), []string{"the payload has no queu", "did you mean {call.queue}?"}},
		"a deeper one":            {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.queue.displayNam}"}} }, inLookup("query q"), []string{"did you mean {call.queue.displayName}?"}},
		"a path of the call":      {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.userData..X}"}} }, inLookup("query q"), []string{"has an empty part"}},
		"a record in the request": {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{record.id}"}} }, inLookup("query q"), []string{"unknown placeholder {record.id}"}},
		"no filter":               {func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{filter}"}} }, inLookup("query q"), []string{"unknown placeholder {filter}"}},
		"a filter without number": {
			func(_ *Definition, l *Lookup) {
				l.Filter, l.Query = &Filter{"phone eq 1", " or "}, []Param{{"q", "{filter}"}}
			},
			inLookup("filter"),
			[]string{"lacks {number}", "phone eq '{number}'"},
		},
		"a filter and a number": {
			func(_ *Definition, l *Lookup) {
				l.Filter, l.Query = &Filter{"phone eq '{number}'", " or "}, []Param{{"q", "{filter}"}, {"n", "{number}"}}
			},
			inLookup("filter"),
			[]string{"joins all spellings into one request"},
		},
		"a filter that nothing uses": {func(_ *Definition, l *Lookup) { l.Filter = &Filter{"phone eq '{number}'", " or "} }, inLookup("filter"), []string{"is not used", "query filter {filter}"}},
		"a filter's placeholder":     {func(_ *Definition, l *Lookup) { l.Filter = &Filter{"phone eq {nubmer}", " or "} }, inLookup("filter"), []string{"unknown placeholder {nubmer}"}},

		"records":            {func(_ *Definition, l *Lookup) { l.Records = "data..items" }, inLookup("records"), []string{`the gjson path "data..items" has an empty part`, "data.items"}},
		"a status":           {func(_ *Definition, l *Lookup) { l.Miss = &Condition{Status: []int{404, 40}} }, inLookup("miss"), []string{"40 is not an HTTP status"}},
		"another status":     {func(_ *Definition, l *Lookup) { l.Fail = &Condition{Status: []int{600}} }, inLookup("fail"), []string{"600 is not an HTTP status"}},
		"no CEL":             {func(_ *Definition, l *Lookup) { l.Fail = &Condition{Expression: "body.success ="} }, inLookup("fail"), []string{"is not a CEL expression over status and body"}},
		"no such variable":   {func(_ *Definition, l *Lookup) { l.Miss = &Condition{Expression: "answer.total == 0"} }, inLookup("miss"), []string{"is not a CEL expression", "answer"}},
		"no condition":       {func(_ *Definition, l *Lookup) { l.Miss = &Condition{Expression: `"none"`} }, inLookup("miss"), []string{"gives a string, not true or false"}},
		"a detail":           {func(_ *Definition, l *Lookup) { l.Detail = &Detail{Ask: Ask{Path: "contacts/{record.id}"}} }, inLookup("detail", "GET"), []string{"is not a path"}},
		"a detail's path":    {func(_ *Definition, l *Lookup) { l.Detail = &Detail{Ask: Ask{Path: "/contacts/{record.@nothing}"}} }, inLookup("detail", "GET"), []string{"unknown modifier @nothing"}},
		"no phones":          {func(_ *Definition, l *Lookup) { l.Phones = nil }, inLookup("phones"), []string{"missing; ", "phones {record.phone} {record.mobile}", "phones unverified"}},
		"phones misspelled":  {func(_ *Definition, l *Lookup) { l.Phones = []string{"unverifed"} }, inLookup("phones"), []string{`"unverifed" has no {record.*}`}},
		"phones of the call": {func(_ *Definition, l *Lookup) { l.Phones = []string{"{record.phone}", "{number.e164}"} }, inLookup("phones"), []string{"unknown placeholder {number.e164}; there are {record.*}"}},
		"the same for all":   {func(_ *Definition, l *Lookup) { l.Query = []Param{{"limit", "10"}} }, inLookup("GET"), []string{"asks the same for every caller"}},
		"a nameless query":   {func(_ *Definition, l *Lookup) { l.Query = []Param{{"", "{number}"}} }, inLookup("query"), []string{"lacks its name"}},
		"a phone's path":     {func(_ *Definition, l *Lookup) { l.Phones = []string{"{record.phones.#(x}"} }, inLookup("phones"), []string{"'(' that is not closed"}},
		"an id's path":       {func(_ *Definition, l *Lookup) { l.ID = []string{"{record.}"} }, inLookup("id"), []string{"is empty"}},
		"a name":             {func(_ *Definition, l *Lookup) { l.RecordName = []string{"{recrod.name}"} }, inLookup("name"), []string{"unknown placeholder {recrod.name}"}},
		"a company":          {func(_ *Definition, l *Lookup) { l.Company = []string{"{contact.company}"} }, inLookup("company"), []string{"unknown placeholder {contact.company}"}},
		"an e-mail address":  {func(_ *Definition, l *Lookup) { l.Email = []string{"{number}"} }, inLookup("email"), []string{"unknown placeholder {number}"}},
		"a page":             {func(_ *Definition, l *Lookup) { l.URL = []string{"javascript:open({record.id})"} }, inLookup("url"), []string{"is not an address that can be opened"}},
		"a page's host":      {func(_ *Definition, l *Lookup) { l.URL = []string{"https://{record.id}.example.com/"} }, inLookup("url"), []string{"can't stand in the host"}},
		"a page's start":     {func(_ *Definition, l *Lookup) { l.URL = []string{"{call.userData.URL}"} }, inLookup("url"), []string{"can't begin an address"}},
		"a page's joint":     {func(_ *Definition, l *Lookup) { l.URL = []string{"{crm.url}.evil.example/{record.id}"} }, inLookup("url"), []string{"must follow"}},
		"a reserved field":   {func(_ *Definition, l *Lookup) { l.Fields = []Field{{"email", []string{"x"}}} }, inLookup("field email"), []string{"every record has email", "option of its own"}},
		"the count":          {func(_ *Definition, l *Lookup) { l.Fields = []Field{{"count", []string{"x"}}} }, inLookup("field count"), []string{"every record has count"}},
		"a field's name":     {func(_ *Definition, l *Lookup) { l.Fields = []Field{{"a.b", []string{"x"}}} }, inLookup("field a.b"), []string{`"a.b" is not a field name`}},
		"a field's value":    {func(_ *Definition, l *Lookup) { l.Fields = []Field{{"vip", []string{"{record.a..b}"}}} }, inLookup("field vip"), []string{"has an empty part"}},
		"in the second lookup": {
			func(d *Definition, _ *Lookup) {
				d.Lookups = append(d.Lookups, contactLookup(func(l *Lookup) { l.Kind, l.Records = "lead", "." }))
			},
			[]string{"lookup lead", "records"},
			[]string{"has an empty part"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rest, err := Compile(broken(test.change), Options{Settings: someSettings})
			if err == nil || rest != nil {
				t.Fatalf("it compiles: %+v", rest)
			}
			var wrong *mistake.Mistake
			if !errors.As(err, &wrong) {
				t.Fatalf("%T (%v) is no mistake", err, err)
			}
			if !slices.Equal(wrong.Where, test.where) {
				t.Errorf("where = %q, want %q", wrong.Where, test.where)
			}
			hears(t, wrong.Err.Error(), test.text...)
			if strings.Contains(err.Error(), "hunter22") {
				t.Errorf("%q has the password", err)
			}
		})
	}
}

var someSettings = map[string]func(string) (string, error){
	"env.": func(name string) (string, error) {
		switch name {
		case "env.MISSING":
			return "", errors.New("{env.MISSING} is empty")
		case "env.EMPTY":
			return "", nil
		case "env.LINES":
			return "hunter22\nhunter22", nil
		default:
			return "value", nil
		}
	},
}

func TestWhatIsAlsoRight(t *testing.T) {
	for name, change := range map[string]func(*Definition, *Lookup){
		"no name":                   func(d *Definition, _ *Lookup) { d.Name = "" },
		"spaces around the url":     func(d *Definition, _ *Lookup) { d.URL = " https://crm.example.com/ " },
		"a port and a path":         func(d *Definition, _ *Lookup) { d.URL = "http://127.0.0.1:8080/crm" },
		"a setting in the url":      func(d *Definition, _ *Lookup) { d.URL = "https://{env.HOST}.example.com" },
		"a mask":                    func(d *Definition, _ *Lookup) { d.Spellings = []string{"(##) ## ##-##.##"} },
		"a name of a later release": func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", "{call.somethingNew.x}"}} },
		"a brace that is text":      func(_ *Definition, l *Lookup) { l.Query = []Param{{"q", `\{number} {number}`}} },
		"JSON with bare values":     func(_ *Definition, l *Lookup) { l.Method, l.JSON = http.MethodPost, `{"n": {number}, "q": {call.did}}` },
		"unverified without phones": func(_ *Definition, l *Lookup) { l.Phones, l.Unverified = nil, true },
		"a POST without a body":     func(_ *Definition, l *Lookup) { l.Method = http.MethodPost },
		"a number in a header":      func(_ *Definition, l *Lookup) { l.Query, l.Headers = nil, []Param{{"X-Number", "{number}"}} },
		"an expression of any type": func(_ *Definition, l *Lookup) { l.Miss = &Condition{Expression: "body.missing"} },
		"a page from the record":    func(_ *Definition, l *Lookup) { l.URL = []string{"{record.link}?tab=calls"} },
		"fields with the same source": func(_ *Definition, l *Lookup) {
			l.Fields = []Field{{"a", []string{"{record.x}"}}, {"b", []string{"{record.x}"}}}
		},
	} {
		if _, err := Compile(broken(change), Options{Settings: someSettings}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A configuration may be read where its settings are not: `caddy adapt`.
func TestSettingsThatAreNotKnownYetCompile(t *testing.T) {
	d := contacts("{env.CRM_URL}", func(l *Lookup) {
		l.Method, l.Query = http.MethodPost, nil
		l.Path = "{env.PREFIX}/contacts"
		l.JSON = `{"key": "{file./run/key}", "limit": {env.LIMIT}}`
		l.URL = []string{"{env.PUBLIC_URL}/contacts/{record.id}"}
		l.Detail = &Detail{Ask: Ask{Path: "{env.PREFIX}/contacts/{record.id}"}}
	})
	d.Headers = []Param{{"Authorization", "Token {env.TOKEN}"}}
	d.SearchURL = "{env.PUBLIC_URL}/search?q={number.e164}"
	rest, err := Compile(d, Options{Settings: map[string]func(string) (string, error){"env.": nil, "file.": nil}})
	if err != nil {
		t.Fatal(err)
	}
	if rest.Profile().Name != "legacy" {
		t.Errorf("profile = %+v", rest.Profile())
	}
	// What can be known is checked all the same.
	d.Lookups[0].Records = ".."
	if _, err := Compile(d, Options{Settings: map[string]func(string) (string, error){"env.": nil, "file.": nil}}); err == nil {
		t.Error("a mistake beside unknown settings goes unnoticed")
	}
}

func TestDefaults(t *testing.T) {
	d := contacts("https://crm.example.com/")
	d.Name = ""
	rest, err := Compile(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if rest.Profile().Name != "rest" || rest.Profile().URL != "https://crm.example.com" || rest.timeout != DefaultTimeout {
		t.Errorf("profile = %+v, timeout = %s", rest.Profile(), rest.timeout)
	}
	var spellings []string
	for _, spelling := range rest.spellings {
		spellings = append(spellings, spelling.String())
	}
	if !slices.Equal(spellings, []string{"e164", "national", "digits"}) {
		t.Errorf("spellings = %q", spellings)
	}
}
