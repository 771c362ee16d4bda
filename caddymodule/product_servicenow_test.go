package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ServiceNow as the documentation of its Table API tells.
var serviceNow = product{
	preset:   "servicenow",
	options:  "user gateway\npassword the-password",
	wrong:    [2]string{"the-password", "another-password"},
	rejected: "401 Unauthorized: User Not Authenticated",
	kinds: []kind{
		{name: "user", phones: 3, page: "$CRM/nav_to.do?uri=sys_user.do%3Fsys_id%3D$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "company", phones: 1, page: "$CRM/nav_to.do?uri=core_company.do%3Fsys_id%3D$ID", title: "$COMPANY|$COMPANY|"},
	},
	found:  append([]string{"+33123456789 ext. 12", "+33(0)123456789"}, measured...),
	missed: []string{"+33 (0)1 23 45 67 89", "0123 45 67 89"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				switch {
				case !o.admits(token) && (user != "gateway" || password != "the-password"):
					serviceNowError(w, http.StatusUnauthorized, "User Not Authenticated")
				case o.is(failing):
					reply(w, map[string]any{
						"result": []any{}, "error": map[string]any{"message": "Transaction cancelled: maximum execution time exceeded", "detail": "..."}, "status": "failure",
					})
				case !hostedKnows(r, "sysparm_query", "sysparm_fields", "sysparm_display_value", "sysparm_exclude_reference_link", "sysparm_suppress_pagination_header", "sysparm_limit"):
					o.t.Errorf("ServiceNow would ignore a parameter of %s", r.URL.RawQuery)
				default:
					serve(w, r)
				}
			}
		}
		for table, kind := range map[string]string{"sys_user": "user", "core_company": "company"} {
			mux.HandleFunc("GET /api/now/table/"+table, guarded(func(w http.ResponseWriter, r *http.Request) {
				result := []any{}
				for _, c := range o.search(kind, func(c card) bool { return serviceNowMatches(o, r.FormValue("sysparm_query"), serviceNowRow(kind, c)) }) {
					result = append(result, serviceNowSelected(r, serviceNowRow(kind, c)))
				}
				reply(w, map[string]any{"result": result})
			}))
		}
		mux.HandleFunc("GET /api/now/table/incident", guarded(func(w http.ResponseWriter, r *http.Request) {
			result := []any{}
			for _, row := range []map[string]string{
				{"sys_id": "i2", "number": "INC0000002", "short_description": "No dial tone", "caller_id": "4711", "active": "true"},
				{"sys_id": "i1", "number": "INC0000001", "short_description": "A second line", "caller_id": "4711", "active": "true"},
				{"sys_id": "i0", "number": "INC0000000", "short_description": "Done", "caller_id": "4711", "active": "false"},
			} {
				if serviceNowMatches(o, r.FormValue("sysparm_query"), row) {
					result = append(result, serviceNowSelected(r, row))
				}
			}
			reply(w, map[string]any{"result": result})
		}))
		mux.HandleFunc("POST /oauth_token.do", func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != "gateway" || r.PostFormValue("client_secret") != "the-secret" {
				hostedReply(w, http.StatusUnauthorized, map[string]any{"error": "access_denied", "error_description": "access_denied"})
				return
			}
			reply(w, map[string]any{"access_token": o.login(), "scope": "", "token_type": "Bearer", "expires_in": 1799})
		})
		return mux
	},
}

func serviceNowError(w http.ResponseWriter, status int, message string) {
	hostedReply(w, status, map[string]any{"error": map[string]any{"message": message, "detail": "Required to provide Auth information"}, "status": "failure"})
}

// serviceNowRow is a card as its table has it.
func serviceNowRow(kind string, c card) map[string]string {
	if kind == "company" {
		return map[string]string{"sys_id": c.ID, "sys_class_name": "core_company", "name": c.Company, "phone": c.phone(0)}
	}
	return map[string]string{
		"sys_id": c.ID, "sys_class_name": "customer_contact", "name": c.First + " " + c.Last, "email": c.Email, "company": c.Company, "active": "true",
		"phone": c.phone(0), "mobile_phone": c.phone(1), "home_phone": c.phone(2),
	}
}

// serviceNowSelected is what the request asks of a row, in the form it asks for.
func serviceNowSelected(r *http.Request, row map[string]string) map[string]any {
	selected := map[string]any{}
	for name := range strings.SplitSeq(r.FormValue("sysparm_fields"), ",") {
		value, ok := row[name]
		switch {
		case !ok:
		case r.FormValue("sysparm_display_value") != "all":
			selected[name] = value
		case name == "company":
			selected[name] = map[string]any{"display_value": value, "value": "31bea3d53790200044e0bfc8bcbe5dec"}
		case name == "sys_class_name":
			selected[name] = map[string]any{"display_value": "Contact", "value": value}
		default:
			selected[name] = map[string]any{"display_value": value, "value": value}
		}
	}
	return selected
}

// serviceNowMatches evaluates an encoded query: conditions between ^ must all
// hold, of those that are joined by ^OR one.
func serviceNowMatches(o *office, query string, row map[string]string) bool {
	if query == "" {
		o.t.Error("ServiceNow would return the whole table")
	}
	all, one := true, false
	for i, condition := range strings.Split(query, "^") {
		if strings.HasPrefix(condition, "ORDERBY") {
			continue
		}
		alternative, isAlternative := strings.CutPrefix(condition, "OR")
		if i > 0 && !isAlternative {
			all, one = all && one, false
		}
		one = one || serviceNowHolds(o, alternative, row)
	}
	return all && one
}

func serviceNowHolds(o *office, condition string, row map[string]string) bool {
	end := strings.IndexFunc(condition, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	value, ok := "", false
	if end > 0 {
		value, ok = row[condition[:end]]
	}
	if !ok {
		o.t.Errorf("ServiceNow would ignore the condition %q", condition)
		return true
	}
	switch operation := condition[end:]; {
	case strings.HasPrefix(operation, "="):
		return value == operation[1:]
	case strings.HasPrefix(operation, "ISNOTEMPTY"):
		return value != ""
	case strings.HasPrefix(operation, "IN"):
		return value != "" && slices.Contains(strings.Split(operation[2:], ","), value)
	case strings.HasPrefix(operation, "LIKE"):
		return strings.Contains(value, operation[4:])
	default:
		o.t.Errorf("ServiceNow knows no operator in %q", condition)
		return true
	}
}

// serviceNowByOAuth is what the page writes for instances without passwords.
func serviceNowByOAuth() product {
	p := serviceNow
	p.options = `auth oauth2 {crm.url}/oauth_token.do {
	client_id gateway
	client_secret the-secret
}`
	p.wrong = [2]string{"the-secret", "another-secret"}
	p.rejected = "access_denied"
	p.sessions = true
	return p
}

func TestServiceNow(t *testing.T) { serviceNow.test(t) }

func TestServiceNowFindsByItsFirstSearch(t *testing.T) {
	serviceNow.testFirst(t, append([]string{"01-23-45-67-89"}, measured...), []string{"+33123456789 ext. 12", "+33(0)123456789"})
}

func TestServiceNowByOAuth(t *testing.T) { serviceNowByOAuth().test(t) }

func TestServiceNowListsSomeRecords(t *testing.T) { serviceNow.testSample(t) }

func TestServiceNowTellsActiveIncidents(t *testing.T) {
	d := serviceNow.open(t, serviceNow.options)
	d.fileCaller("4711")
	d.retitle(t, "{contact.kind}|{contact.incidents}|{contact.incident}|{contact.incident_subject}|{contact.incident_url}")
	if title, want := d.title(), "customer_contact|2|INC0000002|No dial tone|"+d.address+"/nav_to.do?uri=incident.do%3Fsys_id%3Di2"; title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	d.fileCaller("4712")
	if title, want := d.title(), "customer_contact|0|||"+d.address+"/nav_to.do?uri=sys_user.do%3Fsys_id%3D4712"; title != want {
		t.Errorf("without incidents the title is %q, want %q", title, want)
	}
}

func TestServiceNowLinks(t *testing.T) {
	serviceNow.testLinksOfHosted(t,
		"/nav_to.do?uri=sys_user_list.do%3Fsysparm_query%3DphoneENDSWITH23456789%5EORmobile_phoneENDSWITH23456789",
		"/nav_to.do?uri=sys_user.do%3Fsys_id%3D-1%26sysparm_query%3Dphone%3D%252B33123456789")
}

// What stands in a record can't change the query for its incidents.
func TestServiceNowRecordsCannotChangeAQuery(t *testing.T) {
	d := serviceNow.open(t, serviceNow.options)
	d.fileCaller("4711^ORactive=true")
	d.expect(t, d.address+"/nav_to.do?uri=sys_user.do%3Fsys_id%3D4711%5EORactive%3Dtrue")
	if asked := strings.Join(d.office.takeRequests(), "\n"); strings.Contains(asked, "incident") {
		t.Errorf("ServiceNow was asked: %s", asked)
	}
}
