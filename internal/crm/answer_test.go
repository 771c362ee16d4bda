package crm

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const rosa, anna = `{"id":"r","name":"Rosa","phone":"+33427466347"}`, `{"id":"a","name":"Anna","phone":"04.27.46.63.47"}`

func TestWhereTheRecordsStandInTheAnswer(t *testing.T) {
	for _, test := range []struct {
		records, body string
		want          []string
	}{
		{"", "[" + rosa + "," + anna + "]", []string{"r", "a"}},
		{"@this", " \n[" + rosa + "]\n ", []string{"r"}},
		{"@this", rosa, []string{"r"}},
		{"list", `{"total":2,"list":[` + anna + "," + rosa + `]}`, []string{"a", "r"}},
		{"data.items", `{"data":{"items":[` + rosa + `]}}`, []string{"r"}},
		{"data.contact", `{"data":{"contact":` + rosa + `}}`, []string{"r"}},
		{"results.0.hits", `{"results":[{"hits":[` + rosa + `]}]}`, []string{"r"}},
		{"entries.#.contact", `{"entries":[{"contact":` + rosa + `},{"other":1},{"contact":` + anna + `}]}`, []string{"r", "a"}},
		{`items.#(type=="contact")#`, `{"items":[{"type":"task","phone":"0427466347"},{"type":"contact","id":"c","phone":"0427466347"}]}`, []string{"c"}},
		{"@values", `{"17":` + rosa + `,"18":` + anna + `}`, []string{"r", "a"}},
		{`data\.items`, `{"data.items":[` + rosa + `]}`, []string{"r"}},
		{"list", `{"list":[null,` + rosa + `,1,"x",false]}`, []string{"r"}}, // what is no object is no record
	} {
		crm := serve(t, answering(200, test.body))
		result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = test.records }))
		if got := ids(result); !slices.Equal(got, test.want) || result.Err != nil {
			t.Errorf("records %q of %s: %q, %v; want %q", test.records, test.body, got, result.Err, test.want)
		}
	}
}

func TestWhatMeansNotFound(t *testing.T) {
	for _, test := range []struct{ records, body string }{
		{"list", `{"list":[]}`},
		{"list", `{"list":{}}`},
		{"list", `{"list":null}`},
		{"list", `{"list":false}`},
		{"", `[]`},
		{"", `{}`},
		{"", `null`},
		{"", `false`},
		{"entries.#.contact", `{"entries":[]}`},
	} {
		crm := serve(t, answering(200, test.body))
		result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = test.records }))
		if len(result.Records) != 0 || result.Err != nil || result.Requests[0].Returned != 0 {
			t.Errorf("records %q of %s: %+v", test.records, test.body, result)
		}
	}
}

func TestAnAnswerOfAnotherShapeIsAFailureAndNotNotFound(t *testing.T) {
	for _, test := range []struct{ records, body, want string }{
		{"data.items", `{"list":[]}`, `nothing at "data.items" (records)`},
		{"data.items", `[]`, `nothing at "data.items" (records)`},
		{"list", `{"list":""}`, `a string at "list" (records), not a list`},
		{"list", `{"list":"none"}`, `a string at "list" (records), not a list`},
		{"list", `{"list":0}`, `a number at "list" (records), not a list`},
		{"list", `{"list":true}`, `a true at "list" (records), not a list`},
		{"list", `{"list":["0427466347"]}`, `the list at "list" (records) holds no objects`},
		{"list", `{"list":[[` + rosa + `]]}`, `the list at "list" (records) holds no objects`},
		{"list", `{"list":[null]}`, `the list at "list" (records) holds no objects`},
	} {
		crm := serve(t, answering(200, test.body))
		result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = test.records }))
		hears(t, failure(t, result), "crm legacy: lookup contact: ", test.want)
		if len(result.Records) != 0 || result.Requests[0].Err == nil {
			t.Errorf("%s: %+v", test.body, result)
		}
	}
}

func TestMiss(t *testing.T) {
	for name, test := range map[string]struct {
		miss   *Condition
		status int
		body   string
		fails  bool
	}{
		"the status means not found":         {&Condition{Status: []int{404, 204}}, 404, `{"error":{"message":"Not Found"}}`, false},
		"so does another, without a body":    {&Condition{Status: []int{404, 204}}, 204, ``, false},
		"another status does not":            {&Condition{Status: []int{404}}, 410, `{}`, true},
		"the expression holds":               {&Condition{Expression: `body.code == "NO_DATA"`}, 200, `{"code":"NO_DATA"}`, false},
		"the expression does not":            {&Condition{Expression: `body.code == "NO_DATA"`}, 200, `{"code":"E1"}`, true},
		"what it asks for is absent":         {&Condition{Expression: `body.code == "NO_DATA"`}, 200, `{"data":1}`, true},
		"it does not excuse an error status": {&Condition{Expression: `true`}, 500, `{}`, true},
		"nor an answer that is no JSON":      {&Condition{Expression: `true`}, 200, `<html>`, true},
		"one of both is enough":              {&Condition{Status: []int{404}, Expression: `body.total == 0`}, 200, `{"total":0}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(test.status, test.body))
			result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records, l.Miss = "list", test.miss }))
			if (result.Err != nil) != test.fails || len(result.Records) != 0 {
				t.Errorf("err = %v, records = %+v", result.Err, result.Records)
			}
		})
	}
}

func TestFail(t *testing.T) {
	for name, test := range map[string]struct {
		fail   *Condition
		status int
		body   string
		want   []string // of the failure; nil when there is none
	}{
		"the answer says so": {
			&Condition{Expression: `body.success == false`}, 200, `{"success":false,"message":"session expired","list":[` + rosa + `]}`,
			[]string{"says that it failed (body.success == false): session expired"},
		},
		"the answer does not": {&Condition{Expression: `body.success == false`}, 200, `{"success":true,"list":[` + rosa + `]}`, nil},
		"absent is not false": {&Condition{Expression: `body.success == false`}, 200, `{"list":[` + rosa + `]}`, nil},
		"over the status":     {&Condition{Expression: `status == 203`}, 203, `{"list":[` + rosa + `]}`, []string{"(status == 203)"}},
		"a status": {
			&Condition{Status: []int{203}}, 203, `{"list":[` + rosa + `]}`,
			[]string{"203 Non-Authoritative Information; the lookup counts this status as a failure (fail)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(test.status, test.body))
			result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records, l.Fail = "list", test.fail }))
			if test.want == nil {
				found(t, result)
				return
			}
			hears(t, failure(t, result), test.want...)
			if len(result.Records) != 0 {
				t.Errorf("found %+v", result.Records)
			}
		})
	}
}

func TestAnAnswerThatIsNoJSONIsAFailure(t *testing.T) {
	for name, test := range map[string]struct{ mediaType, body, want string }{
		"a login page":           {"text/html; charset=utf-8", "<html>log in</html>", "the answer is text/html, not JSON; is the url right?"},
		"nothing":                {"application/json", "", "the answer is empty, not JSON"},
		"nothing of no type":     {"", "", "the answer is empty, not JSON"},
		"no known type":          {"/", "oops", "the answer is of no known type, not JSON"},
		"JSON that is cut off":   {"application/json", `[{"id":"7"`, "the answer is labelled application/json but is not valid JSON"},
		"two documents":          {"application/json", `[][]`, "not valid JSON"},
		"a PHP notice before it": {"application/json", `<b>Notice</b> []`, "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, test.body, "Content-Type", test.mediaType))
			hears(t, failure(t, searched(t, contacts(crm.URL))), test.want)
		})
	}
}

func TestJSONIsReadWhateverItsLabel(t *testing.T) {
	for _, mediaType := range []string{"text/html", "text/plain; charset=utf-8", "application/vnd.api+json", ""} {
		crm := serve(t, answering(200, callers, "Content-Type", mediaType))
		found(t, searched(t, contacts(crm.URL)))
	}
}

func TestAHugeAnswerIsRefused(t *testing.T) {
	fill := func(size int) string {
		return callers[:len(callers)-1] + strings.Repeat(" ", size-len(callers)) + "]"
	}
	crm := serve(t, answering(200, fill(maxAnswer)))
	found(t, searched(t, contacts(crm.URL)))

	crm = serve(t, answering(200, fill(maxAnswer+1)))
	hears(t, failure(t, searched(t, contacts(crm.URL))), "larger than 4 MiB", "make the search stricter or set a limit")
}

// endless is a body without an end, that counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

func (e *endless) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: e}, nil
}

func TestAnEndlessAnswerIsReadOnlyToItsLimit(t *testing.T) {
	body := &endless{}
	rest := compiled(t, contacts("https://crm.example.com"), Options{Transport: body})
	hears(t, failure(t, rest.Search(t.Context(), question(t, callersNumber))), "larger than 4 MiB")
	if body.read > maxAnswer+1 {
		t.Errorf("%d bytes were read", body.read)
	}
}

func TestACompressedAnswerIsRead(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			answering(406, "")(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		compressor := gzip.NewWriter(w)
		_, _ = io.WriteString(compressor, callers)
		_ = compressor.Close()
	})
	found(t, searched(t, contacts(crm.URL)))
}

func TestACompressedAnswerCannotExpandWithoutBound(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		compressor := gzip.NewWriter(w)
		_, _ = io.WriteString(compressor, "["+strings.Repeat(" ", 4*maxAnswer)+"]")
		_ = compressor.Close()
	})
	hears(t, failure(t, searched(t, contacts(crm.URL))), "larger than 4 MiB")
}

func TestAnAnswerNestedWithoutEndIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"arrays":            strings.Repeat("[", maxAnswer/2) + strings.Repeat("]", maxAnswer/2),
		"arrays left open":  strings.Repeat("[", maxAnswer),
		"objects left open": strings.Repeat(`{"a":`, maxAnswer/8),
		"a list of phones":  `[{"phone":` + strings.Repeat("[", maxAnswer/4) + strings.Repeat("]", maxAnswer/4) + `}]`,
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, body))
			hears(t, failure(t, searched(t, contacts(crm.URL))), "nested deeper than")
		})
	}
	t.Run("brackets within strings are no nesting", func(t *testing.T) {
		crm := serve(t, answering(200, `[{"id":"7","phone":"0427466347","name":"`+strings.Repeat(`[\"{`, 5000)+`"}]`))
		found(t, searched(t, contacts(crm.URL)))
	})
}

func TestAStrangerIsNeverKept(t *testing.T) {
	for _, phone := range []string{
		`"+33199000001"`, `"0427466348"`, `"27466347"`, `"7466347"`, `"+49427466347"`, `"+3304274663470"`, `"0033"`, `""`, `null`, `[]`, `{}`,
		`false`, `427`, `["0199000001","0199000002"]`, `"https://example.com/0427466348"`,
	} {
		crm := serve(t, answering(200, fmt.Sprintf(`[{"id":"s","name":"+33427466347","note":"0427466347","phone":%s}]`, phone)))
		result := searched(t, contacts(crm.URL))
		if len(result.Records) != 0 || result.Err != nil {
			t.Errorf("phone %s: found %+v, err = %v", phone, result.Records, result.Err)
		}
		if request := result.Requests[0]; request.Returned != 1 || request.Kept != 0 {
			t.Errorf("phone %s: the story is %+v", phone, request)
		}
	}
}

func TestOfAWholeCRMOnlyTheCallersRecordsAreKept(t *testing.T) {
	// Some CRMs ignore a filter that they don't know, and return everybody.
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(`{"id":"s%d","phone":"01990%05d"}`, i, i))
	}
	list = slices.Insert(list, 250, rosa)
	crm := serve(t, answering(200, "["+strings.Join(list, ",")+"]"))
	result := searched(t, contacts(crm.URL))
	if found(t, result).ID != "r" || result.Requests[0].Returned != 501 || result.Requests[0].Kept != 1 {
		t.Errorf("the story is %+v", result.Requests)
	}
}

func TestAnUnverifiedLookupTrustsTheCRM(t *testing.T) {
	crm := serve(t, answering(200, `[{"id":"s","phone":"+33199000001"},{"id":"n"}]`))
	result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Phones, l.Unverified = nil, true }))
	if !slices.Equal(ids(result), []string{"s", "n"}) || !result.Records[0].Unverified || !result.Records[1].Unverified {
		t.Errorf("found %+v", result.Records)
	}
	crm = serve(t, answering(200, callers))
	if found(t, searched(t, contacts(crm.URL))).Unverified {
		t.Error("a record that was checked is called unverified")
	}
}

func TestEveryNumberOfARecordCounts(t *testing.T) {
	options := []string{"{record.phone}", "{record.phones.#.number}", "{record.lists.#.numbers.#.n}", "{record.prefix} {record.local}"}
	for name, test := range map[string]struct {
		record string
		phones []string
	}{
		"a text":            {`{"phone":"04 27 46 63 47"}`, []string{"04 27 46 63 47"}},
		"a JSON number":     {`{"phone":33427466347}`, []string{"33427466347"}},
		"an array of texts": {`{"phone":["0199000001","0427466347"]}`, []string{"0199000001", "0427466347"}},
		"objects": {
			`{"phone":"0199000001","phones":[{"number":"0199000002"},{"number":null},{"type":"fax"},{"number":"0427466347"}]}`,
			[]string{"0199000001", "0199000002", "0427466347"},
		},
		"arrays of arrays":    {`{"lists":[{"numbers":[{"n":"0199000001"}]},{"numbers":[{"n":"0427466347"}]}]}`, []string{"0199000001", "0427466347"}},
		"parts of one number": {`{"prefix":"+33","local":"427466347"}`, []string{"+33 427466347"}},
		"two in one text":     {`{"phone":"01 99 00 00 01 / 04 27 46 63 47"}`, []string{"01 99 00 00 01 / 04 27 46 63 47"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, "["+test.record+"]"))
			record := found(t, searched(t, contacts(crm.URL, func(l *Lookup) { l.Phones = options })))
			if !slices.Equal(record.Phones, test.phones) {
				t.Errorf("phones = %q, want %q", record.Phones, test.phones)
			}
		})
	}
}

func TestAByteOrderMarkIsNoMistake(t *testing.T) {
	crm := serve(t, answering(200, "\ufeff"+callers))
	found(t, searched(t, contacts(crm.URL)))
}

// PHP writes lists so whose keys are not 0, 1, 2, ...
func TestAListKeyedByIDIsRead(t *testing.T) {
	crm := serve(t, answering(200, `{"data":{"45":{"name":"Camille","phone":"0427466347"},"46":{"id":"own","phone":"0427466347"},"47":{"phone":"0199000001"},"48":{}}}`))
	result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = "data" }))
	if len(result.Records) != 2 || result.Records[0].ID != "45" || result.Records[0].Name != "Camille" || result.Records[1].ID != "own" || result.Requests[0].Returned != 4 {
		t.Errorf("result = %+v", result)
	}
}

// PHP writes a list whose keys are ids as an object.
func TestAnObjectOfObjectsIsAListByID(t *testing.T) {
	for name, test := range map[string]struct{ records, body string }{
		"the answer itself":  {"", `{"17":{"name":"a","phone":"0427466347"},"18":{"id":"of its own","phone":"0427466347"},"19":{"phone":"0199000001"}}`},
		"below a path":       {"contacts", `{"contacts":{"17":{"phone":"0427466347"},"18":{"id":"of its own","phone":"0427466347"}}}`},
		"with nothing in it": {"contacts", `{"contacts":{"16":{},"17":{"phone":"0427466347"},"18":{"id":"of its own","phone":"0427466347"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, test.body))
			result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = test.records }))
			if got := ids(result); !slices.Equal(got, []string{"17", "of its own"}) || result.Err != nil {
				t.Errorf("found %q, %v", got, result.Err)
			}
		})
	}
}

// A key is a text, whatever is in it.
func TestAKeyThatIsNoNumberIsAnIDToo(t *testing.T) {
	for _, key := range []string{`a\"b`, `a\\`, `\u00e9`, `{`, ``} {
		crm := serve(t, answering(200, `{"`+key+`":{"phone":"0427466347"}}`))
		record := found(t, searched(t, contacts(crm.URL)))
		want := strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\u00e9`, "é").Replace(key)
		if record.ID != want {
			t.Errorf("key %s: id = %q", key, record.ID)
		}
	}
}

func TestAnObjectWithAFieldBesideObjectsIsOneRecord(t *testing.T) {
	crm := serve(t, answering(200, `{"address":{"city":"Lyon"},"id":"7","phone":"0427466347"}`))
	if record := found(t, searched(t, contacts(crm.URL))); record.ID != "7" {
		t.Errorf("found %+v", record)
	}
}

// Some CRMs keep a record's fields in a list of names and values.
func TestFieldsInAListOfNamesAndValues(t *testing.T) {
	crm := serve(t, answering(200, `{"set":[{"recordID":"7","values":[
		{"name":"Name","value":"Camille"},{"name":"Phone","value":"0199000001"},{"name":"Phone","value":"04 27 46 63 47"},{"name":"Empty"},{"name":"a\"b","value":"odd"}]}]}`))
	record := found(t, searched(t, contacts(crm.URL, func(l *Lookup) {
		l.Records, l.ID, l.RecordName = "set", []string{"{record.recordID}"}, []string{`{record.values.#(name=="Name").value}`}
		l.Phones = []string{`{record.values.#(name=="Phone")#.value}`}
		l.Fields = []Field{{"empty", []string{`{record.values.#(name=="Empty").value}`}}, {"none", []string{`{record.values.#(name=="None").value}`}}}
	})))
	if record.ID != "7" || record.Name != "Camille" || record.Fields["empty"]+record.Fields["none"] != "" || len(record.Phones) != 2 {
		t.Errorf("found %+v", record)
	}
}

func TestMissAndFailOfTheCRMCountWhereALookupHasNone(t *testing.T) {
	crm := serve(t, byPath(map[string]http.HandlerFunc{
		"/contacts": answering(404, ``), "/leads": answering(404, ``), "/accounts": answering(200, `{"ok":false,"message":"broken"}`),
	}))
	d := contacts(crm.URL)
	d.Miss, d.Fail = &Condition{Status: []int{404}}, &Condition{Expression: "body.ok == false"}
	d.Lookups = append(d.Lookups, leads(func(l *Lookup) { l.Miss = &Condition{Status: []int{410}} }),
		leads(func(l *Lookup) { l.Kind, l.Path = "account", "/accounts" }))
	text := failure(t, searched(t, d))
	hears(t, text, "lookup lead: 404 Not Found", "lookup account: the answer says that it failed (body.ok == false): broken")
	if strings.Contains(text, "lookup contact") {
		t.Errorf("a miss is a failure: %s", text)
	}
}

// A CRM that ignores an unknown filter and answers "nothing" in its own way.
func TestNothingInEveryFormIsNotFound(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		miss   *Condition
	}{
		"404":              {404, `{"error":"not found"}`, &Condition{Status: []int{404}}},
		"404 as a page":    {404, `<html>`, &Condition{Status: []int{404}}},
		"204":              {204, ``, &Condition{Status: []int{204}}},
		"false":            {200, `false`, nil},
		"null":             {200, `null`, nil},
		"an empty list":    {200, `[]`, nil},
		"an empty object":  {200, `{}`, nil},
		"a status in CEL":  {410, `{"code":7}`, &Condition{Expression: "status == 410 && body.code == 7"}},
		"a count":          {200, `{"total":0}`, &Condition{Expression: "body.total == 0"}},
		"an error of them": {200, `{"errors":[{"code":"NO_MATCH"}]}`, &Condition{Expression: `body.errors[0].code == "NO_MATCH"`}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(test.status, test.body))
			result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Miss = test.miss }))
			if result.Err != nil || len(result.Records) != 0 {
				t.Errorf("result = %+v", result)
			}
		})
	}
}
