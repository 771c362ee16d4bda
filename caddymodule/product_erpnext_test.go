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

// ERPNext as Frappe's source has it: filters over a document's fields and its
// child tables, of which each row that matches gives a row of the list.
var erpNext = product{
	preset:   "erpnext",
	options:  "api_key the-key\napi_secret the-secret",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "401 Unauthorized",
	found:    slices.Concat(measured, []string{"+33-123456789", "+33 (0)1 23 45 67 89", "01 23 45 67 89 (bureau)"}),
	kinds: []kind{
		{name: "contact", phones: 4, page: "$CRM/app/contact/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "customer", phones: 1, page: "$CRM/app/customer/$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 4, page: "$CRM/app/lead/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		return frappeSite(o, map[string]frappeDoctype{
			"Contact": {"contact", frappeContact},
			"Customer": {"customer", func(c card) map[string]any {
				return map[string]any{"name": c.ID, "customer_name": c.Company, "email_id": c.Email, "mobile_no": c.phone(0)}
			}},
			"Lead": {"lead", func(c card) map[string]any {
				status := "Open"
				if c.Last == "Converted" {
					status = "Converted"
				}
				return map[string]any{
					"name": c.ID, "lead_name": strings.TrimSpace(c.First + " " + c.Last), "company_name": c.Company, "email_id": c.Email, "status": status,
					"phone": c.phone(0), "mobile_no": c.phone(1), "whatsapp_no": c.phone(2), "fax": c.phone(3),
				}
			}},
		})
	},
}

// frappeDoctype is a kind of document and how one is made of a card. Lists of
// maps are its child tables.
type frappeDoctype struct {
	kind string
	doc  func(card) map[string]any
}

// frappeContact is a contact, with what it belongs to behind the dash of its
// name, as Frappe names contacts; a + joins several.
func frappeContact(c card) map[string]any {
	doc := map[string]any{
		"name": c.ID, "first_name": c.First, "last_name": c.Last, "company_name": c.Company, "email_id": c.Email,
		"phone": c.phone(0), "mobile_no": c.phone(1), "phone_nos": []map[string]any{}, "links": []map[string]any{},
	}
	for i, number := range c.Phones {
		if number != "" {
			doc["phone_nos"] = append(doc["phone_nos"].([]map[string]any), map[string]any{"phone": number, "idx": i + 1})
		}
	}
	if _, linked, ok := strings.Cut(c.ID, "-"); ok {
		links := []map[string]any{}
		for name := range strings.SplitSeq(linked, "+") {
			doctype := "Customer"
			switch {
			case strings.HasPrefix(name, "CRM-LEAD-"):
				doctype = "Lead"
			case strings.HasPrefix(name, "SUP-"):
				doctype = "Supplier"
			}
			links = append(links, map[string]any{"link_doctype": doctype, "link_name": name, "link_title": name})
		}
		doc["links"] = links
	}
	return doc
}

// frappeTables are the doctypes of child tables, and the fields that hold them.
var frappeTables = map[string]string{"Contact Phone": "phone_nos", "Dynamic Link": "links", "CRM Contacts": "contacts"}

func frappeSite(o *office, doctypes map[string]frappeDoctype) http.Handler {
	mux := http.NewServeMux()
	guarded := func(serve func(http.ResponseWriter, *http.Request, frappeDoctype)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			doctype, known := doctypes[r.PathValue("doctype")]
			switch {
			case r.Header.Get("Authorization") != "token the-key:the-secret":
				frappeError(w, http.StatusUnauthorized, "AuthenticationError")
			case o.is(failing):
				frappeError(w, http.StatusInternalServerError, "OperationalError")
			case !known:
				frappeError(w, http.StatusNotFound, "DoesNotExistError")
			default:
				serve(w, r, doctype)
			}
		}
	}
	mux.HandleFunc("GET /api/resource/{doctype}", guarded(func(w http.ResponseWriter, r *http.Request, doctype frappeDoctype) {
		query := r.URL.Query()
		var fields []string
		filters, err := frappeFilters(query.Get("filters"))
		orFilters, wrong := frappeFilters(query.Get("or_filters"))
		if json.Unmarshal([]byte(query.Get("fields")), &fields) != nil || err != nil || wrong != nil {
			frappeError(w, http.StatusInternalServerError, "JSONDecodeError")
			return
		}
		known := doctype.doc(card{ID: "x-x", Phones: []string{"1"}})
		for _, field := range fields {
			if _, ok := known[field]; !ok {
				frappeError(w, http.StatusExpectationFailed, "DataError")
				return
			}
		}
		for _, f := range slices.Concat(filters, orFilters) {
			if !f.fits(known) {
				frappeError(w, http.StatusExpectationFailed, "DataError")
				return
			}
		}
		if o.is(careless) {
			filters, orFilters = nil, nil
		}
		rows := []any{}
		for _, c := range o.all(doctype.kind) {
			doc := doctype.doc(c)
			for range frappeRows(doc, filters, orFilters) {
				row := map[string]any{}
				for _, field := range fields {
					row[field] = doc[field]
				}
				rows = append(rows, row)
			}
		}
		limit, err := strconv.Atoi(query.Get("limit_page_length"))
		if err != nil {
			limit = 20
		}
		reply(w, map[string]any{"data": rows[:min(limit, len(rows))]})
	}))
	mux.HandleFunc("GET /api/resource/{doctype}/{name}", guarded(func(w http.ResponseWriter, r *http.Request, doctype frappeDoctype) {
		for _, c := range o.all(doctype.kind) {
			if c.ID == r.PathValue("name") {
				reply(w, map[string]any{"data": doctype.doc(c)})
				return
			}
		}
		frappeError(w, http.StatusNotFound, "DoesNotExistError")
	}))
	return mux
}

// frappeFilter is one condition. One over a child table names its doctype.
type frappeFilter struct{ table, field, operator, value string }

func frappeFilters(text string) ([]frappeFilter, error) {
	if text == "" {
		return nil, nil
	}
	var written [][]any
	if err := json.Unmarshal([]byte(text), &written); err != nil {
		return nil, err
	}
	var filters []frappeFilter
	for _, parts := range written {
		if len(parts) == 3 {
			parts = append([]any{""}, parts...)
		}
		if len(parts) != 4 {
			return nil, fmt.Errorf("%v is no filter", parts)
		}
		filters = append(filters, frappeFilter{fmt.Sprint(parts[0]), fmt.Sprint(parts[1]), fmt.Sprint(parts[2]), fmt.Sprint(parts[3])})
	}
	return filters, nil
}

// fits reports whether a document has what the filter asks for.
func (f frappeFilter) fits(doc map[string]any) bool {
	if !slices.Contains([]string{"=", "!=", "like"}, f.operator) {
		return false
	}
	if f.table == "" {
		_, ok := doc[f.field]
		return ok
	}
	rows, _ := doc[frappeTables[f.table]].([]map[string]any)
	return slices.ContainsFunc(rows, func(row map[string]any) bool { _, ok := row[f.field]; return ok })
}

// count is how often a document matches: once for each row of a child table.
func (f frappeFilter) count(doc map[string]any) int {
	rows := []map[string]any{doc}
	if f.table != "" {
		rows, _ = doc[frappeTables[f.table]].([]map[string]any)
	}
	count := 0
	for _, row := range rows {
		text := fmt.Sprint(row[f.field])
		holds := text == f.value
		switch f.operator {
		case "like":
			holds = percentPattern(f.value).MatchString(text)
		case "!=":
			holds = text != f.value
		}
		if holds {
			count++
		}
	}
	return count
}

// frappeRows is how often a list shows a document.
func frappeRows(doc map[string]any, filters, orFilters []frappeFilter) int {
	count := 1
	for _, f := range filters {
		count *= f.count(doc)
	}
	if len(orFilters) > 0 && !slices.ContainsFunc(orFilters, func(f frappeFilter) bool { return f.count(doc) > 0 }) {
		return 0
	}
	return count
}

func frappeError(w http.ResponseWriter, status int, kind string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"exc_type": kind, "exception": "frappe.exceptions." + kind})
}

// fileAll puts records of several kinds into a stand-in.
func (o *office) fileAll(cards map[string][]card) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cards = cards
}

func TestERPNext(t *testing.T) { erpNext.test(t) }

func TestERPNextALeadAndItsContactAreOne(t *testing.T) {
	d := erpNext.showing(t, "{contact.kind} {contact.name} of {contact.company}")
	lead := card{ID: "CRM-LEAD-2026-00007", First: "Rosa", Last: "Marin", Company: "Quai Nord", Phones: []string{"01 23 45 67 89"}}
	contact := lead
	contact.ID = "Rosa Marin-CRM-LEAD-2026-00007"
	page := d.address + "/app/lead/CRM-LEAD-2026-00007"

	d.office.fileAll(map[string][]card{"contact": {contact}, "lead": {lead}})
	d.expect(t, page)
	d.wantTitle(t, "lead Rosa Marin of Quai Nord")

	lead.Phones = []string{"01 99 00 00 00"}
	d.office.fileAll(map[string][]card{"contact": {contact}, "lead": {lead}})
	d.expect(t, page)
}

// A customer that was made of a lead takes the lead's contact along.
func TestERPNextAConvertedLeadIsAContactOfItsCustomer(t *testing.T) {
	d := erpNext.showing(t, "{contact.kind} {contact.name} of {contact.company} {contact.customer_url}")
	d.office.fileAll(map[string][]card{
		"contact": {{ID: "Rosa Marin-CRM-LEAD-2026-00007+Quai Nord", First: "Rosa", Last: "Marin", Phones: []string{"01 23 45 67 89"}}},
		"lead":    {{ID: "CRM-LEAD-2026-00007", First: "Rosa", Last: "Converted", Company: "Quai Nord", Phones: []string{"01 23 45 67 89"}}},
	})
	d.expect(t, d.address+"/app/contact/Rosa%20Marin-CRM-LEAD-2026-00007%2BQuai%20Nord")
	d.wantTitle(t, "contact Rosa Marin of Quai Nord "+d.address+"/app/customer/Quai%20Nord")
}

func TestERPNextTellsTheSupplierOfAContact(t *testing.T) {
	d := erpNext.showing(t, "{contact.kind} {contact.name} of {contact.company}")
	d.office.file("contact", card{ID: "Rosa Marin-SUP-2026-00001", First: "Rosa", Last: "Marin", Phones: []string{"01 23 45 67 89"}})
	d.expect(t, d.address+"/app/contact/Rosa%20Marin-SUP-2026-00001")
	d.wantTitle(t, "contact Rosa Marin of SUP-2026-00001")
}

func TestERPNextAPersonComesBeforeItsCustomer(t *testing.T) {
	d := erpNext.showing(t, "{contact.kind} {contact.name} of {contact.company} {contact.customer_url}")
	d.office.fileAll(map[string][]card{
		"contact":  {{ID: "Rosa Marin-Quai Nord", First: "Rosa", Last: "Marin", Phones: []string{"", "+33-123456789"}}},
		"customer": {{ID: "Quai Nord", Company: "Quai Nord", Phones: []string{"+33-123456789"}}},
	})
	d.expect(t, d.address+"/app/contact/Rosa%20Marin-Quai%20Nord")
	d.wantTitle(t, "contact Rosa Marin of Quai Nord "+d.address+"/app/customer/Quai%20Nord")
}

func TestERPNextOpensTheDeskWhereItIs(t *testing.T) {
	p := erpNext
	p.options += "\ndesk desk"
	d := p.showing(t, "")
	d.office.file("lead", card{ID: "CRM-LEAD-2026-00007", First: "Rosa", Phones: []string{"0123456789"}})
	d.expect(t, d.address+"/desk/lead/CRM-LEAD-2026-00007")
	d.office.file("lead")
	d.expect(t, d.address+"/desk/contact?Contact%20Phone.phone=%5B%22like%22%2C%22%251%252%253%254%255%256%257%258%259%25%22%5D")
	d.wantTitle(t, d.address+"/desk/lead/new?mobile_no=%2B33123456789")
}
