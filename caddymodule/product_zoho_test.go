package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Zoho CRM as its documentation and specification have it: 204 for nothing,
// tokens that are refused with a 200, brackets with two conditions at most.
var zoho = product{
	preset:   "zoho",
	path:     "/crm/org20071",
	options:  "client_id the-app\nclient_secret the-secret\nrefresh_token the-refresh-token\naccounts $CRM",
	wrong:    [2]string{"the-refresh-token", "another-token"},
	rejected: "invalid_code",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/crm/org20071/tab/Contacts/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/crm/org20071/tab/Accounts/$ID", title: "$COMPANY|$COMPANY|"},
		{name: "lead", phones: 3, page: "$CRM/crm/org20071/tab/Leads/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:   append([]string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12"}, measured...),
	standIn: zohoStandIn,
}

var zohoModules = map[string]struct {
	kind   string
	names  map[string]string
	phones []string
}{
	"Contacts": {
		"contact",
		map[string]string{"id": "id", "Full_Name": "name", "Email": "email", "Account_Name.Account_Name": "company"},
		[]string{"Phone", "Mobile", "Home_Phone", "Other_Phone", "Asst_Phone", "Fax"},
	},
	"Accounts": {"account", map[string]string{"id": "id", "Account_Name": "company"}, []string{"Phone", "Fax"}},
	"Leads":    {"lead", map[string]string{"id": "id", "Full_Name": "name", "Email": "email", "Company": "company"}, []string{"Phone", "Mobile", "Fax"}},
}

// zohoNarrow is the mood in which tokens lack a scope.
const zohoNarrow = failing + 1

func zohoStandIn(o *office) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/v2/token", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PostFormValue("grant_type") != "refresh_token":
			reply(w, map[string]any{"error": "unsupported_grant_type"})
		case r.PostFormValue("client_id") != "the-app" || r.PostFormValue("client_secret") != "the-secret":
			reply(w, map[string]any{"error": "invalid_client"})
		case r.PostFormValue("refresh_token") != "the-refresh-token":
			reply(w, map[string]any{"error": "invalid_code"})
		default:
			reply(w, map[string]any{"access_token": o.login(), "api_domain": "http://" + r.Host + "/apis", "token_type": "Bearer", "expires_in": 3600})
		}
	})
	mux.HandleFunc("POST /apis/crm/v8/coql", func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ")
		switch {
		case !ok || !o.admits(token):
			zohoError(w, http.StatusUnauthorized, "INVALID_TOKEN", "invalid oauth token")
			return
		case o.is(zohoNarrow):
			zohoError(w, http.StatusUnauthorized, "OAUTH_SCOPE_MISMATCH", "Unauthorized")
			return
		case o.is(failing):
			zohoError(w, http.StatusInternalServerError, "INTERNAL_ERROR", "Internal Server Error")
			return
		}
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body) != 1 {
			zohoError(w, http.StatusBadRequest, "INVALID_DATA", "invalid data")
			return
		}
		records, err := zohoRecords(o, body["select_query"])
		switch {
		case err != nil:
			zohoError(w, http.StatusBadRequest, "SYNTAX_ERROR", err.Error())
		case len(records) == 0:
			w.WriteHeader(http.StatusNoContent)
		default:
			reply(w, map[string]any{"data": records, "info": map[string]any{"count": len(records), "more_records": false}})
		}
	})
	return mux
}

func zohoError(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"code": code, "details": map[string]any{}, "message": message, "status": "error"})
}

var coqlQuery = regexp.MustCompile(`^select ([\w., ]+) from (\w+) where (.+) limit (\d+)$`)

func zohoRecords(o *office, query string) ([]any, error) {
	read := coqlQuery.FindStringSubmatch(query)
	if read == nil {
		return nil, fmt.Errorf("error parsing the query %s", query)
	}
	module, there := zohoModules[read[2]]
	if most, err := strconv.Atoi(read[4]); !there || err != nil || most < 1 || most > 2000 {
		return nil, fmt.Errorf("the module or limit of %s", query)
	}
	known := module.phones
	for name := range module.names {
		known = append(known, name)
	}
	test, err := coqlConditions.parse(read[3], known)
	if err != nil {
		return nil, err
	}
	var records []any
	for _, c := range o.search(module.kind, func(c card) bool { return test(saasFields(c, module.names, module.phones)) }) {
		record, err := saasSelect(saasFields(c, module.names, module.phones), strings.Split(read[1], ","))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func TestZoho(t *testing.T) { zoho.test(t) }

func TestZohoFindsByItsFirstSearch(t *testing.T) {
	zoho.testFirst(t, saasSpellings, []string{"(01) 23-45-67-89", "+33 (0)1 23 45 67 89"})
}

func TestZohoListsSomeRecords(t *testing.T) { zoho.testSample(t) }

// A user of one data centre whose tokens are asked for in another is told so by
// Zoho with invalid_client.
func TestZohoSaysThatTheClientIsWrong(t *testing.T) {
	d := zoho.open(t, strings.Replace(zoho.options, "the-app", "an-app", 1))
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "invalid_client") {
		t.Errorf("the log says %s", why)
	}
}

// Zoho gives ten tokens in ten minutes: those that it refuses must not use them
// up.
func TestZohoRefusesTokensWithoutTheScope(t *testing.T) {
	d := zoho.open(t, zoho.options)
	d.known()
	d.office.become(zohoNarrow)
	for range 12 {
		d.expect(t, unreachablePage)
	}
	if logins := d.office.countLogins(); logins > 9 {
		t.Errorf("%d tokens were asked for", logins)
	}
	if log := d.log(); !strings.Contains(log, "the token or session that it has just given") {
		t.Errorf("the log says %s", d.why())
	}
}
