package caddymodule

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Sellsy as its OpenAPI tells. What its general search does with numbers is not
// known: this one compares them as they are stored.
var sellsy = product{
	preset:   "sellsy",
	options:  "client_id the-client\nclient_secret the-secret\napi $CRM\nauth oauth2 $CRM/oauth2/access-tokens",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "Client authentication failed",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/peoples/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "company", phones: 3, page: "$CRM/thirds/client/$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "individual", phones: 3, page: "$CRM/thirds/prospect/$ID", title: "$NAME||$EMAIL"},
	},
	found:    []string{"+33123456789", "0123456789", "01 23 45 67 89", "+33 1 23 45 67 89"},
	missed:   []string{"0033123456789", "01.23.45.67.89", "(01) 23-45-67-89"},
	sessions: true,
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc, known ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
				switch {
				case !o.admits(token):
					sellsyError(w, http.StatusUnauthorized, "The resource owner or authorization server denied the request.")
				case o.is(failing):
					sellsyError(w, http.StatusInternalServerError, "Internal error")
				case !hostedKnows(r, known...):
					sellsyError(w, http.StatusBadRequest, "Invalid parameter")
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("POST /oauth2/access-tokens", func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != "the-client" || r.PostFormValue("client_secret") != "the-secret" {
				hostedReply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Client authentication failed", "message": "Client authentication failed"})
				return
			}
			reply(w, map[string]any{"token_type": "Bearer", "expires_in": 86400, "access_token": o.login()})
		})
		mux.HandleFunc("POST /v2/contacts/search", guarded(func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				Filters struct {
					Phone  *string `json:"phone_number"`
					Mobile *string `json:"mobile_number"`
				} `json:"filters"`
			}
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&asked); err != nil {
				sellsyError(w, http.StatusBadRequest, "Invalid filters")
				return
			}
			list := []any{}
			for _, c := range o.search("contact", func(c card) bool {
				return (asked.Filters.Phone == nil || c.phone(0) == *asked.Filters.Phone) && (asked.Filters.Mobile == nil || c.phone(1) == *asked.Filters.Mobile)
			}) {
				list = append(list, sellsyRecord("contact", c))
			}
			reply(w, map[string]any{"data": list, "pagination": map[string]any{"count": len(list)}})
		}, "limit", "offset", "order", "direction", "embed[]", "field[]"))
		mux.HandleFunc("GET /v2/contacts/{id}/companies", guarded(func(w http.ResponseWriter, r *http.Request) {
			list := []any{}
			for _, c := range o.all("contact") {
				if c.ID == r.PathValue("id") {
					list = append(list, map[string]any{"id": 12, "name": c.Company})
				}
			}
			reply(w, map[string]any{"data": list})
		}))
		mux.HandleFunc("GET /v2/search", guarded(func(w http.ResponseWriter, r *http.Request) {
			list := []any{}
			for _, kind := range r.URL.Query()["type[]"] {
				for _, c := range o.search(kind, func(c card) bool { return slices.Contains(c.Phones, r.FormValue("q")) }) {
					list = append(list, sellsyFound(kind, c))
				}
			}
			reply(w, map[string]any{"data": list, "pagination": map[string]any{"count": len(list)}})
		}, "q", "type[]", "limit", "offset", "archived"))
		for path, kind := range map[string]string{"/v2/contacts": "contact", "/v2/companies": "company"} {
			mux.HandleFunc("GET "+path, guarded(func(w http.ResponseWriter, _ *http.Request) {
				list := []any{}
				for _, c := range o.all(kind) {
					list = append(list, sellsyRecord(kind, c))
				}
				reply(w, map[string]any{"data": list})
			}, "limit", "offset"))
		}
		return mux
	},
}

func sellsyError(w http.ResponseWriter, status int, message string) {
	hostedReply(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "context": "", "details": nil}})
}

// sellsyRecord is a card as its kind's own list has it.
func sellsyRecord(kind string, c card) map[string]any {
	record := map[string]any{"id": hostedID(c), "email": c.Email, "phone_number": nil, "mobile_number": nil, "fax_number": nil}
	if kind == "company" {
		record["name"] = c.Company
	} else {
		record["first_name"], record["last_name"] = c.First, c.Last
	}
	for i, name := range []string{"phone_number", "mobile_number", "fax_number"} {
		if c.phone(i) != "" {
			record[name] = c.phone(i)
		}
	}
	return record
}

// sellsyFound is a card as the general search has it: its id is another one.
func sellsyFound(kind string, c card) map[string]any {
	record := sellsyRecord(kind, c)
	record["id"] = "90" + c.ID
	record["object"] = map[string]any{
		"type": kind, "id": hostedID(c), "sub_type": map[string]string{"contact": "contact", "company": "client", "individual": "prospect"}[kind],
	}
	if kind == "contact" {
		record["companies"] = []any{map[string]any{"id": 12, "name": c.Company}}
	}
	return record
}

func TestSellsy(t *testing.T) { sellsy.test(t) }

func TestSellsyFindsByItsFirstSearch(t *testing.T) {
	sellsy.testFirst(t, []string{"+33123456789"}, []string{"0123456789", "01 23 45 67 89"})
}

func TestSellsyListsSomeRecords(t *testing.T) {
	p := sellsy
	p.kinds = p.kinds[:2]
	p.testSample(t)
}

func TestSellsyLinks(t *testing.T) { sellsy.testLinksOfHosted(t, "/peoples", "/peoples") }
