package caddymodule

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Tryton as measured on 6.0.29. Its parties have a number of each type that
// people call from; what begins with a + is kept as phonenumbers writes it.
var tryton = product{
	preset:   "tryton",
	options:  "username gateway\npassword the-password\ndatabase crm",
	wrong:    [2]string{"the-password", "another-password"},
	rejected: "401 Unauthorized",
	kinds:    []kind{{name: "party", phones: len(trytonTypes), page: "$CRM/#crm/model/party.party/$ID", title: "$NAME||$EMAIL"}},
	found:    slices.Concat(measured, []string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12", "01 23 45 67 89 ext. 12", "01/23/45/67/89"}),
	sessions: true,
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /crm/", func(w http.ResponseWriter, r *http.Request) {
			call, err := readTrytonCall(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			switch {
			case call.Method == "common.db.login":
				trytonLogin(o, w, call)
			case !o.admits(trytonSession(r)):
				w.WriteHeader(http.StatusUnauthorized)
			case o.is(failing):
				replyTrytonError(w, "UserError", []any{"The database is away.", "", nil})
			case call.Method == "model.party.party.search_read":
				trytonSearch(o, w, call)
			default:
				w.WriteHeader(http.StatusForbidden)
			}
		})
		return mux
	},
}

var trytonTypes = []string{"phone", "mobile", "fax", "other"}

type trytonCall struct {
	ID     int
	Method string
	Params []json.RawMessage
}

// readTrytonCall accepts exactly the members that trytond takes for JSON-RPC.
func readTrytonCall(r *http.Request) (trytonCall, error) {
	var call trytonCall
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return call, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || len(members) != 3 {
		return call, fmt.Errorf("%d members, %w", len(members), err)
	}
	if mediaType := r.Header.Get("Content-Type"); mediaType != "application/json" {
		return call, fmt.Errorf("the content is %s", mediaType)
	}
	return call, json.Unmarshal(body, &call)
}

func trytonLogin(o *office, w http.ResponseWriter, call trytonCall) {
	var user string
	var parameters map[string]string
	if len(call.Params) != 3 || json.Unmarshal(call.Params[0], &user) != nil || json.Unmarshal(call.Params[1], &parameters) != nil {
		replyTrytonError(w, "login() takes other arguments", "")
		return
	}
	if user != "gateway" || parameters["password"] != "the-password" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "<!doctype html>\n<html lang=en>\n<title>401 Unauthorized</title>\n<h1>Unauthorized</h1>\n")
		return
	}
	reply(w, map[string]any{"id": call.ID, "result": []any{2, o.login()}})
}

// trytonSession returns the session's key, if the other parts are right.
func trytonSession(r *http.Request) string {
	encoded, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Session ")
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	key, whole := strings.CutPrefix(string(decoded), "gateway:2:")
	if !ok || err != nil || !whole {
		return ""
	}
	return key
}

func replyTrytonError(w http.ResponseWriter, parts ...any) {
	reply(w, map[string]any{"id": 1, "error": parts})
}

// trytonSearch is search_read(domain, offset, limit, order, fields, context).
func trytonSearch(o *office, w http.ResponseWriter, call trytonCall) {
	var fields []string
	if len(call.Params) != 6 || string(call.Params[5]) != "{}" || json.Unmarshal(call.Params[4], &fields) != nil {
		replyTrytonError(w, "search_read() takes other arguments", "")
		return
	}
	var clauses [][]any
	if err := json.Unmarshal(call.Params[0], &clauses); err != nil || len(clauses) != 1 || len(clauses[0]) != 3 {
		replyTrytonError(w, fmt.Sprintf("the domain %s", call.Params[0]), "")
		return
	}
	column, _ := strings.CutPrefix(fmt.Sprint(clauses[0][0]), "contact_mechanisms.")
	result := []any{}
	for _, c := range o.search("party", func(c card) bool {
		return slices.ContainsFunc(trytonMechanisms(c), func(mechanism map[string]any) bool {
			return trytonCompares(fmt.Sprint(mechanism[column]), clauses[0][1], clauses[0][2])
		})
	}) {
		result = append(result, trytonSelect(c, fields))
	}
	reply(w, map[string]any{"id": call.ID, "result": result})
}

func trytonCompares(value string, operator, operand any) bool {
	switch operator {
	case "in":
		return slices.Contains(operand.([]any), any(value))
	case "like":
		return trytonLike(value, operand.(string))
	}
	return false
}

// trytonLike is SQL's like, for patterns of % and characters between.
func trytonLike(value, pattern string) bool {
	parts := strings.Split(pattern, "%")
	rest, ok := strings.CutPrefix(value, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

func trytonMechanisms(c card) []map[string]any {
	list := []map[string]any{
		{"id": 1, "type": "email", "value": c.Email, "value_compact": c.Email},
		{"id": 2, "type": "website", "value": c.Company, "value_compact": c.Company},
	}
	for i, number := range c.Phones {
		if number != "" {
			list = append(list, map[string]any{"id": 3 + i, "type": trytonTypes[i], "value": number, "value_compact": trytonCompact(number)})
		}
	}
	return list
}

func trytonCompact(number string) string {
	if !strings.HasPrefix(number, "+") {
		return number
	}
	number, _, _ = strings.Cut(number, " ext.")
	return "+" + digits(strings.Replace(number, "(0)", "", 1))
}

// trytonSelect returns the fields that were asked for; those of a relation
// stand under its name with a dot.
func trytonSelect(c card, fields []string) map[string]any {
	selected := map[string]any{"id": json.Number(c.ID)}
	var mechanisms []map[string]any
	for _, field := range fields {
		column, isOfMechanism := strings.CutPrefix(field, "contact_mechanisms.")
		switch {
		case field == "name":
			selected["name"] = strings.TrimSpace(c.First + " " + c.Last)
		case field == "email":
			selected["email"] = c.Email
		case isOfMechanism:
			for i, mechanism := range trytonMechanisms(c) {
				if mechanisms == nil || i >= len(mechanisms) {
					mechanisms = append(mechanisms, map[string]any{"id": mechanism["id"]})
				}
				mechanisms[i][column] = mechanism[column]
			}
			selected["contact_mechanisms."] = mechanisms
		}
	}
	return selected
}

func TestTryton(t *testing.T) { tryton.test(t) }

func TestTrytonTakesNoAddressForANumber(t *testing.T) {
	d := tryton.open(t, tryton.options)
	d.office.file("party", card{ID: "1", Last: "Shop", Email: "0123456789@example.org", Company: "https://example.org/0123456789"})
	d.expect(t, nonePage)
	if asked := strings.Join(d.office.takeRequests(), "\n"); !strings.Contains(asked, `"like"`) {
		t.Errorf("the second search was not made: %s", asked)
	}
}

func TestTrytonSaysWhatItsErrorSays(t *testing.T) {
	d := tryton.open(t, tryton.options)
	d.office.become(failing)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "The database is away.") {
		t.Errorf("the log says %s", why)
	}
}
