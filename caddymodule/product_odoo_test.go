package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Odoo 19, as its documentation and source tell.
var odoo = product{
	preset:   "odoo",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/odoo/res.partner/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/odoo/res.partner/$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/odoo/crm.lead/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:  odooFound,
	missed: odooMissed,
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /json/2/{model}/search_read", func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "Bearer the-key":
				odooJSON2Error(w, http.StatusUnauthorized, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
				return
			case r.Header.Get("Content-Type") != "application/json":
				odooJSON2Error(w, http.StatusBadRequest, "werkzeug.exceptions.BadRequest", "not a JSON request")
				return
			case o.is(failing):
				odooJSON2Error(w, http.StatusInternalServerError, "psycopg2.OperationalError", "the database is away")
				return
			}
			var arguments map[string]any
			if err := json.NewDecoder(r.Body).Decode(&arguments); err != nil {
				odooJSON2Error(w, http.StatusBadRequest, "werkzeug.exceptions.BadRequest", "could not parse the body as json: "+err.Error())
				return
			}
			found, err := odooDatabase{o, []string{"phone"}}.searchRead(r.PathValue("model"), arguments)
			if err != nil {
				odooJSON2Error(w, http.StatusInternalServerError, "builtins.ValueError", err.Error())
				return
			}
			reply(w, found)
		})
		return mux
	},
}

// odooFound are found because separators are left out of stored numbers, by
// the second search where something else is in them.
var odooFound = append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01/23/45/67/89", "01 23 45 67 89 ext. 12", "Tel. 01 23 45 67 89")

// odooMissed has a separator that Odoo does not know.
var odooMissed = []string{"01_23_45_67_89"}

func odooJSON2Error(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	reply(w, map[string]any{"name": name, "message": message, "arguments": []any{message}, "context": map[string]any{}, "debug": "Traceback ..."})
}

// odooDatabase is Odoo's ORM over an office. Cards have their numbers in the
// order of phones, and phone_sanitized last.
type odooDatabase struct {
	*office
	phones []string
}

// rows are a model's, with the values that Odoo stores: false for none.
func (d odooDatabase) rows(model string) ([]map[string]any, error) {
	orFalse := func(text string) any {
		if text == "" {
			return false
		}
		return text
	}
	var rows []map[string]any
	add := func(c card, members map[string]any) {
		members["id"] = json.Number(c.ID)
		for i, field := range append(slices.Clone(d.phones), "phone_sanitized") {
			members[field] = orFalse(c.phone(i))
		}
		members["phone_mobile_search"] = false // is only for searching
		rows = append(rows, members)
	}
	switch model {
	case "res.partner":
		for _, c := range d.all("contact") {
			name := strings.TrimSpace(c.First + " " + c.Last)
			add(c, map[string]any{
				"is_company": false, "name": orFalse(name), "display_name": c.Company + ", " + name, "email": orFalse(c.Email),
				"parent_id": []any{5, c.Company}, "commercial_company_name": orFalse(c.Company),
			})
		}
		for _, c := range d.all("account") {
			add(c, map[string]any{
				"is_company": true, "name": orFalse(c.Company), "display_name": c.Company, "email": orFalse(c.Email),
				"parent_id": false, "commercial_company_name": orFalse(c.Company),
			})
		}
	case "crm.lead":
		for _, c := range d.all("lead") {
			add(c, map[string]any{
				"partner_id": false, "name": c.Company + "'s opportunity", "contact_name": orFalse(strings.TrimSpace(c.First + " " + c.Last)),
				"partner_name": orFalse(c.Company), "email_from": orFalse(c.Email),
			})
		}
	default:
		return nil, fmt.Errorf("the model %q does not exist", model)
	}
	return rows, nil
}

// odooFields are those of a model, whether there are records or not.
func (d odooDatabase) odooFields(model string) []string {
	fields := append(slices.Clone(d.phones), "id", "phone_sanitized", "phone_mobile_search", "name")
	if model == "crm.lead" {
		return append(fields, "partner_id", "contact_name", "partner_name", "email_from")
	}
	return append(fields, "is_company", "display_name", "email", "parent_id", "commercial_company_name")
}

// searchRead is the method that the presets call, with its arguments by name.
func (d odooDatabase) searchRead(model string, arguments map[string]any) ([]any, error) {
	rows, err := d.rows(model)
	if err != nil {
		return nil, err
	}
	for name := range arguments {
		if !slices.Contains([]string{"domain", "fields", "offset", "limit", "order"}, name) {
			return nil, fmt.Errorf("got an unexpected keyword argument %q", name)
		}
	}
	fields, _ := arguments["fields"].([]any)
	for _, field := range fields {
		if name, _ := field.(string); !slices.Contains(d.odooFields(model), name) {
			return nil, fmt.Errorf("Invalid field %v on model %q", field, model)
		}
	}
	domain, _ := arguments["domain"].([]any)
	match, err := d.domain(model, domain)
	if err != nil {
		return nil, err
	}
	limit, limited := arguments["limit"].(float64)
	if !limited {
		return nil, fmt.Errorf("the limit %v is no number", arguments["limit"])
	}
	found := []any{}
	for _, row := range rows {
		if match(row) && len(found) < int(limit) {
			maps.DeleteFunc(row, func(name string, _ any) bool { return name != "id" && !slices.Contains(fields, any(name)) })
			found = append(found, row)
		}
	}
	return found, nil
}

// odooMatch says whether a record is meant.
type odooMatch func(row map[string]any) bool

// domain reads a domain: operators before what they join, and between what is
// left, and.
func (d odooDatabase) domain(model string, domain []any) (odooMatch, error) {
	all := func(map[string]any) bool { return true }
	for len(domain) > 0 {
		one, rest, err := d.term(model, domain)
		if err != nil {
			return nil, err
		}
		before := all
		all = func(row map[string]any) bool { return before(row) && one(row) }
		domain = rest
	}
	return all, nil
}

func (d odooDatabase) term(model string, domain []any) (match odooMatch, rest []any, err error) {
	if len(domain) == 0 {
		return nil, nil, errors.New("a domain ends where a condition is missing")
	}
	operator, isOperator := domain[0].(string)
	if !isOperator {
		match, err := d.leaf(model, domain[0])
		return match, domain[1:], err
	}
	left, rest, err := d.term(model, domain[1:])
	if err != nil {
		return nil, nil, err
	}
	right, rest, err := d.term(model, rest)
	switch operator {
	case "&":
		return func(row map[string]any) bool { return left(row) && right(row) }, rest, err
	case "|":
		return func(row map[string]any) bool { return left(row) || right(row) }, rest, err
	}
	return nil, nil, fmt.Errorf("invalid operator %q in a domain", operator)
}

func (d odooDatabase) leaf(model string, written any) (odooMatch, error) {
	leaf, _ := written.([]any)
	if len(leaf) != 3 {
		return nil, fmt.Errorf("%v is no condition", written)
	}
	field, _ := leaf[0].(string)
	if !slices.Contains(d.odooFields(model), field) {
		return nil, fmt.Errorf("Invalid field %s.%v in condition %v", model, leaf[0], leaf)
	}
	text, _ := leaf[2].(string)
	switch operator := fmt.Sprint(leaf[1]); {
	case d.is(careless) && strings.HasPrefix(field, "phone"):
		return func(map[string]any) bool { return true }, nil
	case field == "phone_mobile_search":
		return d.phoneSearch(operator, text)
	case operator == "=":
		return func(row map[string]any) bool { return row[field] == leaf[2] }, nil
	case operator == "in":
		list, isList := leaf[2].([]any)
		if !isList {
			return nil, fmt.Errorf("%v is no list", leaf[2])
		}
		return func(row map[string]any) bool { return slices.Contains(list, row[field]) }, nil
	case operator == "=ilike":
		return func(row map[string]any) bool {
			stored, _ := row[field].(string)
			return likeAsMySQL(text, stored)
		}, nil
	case operator == "!=":
		return func(row map[string]any) bool { return row[field] != leaf[2] }, nil
	}
	return nil, fmt.Errorf("invalid condition %v", leaf)
}

// odooSeparators are what a search by phone_mobile_search leaves out.
var odooSeparators = regexp.MustCompile(`[\s\\./()\-]`)

// phoneSearch is the search by phone_mobile_search: + and 00 are the same, and
// ilike wants a number that begins so at its beginning.
func (d odooDatabase) phoneSearch(operator, text string) (odooMatch, error) {
	if len(text) < 3 {
		return nil, errors.New("at least 3 characters are needed to search a number")
	}
	text = odooSeparators.ReplaceAllString(text, "")
	terms := []string{text}
	switch prefixed := strings.HasPrefix(text, "+") || strings.HasPrefix(text, "00"); {
	case prefixed:
		bare := strings.TrimPrefix(strings.TrimPrefix(text, "+"), "00")
		terms = []string{"+" + bare, "00" + bare}
		if operator == "ilike" {
			terms = []string{"+" + bare + "%", "00" + bare + "%"}
		}
	case operator == "ilike":
		terms = []string{"%" + text + "%"}
	}
	if operator != "=" && operator != "ilike" {
		return nil, fmt.Errorf("invalid operator %q", operator)
	}
	return func(row map[string]any) bool {
		return slices.ContainsFunc(d.phones, func(field string) bool {
			number, stored := row[field].(string)
			number = odooSeparators.ReplaceAllString(number, "")
			return stored && slices.ContainsFunc(terms, func(term string) bool { return likeAsMySQL(term, number) })
		})
	}, nil
}

func TestOdoo(t *testing.T) {
	odoo.test(t)
	t.Run("one among many", odoo.testAmongMany)
	t.Run("a sample", odoo.testSample)
	t.Run("its pages", func(t *testing.T) {
		odoo.open(t, odoo.options).showsPages(t, "/odoo/res.partner/new", "/odoo/action-contacts.action_contacts")
	})
}

// A foreign number that was typed as it is dialled at home: Odoo knows the
// country of the record.
func TestOdooTellsWhoseNationalNumberItIs(t *testing.T) {
	d := odoo.open(t, odoo.options)
	d.office.file("contact", card{ID: "7", Last: "Peeters", Phones: []string{"02 123 45 67", "+3221234567"}})
	if opened, want := d.ring("003221234567").field("url"), d.address+"/odoo/res.partner/7"; opened != want {
		t.Errorf("opened %v, want %s\n%s", opened, want, d.why())
	}
}

func TestOdooWithoutTheSMSModuleSaysSo(t *testing.T) {
	without := odoo
	without.standIn = func(*office) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			odooJSON2Error(w, http.StatusInternalServerError, "builtins.ValueError", `Invalid field res.partner.phone_sanitized in condition ('phone_sanitized', '=', '...')`)
		})
	}
	d := without.open(t, without.options)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "Invalid field res.partner.phone_sanitized") {
		t.Errorf("the log says %s", why)
	}
}
