package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Dynamics 365 as Microsoft's documentation of the Web API has it.
var dynamics = product{
	preset:   "dynamics",
	options:  "client_id the-app\nclient_secret the-secret\ntenant contoso\nlogin $CRM/login",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "invalid_client",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 9, page: "$CRM/main.aspx?pagetype=entityrecord&etn=contact&id=%7B$ID%7D", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 4, page: "$CRM/main.aspx?pagetype=entityrecord&etn=account&id=%7B$ID%7D", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 5, page: "$CRM/main.aspx?pagetype=entityrecord&etn=lead&id=%7B$ID%7D", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:   append([]string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12"}, measured...),
	standIn: dynamicsStandIn,
}

var dynamicsTables = map[string]struct {
	kind   string
	names  map[string]string
	phones []string
}{
	"contacts": {
		"contact",
		map[string]string{"contactid": "id", "fullname": "name", "emailaddress1": "email", "_parentcustomerid_value": "company"},
		[]string{"telephone1", "telephone2", "telephone3", "mobilephone", "business2", "home2", "callback", "assistantphone", "fax"},
	},
	"accounts": {
		"account",
		map[string]string{"accountid": "id", "name": "company", "emailaddress1": "email"},
		[]string{"telephone1", "telephone2", "telephone3", "fax"},
	},
	"leads": {
		"lead",
		map[string]string{"leadid": "id", "fullname": "name", "companyname": "company", "emailaddress1": "email"},
		[]string{"telephone1", "telephone2", "telephone3", "mobilephone", "fax"},
	},
}

const formattedValue = "@OData.Community.Display.V1.FormattedValue"

func dynamicsStandIn(o *office) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/contoso/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != "http://"+r.Host+"/.default":
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]any{"error": "invalid_scope", "error_description": "AADSTS1002012: The provided value for scope is not valid."})
		case r.PostFormValue("client_id") != "the-app" || r.PostFormValue("client_secret") != "the-secret":
			w.WriteHeader(http.StatusUnauthorized)
			reply(w, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.", "error_codes": []int{7000215}})
		default:
			reply(w, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": o.login()})
		}
	})
	mux.HandleFunc("GET /api/data/v9.2/{table}", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case !o.admits(token):
			w.WriteHeader(http.StatusUnauthorized)
			return
		case o.is(failing):
			dynamicsError(w, http.StatusTooManyRequests, "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")
			return
		case r.Header.Get("OData-Version") != "4.0" || r.Header.Get("OData-MaxVersion") != "4.0":
			dynamicsError(w, http.StatusBadRequest, "0x80060888", "Request with this OData version is not supported.")
			return
		}
		rows, err := dynamicsRows(o, r)
		if err != nil {
			dynamicsError(w, http.StatusBadRequest, "0x80060888", err.Error())
			return
		}
		reply(w, map[string]any{"@odata.context": "http://" + r.Host + "/api/data/v9.2/$metadata#" + r.PathValue("table"), "value": rows})
	})
	return mux
}

func dynamicsError(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func dynamicsRows(o *office, r *http.Request) ([]any, error) {
	table, there := dynamicsTables[r.PathValue("table")]
	if !there {
		return nil, fmt.Errorf("Resource not found for the segment '%s'", r.PathValue("table")) //nolint:staticcheck // Microsoft's words
	}
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"$select", "$filter", "$top"}, name) {
			return nil, fmt.Errorf("The query parameter %s is not supported", name) //nolint:staticcheck // Microsoft's words
		}
	}
	if most, err := strconv.Atoi(query.Get("$top")); err != nil || most < 1 {
		return nil, fmt.Errorf("invalid $top %s", query.Get("$top"))
	}
	known := append([]string{"statecode"}, table.phones...)
	for name := range table.names {
		known = append(known, name)
	}
	test, err := odataConditions.parse(query.Get("$filter"), known)
	if err != nil {
		return nil, err
	}
	read := func(c card) map[string]string {
		fields := saasFields(c, table.names, table.phones)
		fields["statecode"] = "0"
		if c.Last == "Former" {
			fields["statecode"] = "1"
		}
		return fields
	}
	key := table.kind + "id"
	rows := []any{}
	for _, c := range o.search(table.kind, func(c card) bool { return test(read(c)) }) {
		row, err := saasSelect(read(c), strings.Split(query.Get("$select"), ","))
		if err != nil {
			return nil, err
		}
		row["@odata.etag"], row[key] = `W/"81359849"`, c.ID
		if company, ok := row["_parentcustomerid_value"]; ok && company != nil {
			row["_parentcustomerid_value"] = "70bf4d48-34cb-ed11-b596-0022481d68cd"
			if strings.Contains(r.Header.Get("Prefer"), `odata.include-annotations="`+formattedValue[1:]+`"`) {
				row["_parentcustomerid_value"+formattedValue] = company
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func TestDynamics(t *testing.T) { dynamics.test(t) }

func TestDynamicsFindsByItsFirstSearch(t *testing.T) {
	dynamics.testFirst(t, saasSpellings, []string{"(01) 23-45-67-89", "+33 (0)1 23 45 67 89"})
}

func TestDynamicsListsSomeRecords(t *testing.T) { dynamics.testSample(t) }

func TestDynamicsLeavesDeactivatedRecordsOut(t *testing.T) {
	d := dynamics.open(t, dynamics.options)
	d.office.file("contact", card{ID: "4711", Last: "Former", Phones: []string{"+33123456789"}}, card{ID: "4712", Last: "Active", Phones: []string{"+33123456789"}})
	d.expect(t, d.address+"/main.aspx?pagetype=entityrecord&etn=contact&id=%7B4712%7D")
}

func TestDynamicsOpensTheAppOfTheAgents(t *testing.T) {
	d := dynamics.open(t, dynamics.options+"\npage main.aspx?appid=a1b2&pagetype=entityrecord")
	d.office.file("contact", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
	d.expect(t, d.address+"/main.aspx?appid=a1b2&pagetype=entityrecord&etn=contact&id=%7B4711%7D")
}
