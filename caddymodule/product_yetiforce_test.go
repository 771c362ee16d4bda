package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// YetiForce 6.5, as its source tells.
var yetiForce = product{
	preset: "yetiforce",
	options: `application screenpop
application_password the-application-password
api_key the-api-key
user api@example.com
password the-users-password`,
	wrong:    [2]string{"the-users-password", "another-password"},
	rejected: "401 Unauthorized: Invalid user password; it does not accept the credentials",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/index.php?module=Contacts&view=Detail&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/index.php?module=Accounts&view=Detail&record=$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/index.php?module=Leads&view=Detail&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found: append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01/23/45/67/89", "01_23_45_67_89", "01 23 45 67 89 ext. 12"),
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		// Every request names the application and its key.
		guarded := func(serve http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				application, password, _ := r.BasicAuth()
				switch {
				case application != "screenpop" || password != "the-application-password":
					yetiForceError(w, http.StatusUnauthorized, "Web service application not found")
				case r.Header.Get("X-Api-Key") != "the-api-key":
					yetiForceError(w, http.StatusUnauthorized, "Invalid api key")
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("POST /webservice/WebserviceStandard/Users/Login", guarded(func(w http.ResponseWriter, r *http.Request) {
			var login struct{ UserName, Password string }
			if err := json.NewDecoder(r.Body).Decode(&login); err != nil || login.UserName != "api@example.com" || login.Password != "the-users-password" {
				yetiForceError(w, http.StatusUnauthorized, "Invalid user password")
				return
			}
			reply(w, map[string]any{"status": 1, "result": map[string]any{"token": o.login(), "name": "API", "language": "en-US", "type": 1, "logged": true}})
		}))
		for _, module := range yetiForceModules {
			mux.HandleFunc("GET /webservice/WebserviceStandard/"+module.name+"/RecordsList", guarded(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !o.admits(r.Header.Get("X-Token")):
					yetiForceError(w, http.StatusUnauthorized, "Invalid token")
				case o.is(failing):
					yetiForceError(w, http.StatusInternalServerError, "Internal Server Error")
				default:
					module.list(o, w, r)
				}
			}))
		}
		return mux
	},
}

func yetiForceError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	reply(w, map[string]any{"status": 0, "error": map[string]any{"message": message, "code": status}})
}

// yetiForceModule is a kind of records.
type yetiForceModule struct {
	name, kind string
	phones     []string
	row        func(card) map[string]string
}

var yetiForceModules = []yetiForceModule{
	{"Contacts", "contact", []string{"phone", "mobile"}, func(c card) map[string]string {
		return map[string]string{"firstname": c.First, "lastname": c.Last, "email": c.Email, "parent_id": "4700"}
	}},
	{"Accounts", "account", []string{"phone", "otherphone"}, func(c card) map[string]string {
		return map[string]string{"accountname": c.Company, "email1": c.Email}
	}},
	{"Leads", "lead", []string{"phone", "mobile"}, func(c card) map[string]string {
		return map[string]string{"firstname": c.First, "lastname": c.Last, "company": c.Company, "email": c.Email}
	}},
}

func (m yetiForceModule) values(c card) map[string]string {
	values := m.row(c)
	for i, field := range m.phones {
		values[field] = c.phone(i)
	}
	return values
}

func (m yetiForceModule) list(o *office, w http.ResponseWriter, r *http.Request) {
	match, err := m.condition(r.Header.Get("X-Condition"))
	if err != nil {
		yetiForceError(w, http.StatusInternalServerError, err.Error())
		return
	}
	var fields []any
	if err := json.Unmarshal([]byte(r.Header.Get("X-Fields")), &fields); err != nil {
		yetiForceError(w, http.StatusBadRequest, "Incorrect json syntax: x-fields")
		return
	}
	limit, err := strconv.Atoi(r.Header.Get("X-Row-Limit"))
	if err != nil {
		limit = 100
	}
	found := o.search(m.kind, match)
	more := len(found) > limit
	found = found[:min(limit, len(found))]

	// PHP writes an empty list for an empty object, and rawData only with records.
	result := map[string]any{"headers": map[string]any{}, "records": []any{}, "permissions": []any{}, "numberOfRecords": len(found), "isMorePages": more}
	if len(found) > 0 {
		records, raw := map[string]any{}, map[string]any{}
		for _, c := range found {
			records[c.ID] = map[string]any{"recordLabel": c.Last}
			raw[c.ID] = m.selected(c, fields)
		}
		result["records"] = records
		if r.Header.Get("X-Raw-Data") == "1" {
			result["rawData"] = raw
		}
	}
	reply(w, map[string]any{"status": 1, "result": result})
}

// selected are the fields that were asked for; those that there are not are
// left out. A related one is named by where it comes from.
func (m yetiForceModule) selected(c card, fields []any) map[string]any {
	row, values := map[string]any{"id": json.Number(c.ID)}, m.values(c)
	for _, field := range fields {
		switch field := field.(type) {
		case string:
			if value, there := values[field]; there {
				row[field] = value
			}
		case map[string]any:
			if field["sourceField"] == "parent_id" && field["relatedModule"] == "Accounts" && field["relatedField"] == "accountname" && m.name == "Contacts" {
				row["parent_idAccountsaccountname"] = c.Company
			}
		}
	}
	return row
}

// condition reads conditions that are joined by or. One with an operator that
// YetiForce does not know is left out; without any, everybody is listed.
func (m yetiForceModule) condition(text string) (func(card) bool, error) {
	if text == "" {
		text = "[]"
	}
	var conditions []struct {
		FieldName, Value, Operator string
		Group                      *bool
	}
	if err := json.Unmarshal([]byte(text), &conditions); err != nil {
		return nil, err
	}
	var matches []func(card) bool
	for _, condition := range conditions {
		if _, there := m.values(card{})[condition.FieldName]; !there {
			return nil, fmt.Errorf("ERR_NOT_FOUND_FIELD_MODEL|%s|%s", condition.FieldName, m.name)
		}
		if condition.Group == nil || *condition.Group {
			return nil, fmt.Errorf("%s is joined by and", condition.FieldName)
		}
		value := func(c card) string { return m.values(c)[condition.FieldName] }
		switch condition.Operator {
		case "e":
			matches = append(matches, func(c card) bool { return value(c) == condition.Value })
		case "s":
			matches = append(matches, func(c card) bool { return likeAsMySQL(condition.Value+"%", value(c)) })
		}
	}
	if len(matches) == 0 {
		return func(card) bool { return true }, nil
	}
	return func(c card) bool {
		return slices.ContainsFunc(matches, func(match func(card) bool) bool { return match(c) })
	}, nil
}

func TestYetiForce(t *testing.T) {
	yetiForce.test(t)
	t.Run("one among many", yetiForce.testAmongMany)
	t.Run("a sample", yetiForce.testSample)
	t.Run("its pages", func(t *testing.T) {
		yetiForce.open(t, yetiForce.options).showsPages(t, "/index.php?module=Contacts&view=Edit&phone=%2B33123456789", "/index.php?module=Contacts&view=List")
	})
}

// A release that knows other operators would list everybody: whether the caller
// is among them is not known.
func TestYetiForceThatListsEverybodyIsNotNobody(t *testing.T) {
	d := yetiForce.open(t, yetiForce.options+`
lookup contact {
	header x-condition "[{\"fieldName\":\"phone\",\"value\":\"{number.e164}\",\"operator\":\"unknown\",\"group\":false}]"
}`)
	var everybody []card
	for i := range 30 {
		everybody = append(everybody, card{ID: strconv.Itoa(i + 1), Last: "Olsen", Phones: []string{fmt.Sprintf("+339876543%02d", i)}})
	}
	d.office.file("contact", everybody...)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "isMorePages") {
		t.Errorf("the log says %s", why)
	}
}

func TestYetiForceSaysWhichCredentialIsWrong(t *testing.T) {
	for wrong, said := range map[string]string{
		"the-application-password": "Web service application not found",
		"the-api-key":              "Invalid api key",
	} {
		d := yetiForce.open(t, strings.Replace(yetiForce.options, wrong, "another-secret", 1))
		d.known()
		d.expect(t, unreachablePage)
		if why := d.why(); !strings.Contains(why, said) {
			t.Errorf("the log says %s", why)
		}
	}
}
