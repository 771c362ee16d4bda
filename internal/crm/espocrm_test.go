package crm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
)

// recordedExchange is one request to a running CRM and its answer.
type recordedExchange struct {
	Name    string `json:"name"`
	Request struct {
		Method  string            `json:"method"`
		Target  string            `json:"target"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

// answer is the recorded one, byte for byte.
func (e recordedExchange) answer(w http.ResponseWriter) {
	for name, value := range e.Response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(e.Response.Status)
	_, _ = w.Write([]byte(e.Response.Body))
}

const recordedKey = "THE-API-KEY"

func recording(t testing.TB) []recordedExchange {
	t.Helper()
	exchanges := exchangesIn(t, "testdata/espocrm-9.2.7.json")
	return append(exchanges, secondNumberSearch(t, exchanges))
}

func exchangesIn(t testing.TB, file string) []recordedExchange {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Exchanges []recordedExchange `json:"exchanges"`
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	return recorded.Exchanges
}

// secondNumberSearch is what a search for the second number of the recorded
// contact answers: the list shows its first number all the same (measured; the
// recording has the search for the first one).
func secondNumberSearch(t testing.TB, exchanges []recordedExchange) recordedExchange {
	t.Helper()
	at := slices.IndexFunc(exchanges, func(e recordedExchange) bool { return e.Name == "one contact: in numeric digits" })
	if at < 0 {
		t.Fatal("the recording lacks the search for one contact")
	}
	search := exchanges[at]
	search.Name = "the contact's second number"
	search.Request.Target = strings.ReplaceAll(search.Request.Target, "199000001", "699000002")
	return search
}

// replay is EspoCRM as it was recorded. What was not recorded is answered with
// 404 and the reason, except a search of the recorded form: it finds nothing.
func replay(t testing.TB) *fakeCRM {
	t.Helper()
	exchanges := recording(t)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		for _, e := range exchanges {
			if sameRequest(t, e, r) {
				e.answer(w)
				return
			}
		}
		if isNumberSearch(t, r) {
			answering(200, `{"total":0,"list":[]}`)(w, r)
			return
		}
		answering(404, "", "X-Status-Reason", "not recorded: "+r.Method+" "+r.URL.Path+" "+strings.Join(valuesOf(pairs(t, r.URL.RawQuery)), " "))(w, r)
	})
}

func sameRequest(t testing.TB, e recordedExchange, r *http.Request) bool {
	path, query, _ := strings.Cut(e.Request.Target, "?")
	return r.Method == e.Request.Method && r.URL.Path == path && r.Header.Get("X-Api-Key") == e.Request.Headers["X-Api-Key"] &&
		slices.Equal(withoutSize(pairs(t, r.URL.RawQuery)), withoutSize(pairs(t, query)))
}

// withoutSize leaves out how many records are wanted at most.
func withoutSize(query []pair) []pair {
	return slices.DeleteFunc(query, func(p pair) bool { return p.name == "maxSize" })
}

func valuesOf(query []pair) []string {
	var list []string
	for _, p := range query {
		list = append(list, p.value)
	}
	return list
}

// isNumberSearch tells a search for digits, with the key, from a request that
// EspoCRM would refuse.
func isNumberSearch(t testing.TB, r *http.Request) bool {
	path := []string{"/api/v1/Contact", "/api/v1/Account", "/api/v1/Lead"}
	if r.Method != http.MethodGet || !slices.Contains(path, r.URL.Path) || r.Header.Get("X-Api-Key") != recordedKey {
		return false
	}
	query := pairs(t, r.URL.RawQuery)
	value := map[pair]string{{"where[0][type]", "in"}: "where[0][value][]", {"where[0][type]", "endsWith"}: "where[0][value]"}
	if len(query) < 4 || value[query[0]] == "" || query[1] != (pair{"where[0][attribute]", "phoneNumberNumeric"}) {
		return false
	}
	numbers := 0
	for _, p := range query[2:] {
		switch {
		case r.URL.Path == "/api/v1/Lead" && slices.Contains(unconverted("lead", 1), Param{p.name, p.value}):
		case p.name == value[query[0]] && p.value != "" && strings.Trim(p.value, "0123456789") == "":
			numbers++
		case p.name != "select" && p.name != "maxSize":
			return false
		}
	}
	return numbers > 0
}

// listed are the fields of a record that a list shows.
var listed = Param{"select", "id,name,accountName,emailAddress,phoneNumber"}

// unconverted leaves out leads of which a contact was made, as the condition i.
func unconverted(kind string, i int) []Param {
	if kind != "lead" {
		return nil
	}
	at := fmt.Sprintf("where[%d]", i)
	return []Param{{at + "[type]", "isNull"}, {at + "[attribute]", "createdContactId"}}
}

// espocrm is the preset, built by hand.
func espocrm(address string) Definition {
	d := Definition{
		Name:      "espocrm",
		URL:       address,
		API:       "{crm.url}/api/v1",
		Auth:      &Auth{Header: &Param{"X-Api-Key", "{credential.api_key}"}},
		Headers:   []Param{{"X-No-Total", "true"}},
		SearchURL: "{crm.url}/#Contact",
		CreateURL: "{crm.url}/#Contact/create",
	}
	for _, entity := range []struct{ kind, name, company string }{
		{"contact", "Contact", "{record.accountName}"},
		{"account", "Account", "{record.name}"},
		{"lead", "Lead", "{record.accountName}"},
	} {
		d.Lookups = append(d.Lookups, Lookup{
			Kind: entity.kind,
			Search: Search{
				Ask: Ask{
					Method: http.MethodGet,
					Path:   "/" + entity.name,
					Query: slices.Concat([]Param{
						{"where[0][type]", "in"},
						{"where[0][attribute]", "phoneNumberNumeric"},
						{"where[0][value][]", "{number.digits}"},
						{"where[0][value][]", "{number.national}"},
						{"where[0][value][]", "{number.idd}"},
					}, unconverted(entity.kind, 1), []Param{listed, {"maxSize", "20"}}),
				},
				Records: "list",
			},
			Otherwise: &Search{Ask: Ask{
				Method: http.MethodGet,
				Path:   "/" + entity.name,
				Query: slices.Concat([]Param{
					{"where[0][type]", "endsWith"},
					{"where[0][attribute]", "phoneNumberNumeric"},
					{"where[0][value]", "{number.nsn}"},
				}, unconverted(entity.kind, 1), []Param{listed, {"maxSize", "20"}}),
			}},
			Sample: &Search{Ask: Ask{
				Method: http.MethodGet,
				Path:   "/" + entity.name,
				Query:  slices.Concat(unconverted(entity.kind, 0), []Param{listed, {"maxSize", "{limit}"}}),
			}},
			Detail:     &Detail{Ask: Ask{Path: "/" + entity.name + "/{record.id}"}},
			ID:         []string{"{record.id}"},
			RecordName: []string{"{record.name}"},
			Company:    []string{entity.company},
			Email:      []string{"{record.emailAddress}"},
			Phones:     []string{"{record.phoneNumber}", "{record.phoneNumberData.#.phoneNumber}"},
			URL:        []string{"{crm.url}/#" + entity.name + "/view/{record.id}"},
		})
	}
	return d
}

// written is a definition in the grammar of a Caddyfile, as far as the preset
// uses it.
func written(d Definition) []string {
	lines := []string{"credential api_key", "credential secret_key", "api " + d.API, "auth header " + d.Auth.Header.Name + " " + d.Auth.Header.Value}
	for _, h := range d.Headers {
		lines = append(lines, "header "+h.Name+" "+h.Value)
	}
	ask := func(a Ask) {
		lines = append(lines, a.Method+" "+a.Path)
		for _, q := range a.Query {
			lines = append(lines, "query "+q.Name+" "+q.Value)
		}
	}
	for _, l := range d.Lookups {
		lines = append(lines, "lookup "+l.Kind+" {")
		ask(l.Ask)
		lines = append(lines, "records "+l.Records, "otherwise {")
		ask(l.Otherwise.Ask)
		lines = append(lines, "}", "detail "+l.Detail.Path)
		for _, option := range []struct {
			name  string
			texts []string
		}{{"id", l.ID}, {"name", l.RecordName}, {"company", l.Company}, {"email", l.Email}, {"phones", l.Phones}, {"url", l.URL}} {
			lines = append(lines, option.name+" "+strings.Join(option.texts, " "))
		}
		lines = append(lines, "sample {")
		ask(l.Sample.Ask)
		lines = append(lines, "}", "}")
	}
	return append(lines, "search_url "+d.SearchURL, "create_url "+d.CreateURL)
}

func TestThePresetIsWhatIsTestedHere(t *testing.T) {
	source, ok := presets.Source("espocrm")
	if !ok {
		t.Fatal("there is no preset espocrm")
	}
	var lines []string
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	want := written(espocrm(""))
	for i := range max(len(lines), len(want)) {
		if i >= len(lines) || i >= len(want) || lines[i] != want[i] {
			t.Fatalf("the preset's line %d differs: it has %q, this test %q", i+1, at(lines, i), at(want, i))
		}
	}
}

func at(list []string, i int) string {
	if i >= len(list) {
		return "nothing"
	}
	return list[i]
}

// askEspoCRM asks the replayed CRM with a key.
func askEspoCRM(t *testing.T, d Definition, key, caller string) Result {
	t.Helper()
	rest := compiled(t, d, Options{Settings: map[string]func(string) (string, error){
		"credential.": func(string) (string, error) { return key, nil },
	}})
	return rest.Search(t.Context(), question(t, caller))
}

func TestEspoCRMKnowsOne(t *testing.T) {
	crm := replay(t)
	result := askEspoCRM(t, espocrm(crm.URL), recordedKey, "01 99 00 00 01")
	record := found(t, result)
	if record.Kind != "contact" || record.ID != "6b02d465ccd8602e1" || record.Name != "Rosa Schmidt" || record.Company != "Olsen & Jonas SARL" ||
		record.Email != "" || record.URL != crm.URL+"/#Contact/view/6b02d465ccd8602e1" || !slices.Equal(record.Phones, []string{"+33199000001"}) {
		t.Errorf("record = %+v", record)
	}
	if len(crm.asked()) != 3 { // contact, account, lead; and no detail
		t.Errorf("asked %q", crm.targets())
	}
	for _, request := range crm.asked() {
		if request.header.Get("X-No-Total") != "true" {
			t.Errorf("%s counts", request.target)
		}
	}
}

func TestEspoCRMKnowsSeveral(t *testing.T) {
	crm := replay(t)
	result := askEspoCRM(t, espocrm(crm.URL), recordedKey, "+33123456789")
	var spelled []string
	for _, record := range result.Records {
		spelled = append(spelled, record.Kind+" "+strings.Join(record.Phones, " "))
	}
	want := []string{
		"contact (01) 23-45-67-89", "contact +33123456789", "contact 0123456789", "contact 01.23.45.67.89",
		"contact 0033123456789", "contact +33 1 23 45 67 89", "contact +33123456789", "contact +33123456789",
		"account 0123456789", "account 01.23.45.67.89", "account 0033123456789", "account +33 1 23 45 67 89",
	}
	if !slices.Equal(spelled, want) || result.Err != nil {
		t.Errorf("found %q, err = %v\nwant  %q", spelled, result.Err, want)
	}
}

func TestEspoCRMKnowsNobody(t *testing.T) {
	crm := replay(t)
	result := askEspoCRM(t, espocrm(crm.URL), recordedKey, "+33987654321")
	if len(result.Records) != 0 || result.Err != nil || len(result.Requests) != 6 {
		t.Errorf("result = %+v", result)
	}
}

func TestEspoCRMListsOnlyTheFirstNumberOfAContact(t *testing.T) {
	crm := replay(t)
	result := askEspoCRM(t, espocrm(crm.URL), recordedKey, "+33699000002")
	record := found(t, result)
	if record.Name != "Rosa Schmidt" || record.Company != "Olsen & Jonas SARL" || !slices.Contains(record.Phones, "+33699000002") {
		t.Errorf("record = %+v", record)
	}
	if !slices.Contains(crm.targets(), "/api/v1/Contact/6b02d465ccd8602e1") {
		t.Errorf("asked %q", crm.targets())
	}
}

func TestEspoCRMsOtherRecordedSearches(t *testing.T) {
	for name, test := range map[string]struct {
		caller string
		change func(d *Definition)
		kind   string
		want   []string
	}{
		"leads in four spellings": {"+33612345678", func(d *Definition) {
			d.Lookups = d.Lookups[2:]
			d.Lookups[0].Query = slices.Delete(d.Lookups[0].Query, 4, 5+len(unconverted("lead", 1))) // recorded without idd, and with converted ones
		}, "lead", []string{"06-12-34-56-78", "06.12.34.56.78", "06 12 34 56 78", "+33 6 12 34 56 78"}},
		"the end of a number": {"+33123456789", func(d *Definition) {
			d.Lookups = d.Lookups[:1]
			d.Lookups[0].Search = *d.Lookups[0].Otherwise
			d.Lookups[0].Records = "list"
		}, "contact", []string{"(01) 23-45-67-89", "+33123456789", "0123456789", "01.23.45.67.89", "0033123456789", "+33 1 23 45 67 89", "+33123456789", "+33123456789"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := replay(t)
			d := espocrm(crm.URL)
			test.change(&d)
			result := askEspoCRM(t, d, recordedKey, test.caller)
			var spelled []string
			for _, record := range result.Records {
				spelled = append(spelled, record.Phones...)
				if record.Kind != test.kind {
					t.Errorf("a %s: %+v", record.Kind, record)
				}
			}
			if !slices.Equal(spelled, test.want) || result.Err != nil {
				t.Errorf("found %q, err = %v", spelled, result.Err)
			}
		})
	}
}

// recordedRefusal asks for one contact in a way that was recorded with its refusal.
func recordedRefusal(address, path string, query ...Param) Definition {
	d := espocrm(address)
	d.Lookups = d.Lookups[:1]
	d.Lookups[0].Path, d.Lookups[0].Query = path, query
	d.Lookups[0].Otherwise, d.Lookups[0].Sample = nil, nil
	d.Lookups[0].Headers = []Param{{"X-Caller", "{number.last7}"}} // a request must depend on the caller
	return d
}

func TestEspoCRMsRefusalsSayWhatToMend(t *testing.T) {
	for name, test := range map[string]struct {
		key, path string
		query     []Param
		want      string
	}{
		"wrong key": {
			"wrong", "/Contact",
			[]Param{{"where[0][type]", "in"}, {"where[0][attribute]", "phoneNumberNumeric"}, {"where[0][value][]", "{number.national}"}, listed},
			"401 Unauthorized; the CRM does not accept the credentials",
		},
		"no key": {
			"", "/Contact",
			[]Param{{"where[0][type]", "in"}, {"where[0][attribute]", "phoneNumberNumeric"}, {"where[0][value][]", "{number.national}"}, listed},
			"401 Unauthorized; the CRM does not accept the credentials",
		},
		"unknown attribute": {
			recordedKey, "/Contact",
			[]Param{{"where[0][type]", "equals"}, {"where[0][attribute]", "nofield"}, {"where[0][value]", "1"}, listed},
			"400 Bad Request: Not existing attribute 'nofield' in where.; the CRM does not understand the request: check the lookup",
		},
		"in with one value": {
			recordedKey, "/Contact",
			[]Param{{"where[0][type]", "in"}, {"where[0][attribute]", "phoneNumberNumeric"}, {"where[0][value]", "{number.national}"}, listed},
			"400 Bad Request: Bad where item 'in'.; the CRM does not understand the request: check the lookup",
		},
		"no read access": {
			recordedKey, "/Opportunity", nil,
			"403 Forbidden: No read access.; the credentials are not allowed to read this: give their user the right to",
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := replay(t)
			result := askEspoCRM(t, recordedRefusal(crm.URL, test.path, test.query...), test.key, "0123456789")
			if text, want := failure(t, result), "crm espocrm: lookup contact: "+test.want; text != want {
				t.Errorf("err  = %s\nwant = %s", text, want)
			}
		})
	}
}

func TestTheReplayRefusesWhatWasNotRecorded(t *testing.T) {
	crm := replay(t)
	result := askEspoCRM(t, recordedRefusal(crm.URL, "/Case", Param{"q", "x"}), recordedKey, "0123456789")
	hears(t, failure(t, result), "404 Not Found: not recorded: GET /api/v1/Case x")

	d := espocrm(crm.URL)
	d.Lookups[0].Query[1].Value = "phoneNumber"
	hears(t, failure(t, askEspoCRM(t, d, recordedKey, "0123456789")), "lookup contact: 404 Not Found: not recorded")
}

func TestEspoCRMsPages(t *testing.T) {
	rest := compiled(t, espocrm("https://crm.example.com"), Options{Settings: map[string]func(string) (string, error){"credential.": nil}})
	want := Links{Search: "https://crm.example.com/#Contact", Create: "https://crm.example.com/#Contact/create"}
	if got := rest.Links(question(t, callersNumber)); got != want {
		t.Errorf("links = %s", fmt.Sprint(got))
	}
}
