package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Frappe CRM on the framework that ERPNext is built on too. Each contact is in
// two deals, one of which is lost.
var frappeCRM = product{
	preset:   "frappecrm",
	options:  "api_key the-key\napi_secret the-secret",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "401 Unauthorized",
	found:    slices.Concat(measured, []string{"+33-123456789", "+33 (0)1 23 45 67 89", "01 23 45 67 89 (bureau)"}),
	kinds: []kind{
		{name: "contact", phones: 4, page: "$CRM/crm/contacts/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/crm/leads/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		return frappeSite(o, map[string]frappeDoctype{
			"Contact": {"contact", frappeContact},
			"CRM Lead": {"lead", func(c card) map[string]any {
				lead := map[string]any{
					"name": c.ID, "lead_name": strings.TrimSpace(c.First + " " + c.Last), "organization": c.Company, "email": c.Email,
					"mobile_no": c.phone(0), "phone": c.phone(1), "converted": 0,
				}
				if c.Company == "Converted" {
					lead["converted"] = 1
				}
				return lead
			}},
			"CRM Deal": {"deal", func(c card) map[string]any {
				return map[string]any{
					"name": c.ID, "status": c.Last, "organization": c.Company, "modified": "2026-01-01", "mobile_no": c.phone(0),
					"contacts": []map[string]any{{"contact": c.First, "is_primary": 1}},
				}
			}},
		})
	},
}

func TestFrappeCRM(t *testing.T) { frappeCRM.test(t) }

func TestFrappeCRMShowsTheDealsOfAContact(t *testing.T) {
	d := frappeCRM.showing(t, "{contact.name}: {contact.deals}, {contact.deal_status} {contact.deal_url}")
	rosa := card{ID: "Rosa Marin", First: "Rosa", Last: "Marin", Phones: []string{"", "", "01 23 45 67 89"}}
	d.office.fileAll(map[string][]card{
		"contact": {rosa},
		"deal": {
			{ID: "CRM-DEAL-2026-00003", First: "Ole Olsen", Last: "Negotiation"},
			{ID: "CRM-DEAL-2026-00002", First: "Rosa Marin", Last: "Lost", Phones: []string{"01 23 45 67 89"}},
			{ID: "CRM-DEAL-2026-00001", First: "Rosa Marin", Last: "Negotiation", Phones: []string{"01 23 45 67 89"}},
		},
	})
	d.expect(t, d.address+"/crm/contacts/Rosa%20Marin")
	d.wantTitle(t, "Rosa Marin: 1, Negotiation "+d.address+"/crm/deals/CRM-DEAL-2026-00001")
	d.office.file("contact", rosa)
	d.wantTitle(t, "Rosa Marin: 0,")
}

func TestFrappeCRMAConvertedLeadIsAContact(t *testing.T) {
	d := frappeCRM.showing(t, "")
	d.office.fileAll(map[string][]card{
		"contact": {{ID: "Rosa Marin", First: "Rosa", Last: "Marin", Phones: []string{"0123456789"}}},
		"lead":    {{ID: "CRM-LEAD-2026-00001", First: "Rosa", Last: "Marin", Company: "Converted", Phones: []string{"0123456789"}}},
	})
	d.expect(t, d.address+"/crm/contacts/Rosa%20Marin")
}
