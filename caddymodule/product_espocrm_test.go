package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
	found:  append(slices.Clone(measured), "+33 (0)1 23 45 67 89"),
	missed: []string{"+33 1 23 45 67 89 ext. 12"},
	standIn: func(o *office) http.Handler {
		return espoCRMStandIn(o, func(r *http.Request) bool { return r.Header.Get("X-Api-Key") == "the-key" })
	},
}

// espoCRMStandIn answers requests that are admitted.
func espoCRMStandIn(o *office, admits func(*http.Request) bool) http.Handler {
	mux := http.NewServeMux()
	guarded := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !admits(r):
				w.WriteHeader(http.StatusUnauthorized)
			case o.is(failing):
				espoCRMFails(w, http.StatusInternalServerError, "Database is away.")
			default:
				serve(w, r)
			}
		}
	}
	for path, kind := range map[string]string{"/api/v1/Contact": "contact", "/api/v1/Account": "account", "/api/v1/Lead": "lead"} {
		mux.HandleFunc("GET "+path, guarded(func(w http.ResponseWriter, r *http.Request) {
			matches, problem := espoCRMFilter(kind, r.URL.Query())
			size, err := strconv.Atoi(r.URL.Query().Get("maxSize"))
			switch {
			case problem != "":
				espoCRMFails(w, http.StatusBadRequest, problem)
				return
			case err != nil || size > 200:
				espoCRMFails(w, http.StatusForbidden, "Max size should not exceed 200. Use offset and limit.")
				return
			}
			list := []any{}
			for _, c := range o.search(kind, matches) {
				record := map[string]any{
					"id": c.ID, "name": strings.TrimSpace(c.First + " " + c.Last), "accountName": c.Company, "emailAddress": c.Email, "phoneNumber": c.phone(0),
				}
				for field := range record {
					if field != "id" && !slices.Contains(strings.Split(r.URL.Query().Get("select"), ","), field) {
						delete(record, field)
					}
				}
				list = append(list, record)
			}
			reply(w, map[string]any{"total": -1, "list": list[:min(size, len(list))]})
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
}

func espoCRMFails(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("X-Status-Reason", reason)
	w.WriteHeader(status)
}

// espoCRMFilter are the conditions of a request; or why there are none.
func espoCRMFilter(kind string, query url.Values) (func(card) bool, string) {
	matches := func(card) bool { return true }
	for i := 0; query.Has(fmt.Sprintf("where[%d][type]", i)); i++ {
		item, problem := espoCRMItem(kind, query, fmt.Sprintf("where[%d]", i))
		if problem != "" {
			return nil, problem
		}
		others := matches
		matches = func(c card) bool { return others(c) && item(c) }
	}
	return matches, ""
}

// espoCRMItem is one condition: over the digits of any number, or whether a
// contact was made of a lead.
func espoCRMItem(kind string, query url.Values, at string) (func(card) bool, string) {
	operator, attribute := query.Get(at+"[type]"), query.Get(at+"[attribute]")
	list, text := query[at+"[value][]"], query.Get(at+"[value]")
	switch {
	case attribute == "createdContactId" && kind == "lead" && operator == "isNull":
		return func(c card) bool { return c.Last != "Converted" }, ""
	case attribute != "phoneNumberNumeric":
		return nil, fmt.Sprintf("Not existing attribute '%s' in where.", attribute)
	case operator == "in" && len(list) > 0:
		return espoCRMHas(func(numeric string) bool { return slices.Contains(list, numeric) }), ""
	case operator == "endsWith" && text != "":
		return espoCRMHas(func(numeric string) bool { return strings.HasSuffix(numeric, text) }), ""
	}
	return nil, fmt.Sprintf("Bad where item '%s'.", operator)
}

func espoCRMHas(fits func(numeric string) bool) func(card) bool {
	return func(c card) bool {
		return slices.ContainsFunc(c.Phones, func(number string) bool { return digits(number) != "" && fits(digits(number)) })
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

// The first search is exact, and there may be nothing but it.
func TestEspoCRMsFirstSearch(t *testing.T) {
	p := espoCRM
	p.options += "\notherwise off"
	p.found, p.missed = measured, []string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12"}
	p.test(t)
}

// An API user with HMAC authentication is not let in by its key alone.
func TestEspoCRMWithHMAC(t *testing.T) {
	p := espoCRM
	p.options = `api_key the-key
secret_key the-secret
auth sign {
	derive mac hmac-sha256 {credential.secret_key} "{request.method} {request.path}"
	derive token base64 "{credential.api_key}:{sign.mac}"
	header X-Hmac-Authorization {sign.token}
}`
	p.wrong = [2]string{"the-secret", "another-secret"}
	p.standIn = func(o *office) http.Handler {
		return espoCRMStandIn(o, func(r *http.Request) bool {
			mac := hmac.New(sha256.New, []byte("the-secret"))
			mac.Write([]byte(r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")))
			signed := base64.StdEncoding.EncodeToString([]byte("the-key:" + hex.EncodeToString(mac.Sum(nil))))
			return r.Header.Get("X-Api-Key") == "" && r.Header.Get("X-Hmac-Authorization") == signed
		})
	}
	p.test(t)
}

// The lead keeps its number, beside the contact that was made of it.
func TestEspoCRMLeavesConvertedLeadsOut(t *testing.T) {
	d := espoCRM.open(t, espoCRM.options)
	for _, spelling := range []string{"+33123456789", "+33 (0)1 23 45 67 89"} {
		d.office.file("lead", card{ID: "4711", Last: "Converted", Phones: []string{spelling}})
		d.expect(t, nonePage)
		d.office.file("lead", card{ID: "4711", Last: "Open", Phones: []string{spelling}})
		d.expect(t, d.address+"/#Lead/view/4711")
	}
}

func TestEspoCRMsSamples(t *testing.T) { espoCRM.testSample(t) }

func TestEspoCRMsPages(t *testing.T) {
	espoCRM.open(t, espoCRM.options).showsPages(t, "/#Contact/create", "/#Contact")
}
