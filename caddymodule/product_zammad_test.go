package caddymodule

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Zammad as its source has it: a condition is evaluated by the database, an
// invalid one fails, and with_total_count wraps the list.
var zammad = product{
	preset:   "zammad",
	options:  "token the-token",
	wrong:    [2]string{"the-token", "another-token"},
	rejected: "Invalid token!",
	found:    slices.Concat(measured, []string{"+33 (0)1 23 45 67 89", "01 23 45 67 89 (bureau)"}),
	kinds: []kind{
		{name: "user", phones: 3, page: "$CRM/#user/profile/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler { return zammadServer(o, true) },
}

// zammadServer is Zammad, or one from before it counted matches.
func zammadServer(o *office, counts bool) http.Handler {
	mux := http.NewServeMux()
	guarded := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "Token token=the-token":
				w.WriteHeader(http.StatusUnauthorized)
				reply(w, map[string]any{"error": "Invalid token!", "error_human": "Invalid token!"})
			case o.is(failing):
				w.WriteHeader(http.StatusInternalServerError)
				reply(w, map[string]any{"error": "PG::ConnectionBad: PQconsumeInput() server closed the connection", "error_human": "An unknown error occurred"})
			default:
				serve(w, r)
			}
		}
	}
	mux.HandleFunc("POST /api/v1/users/search", guarded(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Condition zammadCondition }
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" || !body.Condition.valid() {
			w.WriteHeader(http.StatusInternalServerError)
			reply(w, map[string]any{"error": "Invalid condition", "error_human": "An unknown error occurred"})
			return
		}
		records := []any{}
		for _, c := range o.search("user", body.Condition.holds) {
			records = append(records, zammadUser(c, r))
		}
		if counts && r.URL.Query().Get("with_total_count") == "true" {
			reply(w, map[string]any{"records": records, "total_count": len(records)})
			return
		}
		reply(w, records)
	}))
	mux.HandleFunc("GET /api/v1/users", guarded(func(w http.ResponseWriter, r *http.Request) {
		records := []any{}
		for _, c := range o.all("user") {
			records = append(records, zammadUser(c, r))
		}
		reply(w, records)
	}))
	mux.HandleFunc("GET /api/v1/ticket_customer", guarded(func(w http.ResponseWriter, r *http.Request) {
		open := []int{}
		if r.URL.Query().Get("customer_id") == "4711" {
			open = []int{815, 814}
		}
		reply(w, map[string]any{"ticket_ids_open": open, "ticket_ids_closed": []int{3}, "assets": map[string]any{}})
	}))
	return mux
}

// zammadUser is a card as a request wants it: with names instead of ids alone,
// or without.
func zammadUser(c card, r *http.Request) map[string]any {
	user := map[string]any{
		"id": json.Number(c.ID), "firstname": c.First, "lastname": c.Last, "login": "login", "email": c.Email, "vip": c.First == "Rosa",
		"phone": c.phone(0), "mobile": c.phone(1), "fax": c.phone(2), "organization_id": 2,
	}
	if r.URL.Query().Get("expand") == "true" {
		user["organization"] = c.Company
	}
	return user
}

// zammadCondition is a group of conditions, or one.
type zammadCondition struct {
	Operator   string
	Conditions []zammadCondition
	Name       string
	Value      any
}

func (z zammadCondition) valid() bool {
	switch z.Operator {
	case "OR", "AND":
		return len(z.Conditions) > 0 && !slices.ContainsFunc(z.Conditions, func(one zammadCondition) bool { return !one.valid() })
	case "is any of":
		list, ok := z.Value.([]any)
		return ok && len(list) > 0 && z.isNumber()
	case "matches regex":
		text, _ := z.Value.(string)
		_, err := regexp.Compile(text)
		return err == nil && text != "" && z.isNumber()
	}
	return false
}

var zammadNumbers = []string{"user.phone", "user.mobile", "user.fax"}

func (z zammadCondition) isNumber() bool { return slices.Contains(zammadNumbers, z.Name) }

// number is the one of a card that the condition is about.
func (z zammadCondition) number(c card) string { return c.phone(slices.Index(zammadNumbers, z.Name)) }

func (z zammadCondition) holds(c card) bool {
	switch z.Operator {
	case "OR":
		return slices.ContainsFunc(z.Conditions, func(one zammadCondition) bool { return one.holds(c) })
	case "AND":
		return !slices.ContainsFunc(z.Conditions, func(one zammadCondition) bool { return !one.holds(c) })
	case "is any of":
		return slices.Contains(z.Value.([]any), any(z.number(c)))
	default:
		return regexp.MustCompile("(?i)" + z.Value.(string)).MatchString(z.number(c))
	}
}

func TestZammad(t *testing.T) { zammad.test(t) }

func TestZammadFindsByItsFirstSearch(t *testing.T) {
	zammad.testFirst(t, []string{"+33123456789", "33123456789", "0123456789", "0033123456789", "+33 1 23 45 67 89", "01 23 45 67 89"}, []string{"01.23.45.67.89", "(01) 23-45-67-89"})
}

func TestZammadShowsTheOpenTicketsOfAUser(t *testing.T) {
	d := zammad.showing(t, "{contact.name}: {contact.tickets} open, {contact.ticket_url} {contact.vip}")
	d.office.file("user", card{ID: "4711", First: "Rosa", Last: "Marin", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "Rosa Marin: 2 open, "+d.address+"/#ticket/zoom/815 true")
	d.office.file("user", card{ID: "4713", First: "Ole", Last: "Olsen", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "Ole Olsen: 0 open,")
}

func TestZammadOfAnOlderVersionCouldNotBeAsked(t *testing.T) {
	p := zammad
	p.standIn = func(o *office) http.Handler { return zammadServer(o, false) }
	d := p.open(t, p.options)
	d.office.file("user")
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, `nothing at "records"`) {
		t.Errorf("the log says %s", why)
	}
}
