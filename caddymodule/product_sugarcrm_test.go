package caddymodule

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// SugarCRM as its developer guide describes the REST API v11: numbers as they
// were typed, filters in JSON, one session for each user and platform.
var sugarCRM = product{
	preset:   "sugarcrm",
	options:  "username gateway\npassword the-password",
	wrong:    [2]string{"the-password", "another-password"},
	rejected: "need_login",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/#Contacts/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 3, page: "$CRM/#Accounts/$ID", title: "$NAME|$NAME|$EMAIL"},
		{name: "lead", phones: 6, page: "$CRM/#Leads/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:   append(slices.Clone(measured), "01-23-45-67-89", "33123456789", "+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12", "01 23 45 67 89 / 06 12 34 56 78"),
	standIn: sugarCRMStandIn,
}

var sugarCRMModules = map[string]struct {
	kind   string
	phones []string
}{
	"Contacts": {"contact", suiteCRMPerson},
	"Accounts": {"account", []string{"phone_office", "phone_alternate", "phone_fax"}},
	"Leads":    {"lead", suiteCRMPerson},
}

func sugarCRMStandIn(o *office) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rest/v11/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&asked) != nil {
			sugarCRMFails(w, http.StatusUnprocessableEntity, "missing_parameter", "Required parameter missing.")
			return
		}
		secret, given := asked["client_secret"]
		switch {
		case asked["grant_type"] != "password" || asked["client_id"] != "sugar" || !given || secret != "":
			sugarCRMFails(w, http.StatusBadRequest, "invalid_client", "The client credentials are invalid")
		case asked["platform"] != "base" && asked["platform"] != "screenpop":
			sugarCRMFails(w, http.StatusUnprocessableEntity, "invalid_parameter", "Unknown platform")
		case asked["username"] != "gateway" || asked["password"] != "the-password":
			sugarCRMFails(w, http.StatusUnauthorized, "need_login", "You must specify a valid username and password.")
		default:
			o.expire() // the session on the same platform
			reply(w, map[string]any{
				"access_token": o.login(), "expires_in": 3600, "token_type": "bearer", "scope": nil,
				"refresh_token": "the-refresh-token", "refresh_expires_in": 1209600, "download_token": "the-download-token",
			})
		}
	})
	mux.HandleFunc("POST /rest/v11/{module}/filter", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !o.admits(r.Header.Get("OAuth-Token")):
			sugarCRMFails(w, http.StatusUnauthorized, "invalid_grant", "The access token provided is invalid.")
		case o.is(failing):
			sugarCRMFails(w, http.StatusInternalServerError, "fatal_error", "An internal error has occurred.")
		default:
			sugarCRMList(w, r, o)
		}
	})
	return mux
}

func sugarCRMFails(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": code, "error_message": message})
}

// sugarCRMFilter is what a search asks for: conditions by field and operator.
type sugarCRMFilter struct {
	Filter []struct {
		Or []map[string]map[string]any `json:"$or"`
	} `json:"filter"`
	Limit  int    `json:"max_num"`
	Fields string `json:"fields"`
}

func sugarCRMList(w http.ResponseWriter, r *http.Request, o *office) {
	module, ok := sugarCRMModules[r.PathValue("module")]
	if !ok {
		sugarCRMFails(w, http.StatusNotFound, "not_found", "Could not find your requested resource")
		return
	}
	var asked sugarCRMFilter
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if body.Decode(&asked) != nil || asked.Limit < 1 {
		sugarCRMFails(w, http.StatusUnprocessableEntity, "invalid_parameter", "Unexpected filter type.")
		return
	}
	refusal := ""
	matches := func(c card) bool {
		for _, part := range asked.Filter {
			if !slices.ContainsFunc(part.Or, func(condition map[string]map[string]any) bool {
				fits, problem := sugarCRMFits(c, module.phones, condition)
				refusal += problem
				return fits
			}) {
				return false
			}
		}
		return true
	}
	matches(card{}) // to find what is wrong when there are no records
	cards := o.search(module.kind, matches)
	if refusal != "" {
		sugarCRMFails(w, http.StatusUnprocessableEntity, "invalid_parameter", refusal)
		return
	}
	next := -1
	if len(cards) > asked.Limit {
		cards, next = cards[:asked.Limit], asked.Limit
	}
	records := []any{}
	for _, c := range cards {
		records = append(records, sugarCRMRecord(c, module.phones, strings.Split(asked.Fields, ",")))
	}
	reply(w, map[string]any{"next_offset": next, "records": records})
}

// sugarCRMFits applies one condition; or says why the product would not.
func sugarCRMFits(c card, phones []string, condition map[string]map[string]any) (fits bool, problem string) {
	for field, test := range condition {
		at := slices.Index(phones, field)
		if at < 0 {
			return false, "Unknown field: " + field
		}
		for operator, value := range test {
			list, isList := value.([]any)
			text, isText := value.(string)
			switch {
			case operator == "$in" && isList && !slices.Contains(list, ""): // a blank one finds those without a number
				return c.phone(at) != "" && slices.Contains(list, any(c.phone(at))), ""
			case operator == "$contains" && isText && text != "":
				return c.phone(at) != "" && sqlLike("%"+text+"%").MatchString(c.phone(at)), ""
			}
			return false, "Did not recognize the operand: " + operator
		}
	}
	return false, "Empty condition"
}

// sugarCRMRecord is a record with the fields that were asked for, and those
// that there always are.
func sugarCRMRecord(c card, phones, fields []string) map[string]any {
	record := map[string]any{
		"name": strings.TrimSpace(c.First + " " + c.Last), "account_name": c.Company, "email1": c.Email,
		"email": []any{map[string]any{"email_address": c.Email, "primary_address": true}},
	}
	record["converted"] = c.Last == "Converted"
	for i, field := range phones {
		record[field] = c.phone(i)
	}
	for field := range record {
		if !slices.Contains(fields, field) {
			delete(record, field)
		}
	}
	record["id"], record["date_modified"], record["_acl"] = c.ID, "2026-11-22T12:00:00+00:00", map[string]any{"fields": map[string]any{}}
	return record
}

func TestSugarCRM(t *testing.T) { sugarCRM.test(t) }

// A converted lead keeps its number, beside the contact that it became.
func TestSugarCRMLeavesConvertedLeadsOut(t *testing.T) {
	d := sugarCRM.open(t, sugarCRM.options)
	for _, spelling := range []string{"+33123456789", "+33 (0)1 23 45 67 89"} {
		d.office.file("lead", card{ID: "4711", Last: "Converted", Phones: []string{spelling}})
		d.expect(t, nonePage)
		d.office.file("lead", card{ID: "4711", Last: "Open", Phones: []string{spelling}})
		d.expect(t, d.address+"/#Leads/4711")
	}
}

// Without the second search, the first one has to find the eight spellings in
// every field.
func TestSugarCRMsFirstSearch(t *testing.T) {
	p := sugarCRM
	p.options += "\notherwise off"
	p.found = []string{"+33123456789", "33123456789", "0033123456789", "0123456789", "+33 1 23 45 67 89", "01 23 45 67 89", "01.23.45.67.89", "01-23-45-67-89"}
	p.missed = []string{"(01) 23-45-67-89", "+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12"}
	p.test(t)
}

func TestSugarCRMWithAnOAuthKeyOfItsOwn(t *testing.T) {
	p := sugarCRM
	p.standIn = func(o *office) http.Handler {
		handler := sugarCRMStandIn(o)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/rest/v11/oauth2/token" {
				body, _ := io.ReadAll(r.Body)
				known := bytes.NewReader(bytes.ReplaceAll(body, []byte(`"client_id":"the-key","client_secret":"the-secret"`), []byte(`"client_id":"sugar","client_secret":""`)))
				r.Body = io.NopCloser(known)
			}
			handler.ServeHTTP(w, r)
		})
	}
	d := p.open(t, p.options+"\nclient_id the-key\nauth oauth2 {\n\tparam client_secret the-secret\n}")
	d.expect(t, d.known())
}

func TestSugarCRMOnAPlatformOfItsOwn(t *testing.T) {
	d := sugarCRM.open(t, sugarCRM.options+"\nplatform screenpop")
	d.expect(t, d.known())

	d = sugarCRM.open(t, sugarCRM.options+"\nplatform unregistered")
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "422 Unprocessable Entity: invalid_parameter: Unknown platform") {
		t.Errorf("the log says %s", why)
	}
}

// A page full of strangers is not all that matches: the caller may be on the
// next one.
func TestSugarCRMWithMoreStrangersThanAPageKnowsNobody(t *testing.T) {
	d := sugarCRM.open(t, sugarCRM.options)
	var strangers []card
	for i := range 51 {
		strangers = append(strangers, card{ID: string(rune('A'+i/26)) + string(rune('A'+i%26)), Phones: []string{"1 2 3 4 5 6 7 8 9 0 0 0 0"}})
	}
	d.office.file("contact", strangers...)
	d.expect(t, unreachablePage)
	d.office.file("contact", strangers[:50]...)
	d.expect(t, nonePage)
}

func TestSugarCRMsSamples(t *testing.T) { sugarCRM.testSample(t) }

func TestSugarCRMsPages(t *testing.T) {
	sugarCRM.open(t, sugarCRM.options).showsPages(t, "/#Contacts/create", "/#search/123456789")
}

// Sugar's email1 may be missing: addresses are also a list.
func TestSugarCRMsPrimaryAddress(t *testing.T) {
	p := sugarCRM
	p.standIn = func(o *office) http.Handler {
		handler := sugarCRMStandIn(o)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(&sugarCRMWithout{ResponseWriter: w}, r)
		})
	}
	d := p.open(t, p.options)
	d.known()
	if title := d.ring(knownCaller).field("title"); title != "Rosa Marin|Quai Nord|rosa@example.org" {
		t.Errorf("the title is %v", title)
	}
}

// sugarCRMWithout writes answers without email1.
type sugarCRMWithout struct{ http.ResponseWriter }

func (w *sugarCRMWithout) Write(answer []byte) (int, error) {
	_, err := w.ResponseWriter.Write(bytes.ReplaceAll(answer, []byte(`"email1":`), []byte(`"other":`)))
	return len(answer), err
}
