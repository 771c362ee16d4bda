package caddymodule

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Pipedrive as its client libraries describe API v2. How its search treats
// spaces is not known: this one takes texts as they are stored.
var pipedrive = product{
	preset:   "pipedrive",
	options:  "api_token the-token",
	wrong:    [2]string{"the-token", "another-token"},
	rejected: "401 Unauthorized: unauthorized access",
	kinds: []kind{
		{name: "person", phones: 3, page: "$CRM/person/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	missed: []string{"+33 (0)1 23 45 67 89", "0123 45 67 89"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		guarded := func(serve http.HandlerFunc, known ...string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("X-Api-Token") != "the-token":
					pipedriveError(w, http.StatusUnauthorized, "unauthorized access")
				case o.is(failing):
					pipedriveError(w, http.StatusTooManyRequests, "request over limit")
				case !hostedKnows(r, known...):
					pipedriveError(w, http.StatusBadRequest, "Parameter validation error")
				default:
					serve(w, r)
				}
			}
		}
		mux.HandleFunc("GET /api/v2/persons/search", guarded(func(w http.ResponseWriter, r *http.Request) {
			term, limit := r.FormValue("term"), r.FormValue("limit")
			if count, err := strconv.Atoi(limit); len(term) < 2 || r.FormValue("fields") != "phone" || err != nil || count > 500 {
				pipedriveError(w, http.StatusBadRequest, "Parameter validation error")
				return
			}
			items := []any{}
			for _, c := range o.search("person", func(c card) bool {
				return slices.ContainsFunc(c.Phones, func(number string) bool { return strings.Contains(number, term) })
			}) {
				items = append(items, map[string]any{"result_score": 0.5, "item": map[string]any{
					"id": hostedID(c), "type": "person", "name": c.First + " " + c.Last, "phones": hostedNumbers(c), "emails": []string{c.Email},
					"primary_email": c.Email, "organization": map[string]any{"id": 9, "name": c.Company, "address": nil}, "owner": map[string]any{"id": 1},
				}})
			}
			reply(w, map[string]any{"success": true, "data": map[string]any{"items": items}, "additional_data": map[string]any{"next_cursor": nil}})
		}, "term", "fields", "exact_match", "organization_id", "include_fields", "limit", "cursor"))
		mux.HandleFunc("GET /api/v2/persons", guarded(func(w http.ResponseWriter, _ *http.Request) {
			data := []any{}
			for _, c := range o.all("person") {
				phones := []any{}
				for _, number := range hostedNumbers(c) {
					phones = append(phones, map[string]any{"value": number, "primary": true, "label": "work"})
				}
				data = append(data, map[string]any{
					"id": hostedID(c), "name": c.First + " " + c.Last, "org_id": 9, "phones": phones,
					"emails": []any{map[string]any{"value": c.Email, "primary": true, "label": "work"}},
				})
			}
			reply(w, map[string]any{"success": true, "data": data, "additional_data": map[string]any{"next_cursor": nil}})
		}, "limit", "cursor"))
		return mux
	},
}

func pipedriveError(w http.ResponseWriter, status int, text string) {
	hostedReply(w, status, map[string]any{"success": false, "error": text, "errorCode": status})
}

func TestPipedrive(t *testing.T) { pipedrive.test(t) }

func TestPipedriveFindsByItsFirstSearch(t *testing.T) {
	pipedrive.testFirst(t, []string{"+33123456789", "33123456789", "0033123456789", "0123456789", "01 23 45 67 89", "+33 1 23 45 67 89"}, []string{"01.23.45.67.89", "(01) 23-45-67-89"})
}

func TestPipedriveListsSomeRecords(t *testing.T) { pipedrive.testSample(t) }

func TestPipedriveLinks(t *testing.T) {
	pipedrive.testLinksOfHosted(t, "/persons/list", "/persons/list#dialog/person/add")
}
