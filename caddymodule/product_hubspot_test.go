package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// HubSpot as its guide to the search of the CRM has it.
var hubSpot = product{
	preset:   "hubspot",
	options:  "token pat-eu1-the-token\nportal 139\napi $CRM/api",
	wrong:    [2]string{"pat-eu1-the-token", "pat-eu1-another"},
	rejected: "401 Unauthorized: Authentication credentials not found",
	kinds: []kind{
		{name: "contact", phones: 2, page: "$CRM/contacts/139/record/0-1/$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "company", phones: 1, page: "$CRM/contacts/139/record/0-2/$ID", title: "$COMPANY|$COMPANY|"},
	},
	standIn: hubSpotStandIn,
}

// hubSpotSearch is the body of a search.
type hubSpotSearch struct {
	Query        *string `json:"query"`
	FilterGroups []struct {
		Filters []hubSpotFilter `json:"filters"`
	} `json:"filterGroups"`
	Properties []string `json:"properties"`
	Limit      int      `json:"limit"`
}

type hubSpotFilter struct {
	PropertyName string   `json:"propertyName"`
	Operator     string   `json:"operator"`
	Value        string   `json:"value"`
	Values       []string `json:"values"`
}

func hubSpotStandIn(o *office) http.Handler {
	mux := http.NewServeMux()
	guarded := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "Bearer pat-eu1-the-token":
				hubSpotError(w, http.StatusUnauthorized, "INVALID_AUTHENTICATION", "Authentication credentials not found. This API supports OAuth 2.0 authentication")
			case o.is(failing):
				hubSpotError(w, http.StatusTooManyRequests, "RATE_LIMITS", "You have reached your secondly limit.")
			default:
				serve(w, r)
			}
		}
	}
	for object, kind := range map[string]string{"contacts": "contact", "companies": "company"} {
		mux.HandleFunc("POST /api/crm/v3/objects/"+object+"/search", guarded(func(w http.ResponseWriter, r *http.Request) {
			search, err := readHubSpotSearch(r)
			if err == nil {
				err = search.check(kind)
			}
			if err != nil {
				hubSpotError(w, http.StatusBadRequest, "VALIDATION_ERROR", err.Error())
				return
			}
			results := []any{}
			for _, c := range o.search(kind, func(c card) bool { return search.matches(hubSpotProperties(kind, c)) }) {
				properties := map[string]any{"hs_object_id": c.ID}
				for _, name := range search.Properties {
					properties[name] = nil
					if value := hubSpotProperties(kind, c)[name]; value != "" {
						properties[name] = value
					}
				}
				results = append(results, map[string]any{"id": c.ID, "properties": properties, "archived": false})
			}
			reply(w, map[string]any{"total": len(results), "results": results})
		}))
	}
	mux.HandleFunc("GET /api/crm/v3/objects/companies/{id}", guarded(func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "77" || r.URL.RawQuery != "properties=name" {
			hubSpotError(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
			return
		}
		reply(w, map[string]any{"id": "77", "properties": map[string]any{"name": "Port Sud"}})
	}))
	return mux
}

func hubSpotError(w http.ResponseWriter, status int, category, message string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"status": "error", "message": message, "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf", "category": category})
}

func readHubSpotSearch(r *http.Request) (hubSpotSearch, error) {
	var search hubSpotSearch
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return search, err
	case len(body) > 3000:
		return search, errors.New("the body is too long")
	case r.Header.Get("Content-Type") != "application/json":
		return search, errors.New("not JSON")
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	return search, decoder.Decode(&search)
}

// check refuses what HubSpot does: it allows five groups and 18 filters, and
// properties that there are.
func (s hubSpotSearch) check(kind string) error {
	filters := 0
	for _, group := range s.FilterGroups {
		filters += len(group.Filters)
		for _, filter := range group.Filters {
			switch _, known := hubSpotProperties(kind, card{})[filter.PropertyName]; {
			case !known:
				return fmt.Errorf("There was a problem with the request: no property %s", filter.PropertyName) //nolint:staticcheck // HubSpot's words
			case filter.Operator == "IN" && (len(filter.Values) == 0 || filter.Value != ""),
				filter.Operator == "CONTAINS_TOKEN" && (filter.Value == "" || filter.Values != nil),
				filter.Operator != "IN" && filter.Operator != "CONTAINS_TOKEN" && filter.Operator != "HAS_PROPERTY":
				return fmt.Errorf("invalid filter %+v", filter)
			}
		}
	}
	if len(s.FilterGroups) > 5 || filters > 18 || s.Limit < 1 || s.Limit > 200 {
		return errors.New("too many groups, filters or results")
	}
	return nil
}

func (s hubSpotSearch) matches(properties map[string]string) bool {
	if s.Query != nil {
		return strings.HasSuffix(digits(properties["phone"]), *s.Query)
	}
	for _, group := range s.FilterGroups {
		if !slices.ContainsFunc(group.Filters, func(f hubSpotFilter) bool { return !f.matches(properties[f.PropertyName]) }) {
			return true
		}
	}
	return false
}

func (f hubSpotFilter) matches(value string) bool {
	switch {
	case f.Operator == "HAS_PROPERTY":
		return value != ""
	case f.Operator == "IN":
		return slices.Contains(f.Values, value)
	case strings.HasPrefix(f.Value, "*"):
		return strings.HasSuffix(value, f.Value[1:])
	}
	return slices.Contains(strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" .-()", r) }), f.Value)
}

// hubSpotProperties are a record's. A company that begins with # is one of its
// own, by its id.
func hubSpotProperties(kind string, c card) map[string]string {
	if kind == "company" {
		return map[string]string{"name": c.Company, "phone": c.phone(0)}
	}
	id, related := strings.CutPrefix(c.Company, "#")
	if !related {
		id = ""
	}
	return map[string]string{
		"firstname": c.First, "lastname": c.Last, "email": c.Email, "company": strings.TrimPrefix(c.Company, "#"+id), "associatedcompanyid": id,
		"phone": c.phone(0), "mobilephone": c.phone(1),
		"hs_searchable_calculated_phone_number":  hubSpotSearchable(c.phone(0)),
		"hs_searchable_calculated_mobile_number": hubSpotSearchable(c.phone(1)),
	}
}

// hubSpotSearchable is a number without its country code and zeros in front.
func hubSpotSearchable(number string) string {
	return strings.TrimLeft(digits(strings.TrimPrefix(number, "+33")), "0")
}

func TestHubSpot(t *testing.T) { hubSpot.test(t) }

func TestHubSpotListsSomeRecords(t *testing.T) { hubSpot.testSample(t) }

func TestHubSpotTellsTheCompanyOfAContact(t *testing.T) {
	d := hubSpot.open(t, hubSpot.options)
	for company, want := range map[string]string{"#77": "Rosa Marin|Port Sud|", "#78": "Rosa Marin||", "Quai Nord": "Rosa Marin|Quai Nord|"} {
		d.office.file("contact", card{ID: "4711", First: "Rosa", Last: "Marin", Company: company, Phones: []string{"+33123456789"}})
		if title := d.ring(knownCaller).field("title"); title != want {
			t.Errorf("the title of a contact of %s is %q, want %q: %s", company, title, want, d.why())
		}
	}
}
