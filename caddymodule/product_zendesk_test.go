package caddymodule

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Zendesk as its documentation tells: phone:*<digits> finds a number however
// it is written. The user in a search has its first number only.
var zendesk = product{
	preset:   "zendesk",
	options:  "email agent@example.org\napi_token the-token",
	wrong:    [2]string{"the-token", "another-token"},
	rejected: "401 Unauthorized: Couldn't authenticate you",
	kinds: []kind{
		{name: "user", phones: 3, page: "$CRM/agent/users/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:  append([]string{"+33 (0)1 23 45 67 89"}, measured...),
	missed: []string{"+33123456789 ext. 12"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc, known ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				user, password, _ := r.BasicAuth()
				token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				switch {
				case !o.admits(token) && (user != "agent@example.org/token" || password != "the-token"):
					hostedReply(w, http.StatusUnauthorized, map[string]any{"error": "Couldn't authenticate you"})
				case o.is(failing):
					hostedReply(w, http.StatusServiceUnavailable, map[string]any{"error": "Database collapsed"})
				case !hostedKnows(r, known...):
					hostedReply(w, http.StatusBadRequest, map[string]any{"error": "InvalidRequest"})
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("GET /api/v2/search.json", guarded(func(w http.ResponseWriter, r *http.Request) {
			switch query := r.FormValue("query"); {
			case zendeskUserQuery.MatchString(query):
				end := zendeskUserQuery.FindStringSubmatch(query)[1]
				found := o.search("user", func(c card) bool {
					return slices.ContainsFunc(c.Phones, func(number string) bool { return strings.HasSuffix(digits(number), end) })
				})
				reply(w, map[string]any{"results": zendeskUsers(found), "count": len(found), "next_page": nil})
			case query == "type:ticket status<solved requester:4711" && r.FormValue("sort_by") == "updated_at" && r.FormValue("sort_order") == "desc":
				reply(w, map[string]any{"count": 2, "results": []any{
					map[string]any{"id": 35436, "subject": "No dial tone", "status": "open", "result_type": "ticket"},
					map[string]any{"id": 35001, "subject": "A second line", "status": "pending", "result_type": "ticket"},
				}})
			case strings.HasPrefix(query, "type:ticket status<solved requester:"):
				reply(w, map[string]any{"count": 0, "results": []any{}})
			default:
				hostedReply(w, http.StatusUnprocessableEntity, map[string]any{"error": "invalid", "description": "Invalid search: " + query})
			}
		}, "query", "sort_by", "sort_order", "per_page"))
		mux.HandleFunc("GET /api/v2/users.json", guarded(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, map[string]any{"users": zendeskUsers(o.all("user"))})
		}, "role", "per_page"))
		mux.HandleFunc("GET /api/v2/users/{id}/identities.json", guarded(func(w http.ResponseWriter, r *http.Request) {
			for _, c := range o.all("user") {
				if c.ID == r.PathValue("id") {
					identities := []any{map[string]any{"id": 1, "user_id": hostedID(c), "type": "email", "value": c.Email}}
					for _, number := range hostedNumbers(c) {
						identities = append(identities, map[string]any{"id": 2, "user_id": hostedID(c), "type": "phone_number", "value": number})
					}
					reply(w, map[string]any{"identities": identities, "count": len(identities)})
					return
				}
			}
			hostedReply(w, http.StatusNotFound, map[string]any{"error": "RecordNotFound", "description": "Not found"})
		}))
		mux.HandleFunc("GET /api/v2/organizations/12.json", guarded(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, map[string]any{"organization": map[string]any{"id": 12, "name": "Quai Nord"}})
		}))
		mux.HandleFunc("POST /oauth/tokens", func(w http.ResponseWriter, r *http.Request) {
			var asked map[string]string
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked["grant_type"] != "client_credentials" || asked["scope"] != "read" {
				hostedReply(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
				return
			}
			if asked["client_id"] != "gateway" || asked["client_secret"] != "the-secret" {
				hostedReply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Client authentication failed"})
				return
			}
			reply(w, map[string]any{"access_token": o.login(), "token_type": "bearer", "scope": "read", "expires_in": 7200})
		})
		return mux
	},
}

// zendeskByOAuth is what the page writes for accounts without API tokens.
func zendeskByOAuth() product {
	p := zendesk
	p.options = `auth oauth2 {crm.url}/oauth/tokens {
	client_id gateway
	client_secret the-secret
	encoding json
	scope read
}`
	p.wrong = [2]string{"the-secret", "another-secret"}
	p.rejected = "Client authentication failed"
	p.sessions = true
	return p
}

var zendeskUserQuery = regexp.MustCompile(`^role:end-user phone:\*(\d+)$`)

func zendeskUsers(cards []card) []any {
	users := []any{}
	for _, c := range cards {
		var first any
		if c.phone(0) != "" {
			first = c.phone(0)
		}
		users = append(users, map[string]any{
			"id": hostedID(c), "name": c.First + " " + c.Last, "email": c.Email, "phone": first, "role": "end-user", "organization_id": 12, "result_type": "user",
		})
	}
	return users
}

func TestZendesk(t *testing.T) { zendesk.test(t) }

func TestZendeskByOAuth(t *testing.T) { zendeskByOAuth().test(t) }

func TestZendeskListsSomeRecords(t *testing.T) { zendesk.testSample(t) }

func TestZendeskLinks(t *testing.T) {
	zendesk.testLinksOfHosted(t, "/agent/search/1?type=user&q=phone%3A*123456789", "/agent/users/new")
}

func TestZendeskTellsOpenTickets(t *testing.T) {
	d := zendesk.open(t, zendesk.options)
	d.fileCaller("4711")
	d.retitle(t, "{contact.tickets}|{contact.ticket}|{contact.ticket_subject}|{contact.ticket_url}")
	if title, want := d.title(), "2|35436|No dial tone|"+d.address+"/agent/tickets/35436"; title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	d.fileCaller("4712")
	if title, want := d.title(), "0|||"+d.address+"/agent/users/4712"; title != want {
		t.Errorf("without tickets the title is %q, want %q", title, want)
	}
}
