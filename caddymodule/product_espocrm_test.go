package caddymodule

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// EspoCRM as measured on 9.2.7, with its numbers in two fields of the stand-in:
// the list shows only the first.
var espoCRM = product{
	preset:   "espocrm",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/#Contact/view/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/#Account/view/$ID", title: "$NAME|$NAME|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/#Lead/view/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("X-Api-Key") != "the-key":
					w.WriteHeader(http.StatusUnauthorized)
				case o.is(failing):
					w.Header().Set("X-Status-Reason", "Database is away.")
					w.WriteHeader(http.StatusInternalServerError)
				default:
					serve(w, r)
				}
			}
		}
		for path, kind := range map[string]string{"/api/v1/Contact": "contact", "/api/v1/Account": "account", "/api/v1/Lead": "lead"} {
			mux.HandleFunc("GET "+path, guarded(func(w http.ResponseWriter, r *http.Request) {
				list := []any{}
				for _, c := range o.search(kind, espoCRMFilter(r)) {
					list = append(list, map[string]any{
						"id": c.ID, "name": strings.TrimSpace(c.First + " " + c.Last), "accountName": c.Company, "emailAddress": c.Email, "phoneNumber": c.phone(0),
					})
				}
				reply(w, map[string]any{"total": -1, "list": list})
			}))
			mux.HandleFunc("GET "+path+"/{id}", guarded(func(w http.ResponseWriter, r *http.Request) {
				for _, c := range o.all(kind) {
					if c.ID == r.PathValue("id") {
						var all []any
						for _, number := range c.Phones {
							all = append(all, map[string]any{"phoneNumber": number})
						}
						reply(w, map[string]any{"id": c.ID, "phoneNumber": c.phone(0), "phoneNumberData": all})
						return
					}
				}
				w.WriteHeader(http.StatusNotFound)
			}))
		}
		return mux
	},
}

// espoCRMFilter is the one condition of a request, over the digits of any number.
func espoCRMFilter(r *http.Request) func(card) bool {
	query := r.URL.Query()
	if query.Get("where[0][attribute]") != "phoneNumberNumeric" {
		return func(card) bool { return false }
	}
	return func(c card) bool {
		return slices.ContainsFunc(c.Phones, func(number string) bool {
			numeric := digits(number)
			switch query.Get("where[0][type]") {
			case "in":
				return numeric != "" && slices.Contains(query["where[0][value][]"], numeric)
			case "endsWith":
				return numeric != "" && strings.HasSuffix(numeric, query.Get("where[0][value]"))
			}
			return false
		})
	}
}

// digits are those of a text, as products with a normalised column keep them.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func TestEspoCRM(t *testing.T) { espoCRM.test(t) }
