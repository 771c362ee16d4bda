package caddymodule

import (
	"net/http"
	"slices"
	"testing"
)

// Axonaut as its OpenAPI tells. How it compares numbers is not known: this one
// wants them as they are stored.
var axonaut = product{
	preset:   "axonaut",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "403 Forbidden: Forbidden access",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/business/employee/show/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:  append([]string{"33123456789"}, measured...),
	missed: []string{"+33 (0)1 23 45 67 89", "0123 45 67 89", "+33123456789 ext. 12"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc, known ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				switch key := r.Header.Get("userApiKey"); {
				case key == "":
					axonautError(w, http.StatusBadRequest, `Bad request - Missing header : "userApiKey"`)
				case key != "the-key":
					axonautError(w, http.StatusForbidden, "Forbidden access")
				case o.is(failing):
					axonautError(w, http.StatusOK, "Internal error")
				case !hostedKnows(r, known...):
					o.t.Errorf("Axonaut knows no such parameters: %s", r.URL.RawQuery)
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("GET /api/v2/employees", guarded(func(w http.ResponseWriter, r *http.Request) {
			phone := r.FormValue("phone")
			list := []any{}
			for _, c := range o.search("contact", func(c card) bool { return phone == "" || slices.Contains(c.Phones, phone) }) {
				list = append(list, map[string]any{
					"id": hostedID(c), "gender": 1, "firstname": c.First, "lastname": c.Last, "email": c.Email, "phone_number": c.phone(0), "cellphone_number": c.phone(1),
					"job": nil, "is_billing_contact": false, "company_id": 977441, "custom_fields": []any{},
				})
			}
			reply(w, list)
		}, "phone", "email", "firstname", "lastname"))
		mux.HandleFunc("GET /api/v2/companies/977441", guarded(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, map[string]any{"id": 977441, "name": "Quai Nord"})
		}))
		return mux
	},
}

func axonautError(w http.ResponseWriter, status int, message string) {
	hostedReply(w, status, map[string]any{"error": map[string]any{"message": message, "status_code": "500"}})
}

func TestAxonaut(t *testing.T) { axonaut.test(t) }

func TestAxonautFindsByItsFirstSearch(t *testing.T) {
	axonaut.testFirst(t, []string{"+33123456789", "0123456789", "01 23 45 67 89", "+33 1 23 45 67 89"}, []string{"01.23.45.67.89", "0033123456789"})
}

func TestAxonautListsSomeRecords(t *testing.T) { axonaut.testSample(t) }
