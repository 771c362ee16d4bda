package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// SuiteCRM as measured on 7.14.6: numbers as they were typed, one condition for
// each field, joined by one operator.
var suiteCRM = product{
	preset:   "suitecrm",
	options:  "client_id the-client\nclient_secret the-secret",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "invalid_client",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/index.php?module=Contacts&action=DetailView&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 3, page: "$CRM/index.php?module=Accounts&action=DetailView&record=$ID", title: "$NAME|$NAME|$EMAIL"},
		{name: "lead", phones: 6, page: "$CRM/index.php?module=Leads&action=DetailView&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:   suiteCRMFound,
	standIn: func(o *office) http.Handler { return suiteCRMStandIn(o, "/Api") },
}

// suiteCRM8 has the same API elsewhere, and other pages.
var suiteCRM8 = product{
	preset:   "suitecrm8",
	options:  suiteCRM.options,
	wrong:    suiteCRM.wrong,
	rejected: suiteCRM.rejected,
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/#/contacts/record/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 3, page: "$CRM/#/accounts/record/$ID", title: "$NAME|$NAME|$EMAIL"},
		{name: "lead", phones: 6, page: "$CRM/#/leads/record/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:   suiteCRMFound,
	standIn: func(o *office) http.Handler { return suiteCRMStandIn(o, "/legacy/Api") },
}

var suiteCRMFound = append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01-23-45-67-89", "+33 1 23 45 67 89 ext. 12", "01 23 45 67 89 / 06 12 34 56 78")

// suiteCRMModules are the modules' beans, and their fields for the numbers of
// a card.
var suiteCRMModules = map[string]struct {
	kind, bean string
	phones     []string
}{
	"Contacts": {"contact", "Contact", suiteCRMPerson},
	"Accounts": {"account", "Account", []string{"phone_office", "phone_alternate", "phone_fax"}},
	"Leads":    {"lead", "Lead", suiteCRMPerson},
}

var suiteCRMPerson = []string{"phone_work", "phone_mobile", "phone_home", "phone_other", "assistant_phone", "phone_fax"}

// suiteCRMStandIn answers as SuiteCRM does, with its API at a path.
func suiteCRMStandIn(o *office, api string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+api+"/access_token", func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		body, _ := io.ReadAll(r.Body)
		if media := r.Header.Get("Content-Type"); media != "application/vnd.api+json" || json.Unmarshal(body, &asked) != nil {
			suiteCRMRefuses(w, http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
			return
		}
		switch {
		case asked["client_id"] != "the-client" || asked["client_secret"] != "the-secret":
			suiteCRMRefuses(w, http.StatusUnauthorized, "invalid_client", "Client authentication failed")
		case asked["grant_type"] == "client_credentials",
			asked["grant_type"] == "password" && asked["username"] == "gateway" && asked["password"] == "the-password":
			reply(w, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": o.login()})
		default:
			suiteCRMRefuses(w, http.StatusBadRequest, "invalid_grant", "The user credentials were incorrect.")
		}
	})
	mux.HandleFunc("GET "+api+"/V8/module/{module}", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !o.admits(token):
			suiteCRMRefuses(w, http.StatusUnauthorized, "access_denied", "The resource owner or authorization server denied the request.")
		case o.is(failing):
			suiteCRMFails(w, http.StatusInternalServerError, "Database failure.")
		default:
			suiteCRMList(w, r, o)
		}
	})
	return mux
}

func suiteCRMRefuses(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": code, "error_description": message, "message": message})
}

func suiteCRMFails(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": map[string]any{"status": status, "title": nil, "detail": detail}})
}

// suiteCRMList answers a search in one module.
func suiteCRMList(w http.ResponseWriter, r *http.Request, o *office) {
	module, ok := suiteCRMModules[r.PathValue("module")]
	if !ok {
		suiteCRMFails(w, http.StatusBadRequest, "Module "+r.PathValue("module")+" does not exist")
		return
	}
	asked, err := suiteCRMAsked(r.URL.Query(), r.PathValue("module"), module.bean, module.phones)
	if err != nil {
		suiteCRMFails(w, http.StatusBadRequest, err.Error())
		return
	}
	cards := o.search(module.kind, asked.matches)
	if len(cards) == 0 {
		reply(w, map[string]any{"meta": map[string]any{"message": "Request was successful, but there is no result"}, "data": []any{}})
		return
	}
	pages := (len(cards) + asked.size - 1) / asked.size
	data := []any{}
	for _, c := range cards[:min(asked.size, len(cards))] {
		attributes := map[string]any{"name": suiteCRMHTML(strings.TrimSpace(c.First + " " + c.Last)), "email1": c.Email, "account_name": suiteCRMHTML(c.Company)}
		if module.bean == "Lead" {
			attributes["converted"] = "0"
			if c.Last == "Converted" {
				attributes["converted"] = "1"
			}
		}
		for i, field := range module.phones {
			attributes[field] = c.phone(i)
		}
		for field := range attributes {
			if !slices.Contains(asked.fields, field) {
				delete(attributes, field)
			}
		}
		data = append(data, map[string]any{"type": module.bean, "id": c.ID, "attributes": attributes, "relationships": map[string]any{}})
	}
	reply(w, map[string]any{"meta": map[string]any{"total-pages": pages, "records-on-this-page": len(data)}, "data": data})
}

// suiteCRMHTML is how the API writes a text: as HTML, but for the ampersand.
func suiteCRMHTML(text string) string {
	return strings.NewReplacer("'", "&#039;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// suiteCRMSearch is what a request asks for.
type suiteCRMSearch struct {
	any    bool
	tests  []func(card) bool
	fields []string
	size   int
}

func (s *suiteCRMSearch) matches(c card) bool {
	if len(s.tests) == 0 {
		return true
	}
	fits := func(test func(card) bool) bool { return test(c) }
	if s.any {
		return slices.ContainsFunc(s.tests, fits)
	}
	return !slices.ContainsFunc(s.tests, func(test func(card) bool) bool { return !test(c) })
}

var suiteCRMParameter = regexp.MustCompile(`^(filter|fields|page)\[(\w+)\](?:\[(\w+)\])?$`)

// suiteCRMAsked reads the parameters of a search, and refuses what the API
// does. Of a parameter that is there twice the last counts.
func suiteCRMAsked(query url.Values, module, bean string, phones []string) (*suiteCRMSearch, error) {
	s := &suiteCRMSearch{size: 20}
	for name, values := range query {
		value := values[len(values)-1]
		part := suiteCRMParameter.FindStringSubmatch(name)
		switch {
		case part == nil:
			return nil, fmt.Errorf("The option %q does not exist.", name) //nolint:revive,staticcheck // as SuiteCRM says it
		case part[1] == "fields" && part[2] == module:
			s.fields = strings.Split(value, ",")
		case name == "page[size]":
			s.size, _ = strconv.Atoi(value)
		case name == "filter[operator]":
			s.any = strings.EqualFold(value, "or")
		case part[1] == "filter":
			test, err := suiteCRMTest(part[2], part[3], value, bean, phones)
			if err != nil {
				return nil, err
			}
			s.tests = append(s.tests, test)
		default:
			return nil, fmt.Errorf("The option %q is invalid.", name) //nolint:revive,staticcheck // as SuiteCRM says it
		}
	}
	if s.size < 1 {
		return nil, errors.New(`The option "page" with value array is invalid.`) //nolint:revive,staticcheck // as SuiteCRM says it
	}
	return s, nil
}

// suiteCRMTest is one condition over one field.
func suiteCRMTest(field, operator, value, bean string, phones []string) (func(card) bool, error) {
	at := slices.Index(phones, field)
	switch {
	case at < 0:
		return nil, fmt.Errorf("Filter field %s in %s module is not found", field, bean) //nolint:revive,staticcheck // as SuiteCRM says it
	case operator == "eq":
		return func(c card) bool { return c.phone(at) == value }, nil
	case operator == "like":
		pattern := sqlLike(value)
		return func(c card) bool { return c.phone(at) != "" && pattern.MatchString(c.phone(at)) }, nil
	default:
		return nil, fmt.Errorf("Filter operator %s is invalid", operator) //nolint:revive,staticcheck // as SuiteCRM says it
	}
}

// sqlLike is a pattern of SQL's LIKE.
func sqlLike(pattern string) *regexp.Regexp {
	quoted := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?is)^" + quoted + "$")
}

func TestSuiteCRM(t *testing.T) { suiteCRM.test(t) }

// Without the second search, the first one has to find what ends with the
// number, in every field.
func TestSuiteCRMsFirstSearch(t *testing.T) {
	for _, p := range []product{suiteCRM, suiteCRM8} {
		p.options += "\notherwise off"
		p.found = append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01-23-45-67-89")
		p.missed = []string{"+33 1 23 45 67 89 ext. 12", "01 23 45 67 89 / 06 12 34 56 78"}
		t.Run(p.preset, p.test)
	}
}

func TestSuiteCRM8(t *testing.T) { suiteCRM8.test(t) }

func TestSuiteCRMTakesThePasswordGrant(t *testing.T) {
	password := `client_id the-client
auth oauth2 {
	grant password
	client_secret the-secret
	username gateway
	password the-password
}`
	for name, p := range map[string]product{"7": suiteCRM, "8": suiteCRM8} {
		t.Run(name, func(t *testing.T) {
			d := p.open(t, password)
			d.expect(t, d.known())
			d.office.expire()
			d.expect(t, d.known())
		})
		t.Run(name+" with a wrong password", func(t *testing.T) {
			d := p.open(t, strings.Replace(password, "the-password", "no-password", 1))
			d.known()
			d.expect(t, unreachablePage)
			if why := d.why(); !strings.Contains(why, "invalid_grant") || strings.Contains(d.log(), "no-password") {
				t.Errorf("the log says %s", why)
			}
		})
	}
}

// Before 7.12.6 SuiteCRM ignores a filter with "or" and returns everybody: the
// caller may be on another page.
func TestSuiteCRMThatReturnsEverybodyKnowsNobody(t *testing.T) {
	d := suiteCRM.open(t, suiteCRM.options)
	var strangers []card
	for i := range 120 {
		strangers = append(strangers, card{ID: fmt.Sprint("s-", i), Last: "Olsen", Phones: []string{fmt.Sprintf("+3398765%04d", i)}})
	}
	d.office.file("contact", strangers...)
	d.expect(t, nonePage)
	d.office.become(careless)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "crm suitecrm: lookup contact: the answer says that it failed") {
		t.Errorf("the log says %s", why)
	}
}

func TestSuiteCRMsNamesAreRead(t *testing.T) {
	for _, p := range []product{suiteCRM, suiteCRM8} {
		t.Run(p.preset, func(t *testing.T) {
			d := p.open(t, p.options)
			d.office.file("contact", card{ID: "1", First: "Siobhán", Last: "O'Brien", Company: `Fish & Sons "Quay"`, Phones: []string{knownCaller}})
			if title := d.ring(knownCaller).field("title"); title != `Siobhán O'Brien|Fish & Sons "Quay"|` {
				t.Errorf("the title is %v", title)
			}
			d.office.file("account", card{ID: "1", Last: "L'Atelier", Phones: []string{knownCaller}})
			if title := d.ring(knownCaller).field("title"); title != "L'Atelier|L'Atelier|" {
				t.Errorf("the title is %v", title)
			}
		})
	}
}

// A converted lead keeps its number, beside the contact that it became.
func TestSuiteCRMLeavesConvertedLeadsOut(t *testing.T) {
	for _, p := range []product{suiteCRM, suiteCRM8} {
		t.Run(p.preset, func(t *testing.T) {
			d := p.open(t, p.options)
			for field := range suiteCRMPerson {
				lead := card{ID: "4711", Last: "Converted", Phones: make([]string, len(suiteCRMPerson))}
				lead.Phones[field] = knownCaller
				d.office.file("lead", lead)
				d.expect(t, nonePage)
				lead.Last = "Open"
				d.office.file("lead", lead)
				d.expect(t, fill(p.kinds[2].page, d.address, lead))
			}
		})
	}
}

func TestSuiteCRMsSamples(t *testing.T) {
	for _, p := range []product{suiteCRM, suiteCRM8} {
		t.Run(p.preset, p.testSample)
		t.Run(p.preset+" of a full page", p.testFullSample)
	}
}

// testFullSample lists as many records as are asked for, which is no failure
// as a full page of a search is.
func (p product) testFullSample(t *testing.T) {
	o := &office{t: t, sessions: map[string]bool{}}
	address := runStandIn(t, o, p.standIn)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	text := fmt.Sprintf("http://127.0.0.1:1 {\n\tscreen_pop {\n\t\torigins %s\n\t\tregion FR\n\t\tcrm %s %s {\n%s\n}\n}\n}\n", agentOrigin, p.preset, address, p.options)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var cards []card
	for i := range 60 {
		cards = append(cards, card{ID: fmt.Sprint(i), Last: "Olsen", Phones: []string{fmt.Sprintf("+3398765%04d", i)}})
	}
	o.file("contact", cards...)
	var out strings.Builder
	status, err := check{out: &out, config: config, adapter: "caddyfile", sample: defaultSample}.run()
	if err != nil || status != exitFound || !strings.Contains(out.String(), "contact: 50 records") {
		t.Errorf("status %d, %v\n%s", status, err, out.String())
	}
}

func TestSuiteCRMsPages(t *testing.T) {
	for _, test := range []struct {
		product
		create, search string
	}{
		{
			suiteCRM, "/index.php?module=Contacts&action=EditView&phone_work=%2B33123456789",
			"/index.php?module=Contacts&action=index&query=true&searchFormTab=advanced_search&phone_advanced=%251%252%253%254%255%256%257%258%259",
		},
		{suiteCRM8, "/#/contacts/create?phone_work=%2B33123456789", "/#/home/search?query_string=0123456789"},
	} {
		t.Run(test.preset, func(t *testing.T) {
			d := test.open(t, test.options)
			d.showsPages(t, test.create, test.search)
		})
	}
}

// showsPages checks the CRM's pages for new and for ambiguous callers.
func (d *desk) showsPages(t *testing.T, create, search string) {
	t.Helper()
	err := d.load(indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 20s
	cache off
	crm ` + d.preset + " " + d.address + d.path + ` {
		` + strings.ReplaceAll(strings.ReplaceAll(d.options, "$CRM", d.address), "\n", "\n\t\t") + `
	}
	on many popup {crm.search_url}
	on none popup {crm.create_url}
}`))
	if err != nil {
		t.Fatal(err)
	}
	d.settle()
	d.office.file(d.kinds[0].name)
	d.expect(t, d.address+create)
	one, two := card{ID: "1", Last: "One", Phones: []string{d.found[0]}}, card{ID: "2", Last: "Two", Phones: []string{d.found[0]}}
	d.office.file(d.kinds[0].name, one, two)
	d.expect(t, d.address+search)
}
