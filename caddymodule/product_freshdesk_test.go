package caddymodule

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Freshdesk as its documentation tells: filters compare with what is stored.
var freshdesk = product{
	preset:   "freshdesk",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized: You have to be logged in to perform this action.",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/a/contacts/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	missed: []string{"+33 (0)1 23 45 67 89", "0123 45 67 89", "+33123456789 ext. 12"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc, known ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				switch {
				case user != "the-key" || password != "X":
					hostedReply(w, http.StatusUnauthorized, map[string]any{"code": "invalid_credentials", "message": "You have to be logged in to perform this action."})
				case o.is(failing):
					hostedReply(w, http.StatusTooManyRequests, map[string]any{"message": "You have exceeded the limit of requests per minute"})
				case !hostedKnows(r, known...):
					freshdeskInvalid(w, "Unexpected/invalid field in request")
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("GET /api/v2/search/contacts", guarded(func(w http.ResponseWriter, r *http.Request) {
			match, ok := freshdeskFilter(r.FormValue("query"))
			if !ok {
				freshdeskInvalid(w, "Given query is invalid")
				return
			}
			found := freshdeskContacts(o.search("contact", match))
			reply(w, map[string]any{"total": len(found), "results": found})
		}, "query", "page"))
		mux.HandleFunc("GET /api/v2/contacts", guarded(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, freshdeskContacts(o.all("contact")))
		}, "phone", "mobile", "email", "company_id", "state", "updated_since", "page", "per_page"))
		mux.HandleFunc("GET /api/v2/companies/12", guarded(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, map[string]any{"id": 12, "name": "Quai Nord", "domains": []string{}})
		}))
		mux.HandleFunc("GET /api/v2/tickets", guarded(func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("requester_id") != "4711" || r.FormValue("updated_since") == "" {
				reply(w, []any{})
				return
			}
			tickets := []any{}
			for id, status := range []int{5, 4, 6, 2, 3} { // closed, resolved, one of the account's own, open, pending
				tickets = append(tickets, map[string]any{"id": 100 + id, "subject": "No dial tone", "status": status})
			}
			reply(w, tickets)
		}, "requester_id", "updated_since", "order_by", "order_type", "per_page", "page"))
		return mux
	},
}

func freshdeskInvalid(w http.ResponseWriter, message string) {
	hostedReply(w, http.StatusBadRequest, map[string]any{"description": "Validation failed", "errors": []any{map[string]any{"field": "query", "message": message, "code": "invalid_value"}}})
}

func freshdeskContacts(cards []card) []any {
	contacts := []any{}
	for _, c := range cards {
		contacts = append(contacts, map[string]any{"id": hostedID(c), "name": c.First + " " + c.Last, "email": c.Email, "phone": c.phone(0), "mobile": c.phone(1), "company_id": 12, "active": true})
	}
	return contacts
}

var freshdeskTerm = regexp.MustCompile(`^(phone|mobile):'([^']*)'$`)

// freshdeskFilter reads a query: "phone:'...' OR mobile:'...'", in double quotes.
func freshdeskFilter(query string) (match func(card) bool, ok bool) {
	inner, opened := strings.CutPrefix(query, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !opened || !closed || len(query) > 512 {
		return nil, false
	}
	var terms [][]string
	for text := range strings.SplitSeq(inner, " OR ") {
		term := freshdeskTerm.FindStringSubmatch(text)
		if term == nil {
			return nil, false
		}
		terms = append(terms, term)
	}
	return func(c card) bool {
		return slices.ContainsFunc(terms, func(term []string) bool {
			return c.phone(map[string]int{"phone": 0, "mobile": 1}[term[1]]) == term[2]
		})
	}, true
}

func TestFreshdesk(t *testing.T) { freshdesk.test(t) }

func TestFreshdeskListsSomeRecords(t *testing.T) { freshdesk.testSample(t) }

func TestFreshdeskLinks(t *testing.T) {
	freshdesk.testLinksOfHosted(t, "/a/search/customers?term=0123456789", "/a/contacts/new")
}

func TestFreshdeskTellsOpenTickets(t *testing.T) {
	d := freshdesk.open(t, freshdesk.options)
	d.fileCaller("4711")
	d.retitle(t, "{contact.tickets}|{contact.ticket}|{contact.ticket_subject}|{contact.ticket_url}")
	if title, want := d.title(), "3|102|No dial tone|"+d.address+"/a/tickets/102"; title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	d.fileCaller("4712")
	if title, want := d.title(), "0|||"+d.address+"/a/contacts/4712"; title != want {
		t.Errorf("without tickets the title is %q, want %q", title, want)
	}
}
