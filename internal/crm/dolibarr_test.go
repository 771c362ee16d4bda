package crm

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"testing"
)

// dolibarrRecording has the exchanges with a running Dolibarr 16.0.3.
func dolibarrRecording(t testing.TB) map[string]recordedExchange {
	t.Helper()
	text, err := os.ReadFile("testdata/dolibarr-16.0.3.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exchanges []recordedExchange `json:"exchanges"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	named := map[string]recordedExchange{}
	for _, exchange := range file.Exchanges {
		named[exchange.Name] = exchange
	}
	return named
}

// askDolibarr asks as one exchange was recorded. The request must be the
// recorded one to the byte; it is answered with the recorded bytes.
func askDolibarr(t *testing.T, name, caller string, l Lookup) Result {
	t.Helper()
	exchange, ok := dolibarrRecording(t)[name]
	if !ok {
		t.Fatalf("there is no recorded exchange %q", name)
	}
	crm := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for header, value := range exchange.Response.Headers {
			w.Header().Set(header, value)
		}
		w.WriteHeader(exchange.Response.Status)
		_, _ = w.Write([]byte(exchange.Response.Body))
	})
	d := Definition{
		Name:    "dolibarr",
		URL:     crm.URL,
		Dialect: "sql",
		Miss:    &Condition{Expression: `status == 404 && body.error.message.endsWith("s not found")`},
		Lookups: []Lookup{l},
	}
	if key := exchange.Request.Headers["DOLAPIKEY"]; key != "" {
		d.Auth = &Auth{Header: &Param{"DOLAPIKEY", key}}
	}
	result := compiled(t, d, Options{}).Search(t.Context(), question(t, caller))
	if got := crm.only(t); got.method != exchange.Request.Method || got.target != exchange.Request.Target || got.header.Get("DOLAPIKEY") != exchange.Request.Headers["DOLAPIKEY"] {
		t.Errorf("asked %s %s, recorded %s %s", got.method, got.target, exchange.Request.Method, exchange.Request.Target)
	}
	return result
}

// dolibarrContacts is the preset's lookup, asking in a way of its own.
func dolibarrContacts(query ...Param) Lookup {
	return Lookup{
		Kind:       "contact",
		Search:     Search{Ask: Ask{Path: "/api/index.php/contacts", Query: query, Headers: []Param{{"X-Caller", "{number.last7}"}}}},
		RecordName: []string{"{record.firstname} {record.lastname}"},
		Company:    []string{"{record.socname}"},
		Email:      []string{"{record.email}"},
		Phones:     []string{"{record.phone_pro}", "{record.phone_mobile}", "{record.phone_perso}", "{record.fax}"},
		URL:        []string{"{crm.url}/contact/card.php?id={record.id}"},
	}
}

func TestDolibarrIsAskedAndReadAsRecorded(t *testing.T) {
	spellings := dolibarrContacts(Param{"sqlfilters", "{filter}"}, Param{"limit", "5"})
	spellings.Filter = &Filter{"(t.phone:=:'{number}')", " or "}
	spellings.Spellings = []string{"e164", "national"}
	thirdParties := dolibarrContacts(Param{"sqlfilters", "(t.phone:like:'{number.like}')"}, Param{"limit", "2"})
	thirdParties.Path, thirdParties.RecordName, thirdParties.Phones = "/api/index.php/thirdparties", nil, []string{"{record.phone}"}

	for name, test := range map[string]struct {
		caller string
		lookup Lookup
		want   []string
	}{
		"contacts: like with wildcards between the digits": {
			"0123456789",
			dolibarrContacts(Param{"sqlfilters", "(t.phone:like:'{number.like}')"}, Param{"limit", "3"}),
			[]string{"Anna Dubois, Dubois SARL", "Bruno Klein, Klein SARL", "Carla Roux, Roux SARL"},
		},
		"contacts: one, by mobile": {
			"+33610000003",
			dolibarrContacts(Param{"sqlfilters", "(t.phone_mobile:like:'{number.like}')"}, Param{"limit", "3"}),
			[]string{"David Yilmaz, Yilmaz SARL"},
		},
		"contacts: or of spellings": {"0123456789", spellings, []string{"David Yilmaz, Yilmaz SARL", "Elena Faure, Faure SARL"}},
		"no contact":                {"0987654321", dolibarrContacts(Param{"sqlfilters", "(t.phone:like:'{number.like}')"}, Param{"limit", "3"}), nil},
		"third parties":             {"0123456789", thirdParties, []string{"Dubois SARL, ", "Klein SARL, "}},
	} {
		t.Run(name, func(t *testing.T) {
			result := askDolibarr(t, name, test.caller, test.lookup)
			var got []string
			for _, record := range result.Records {
				got = append(got, record.Name+", "+record.Company)
			}
			if !slices.Equal(got, test.want) || result.Err != nil {
				t.Errorf("found %q, err = %v", got, result.Err)
			}
		})
	}
}

func TestDolibarrsRefusalsSayWhatToMend(t *testing.T) {
	for name, test := range map[string]struct {
		query Param
		want  string
	}{
		"unknown column": {
			Param{"sqlfilters", "(t.phone_pro:=:'1')"},
			"503 Service Unavailable: Service Unavailable: Error when retrieve contacts : SELECT t.rowid FROM llx_socpeople",
		},
		"wrong key": {Param{"limit", "1"}, "401 Unauthorized: Unauthorized; the CRM does not accept the credentials"},
		"no key":    {Param{"limit", "1"}, "401 Unauthorized: Unauthorized: Failed to login to API. No parameter 'HTTP_DOLAPIKEY' on HTTP header"},
	} {
		t.Run(name, func(t *testing.T) {
			hears(t, failure(t, askDolibarr(t, name, "0123456789", dolibarrContacts(test.query))), "crm dolibarr: lookup contact: "+test.want)
		})
	}
}
