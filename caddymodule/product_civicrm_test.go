package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// CiviCRM as its source has it: numbers are records of their own, whose digits
// a trigger keeps, and what belongs to their contact has names with dots.
var civiCRM = product{
	preset:   "civicrm",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized",
	found:    slices.Concat(measured, []string{"+33 (0)1 23 45 67 89", "01 23 45 67 89 ext. 12", "01 23 45 67 89 / 06 12 34 56 78"}),
	kinds: []kind{
		{name: "contact", phones: 3, page: "$CRM/civicrm/contact/view?reset=1&cid=$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /civicrm/ajax/api4/Phone/get", func(w http.ResponseWriter, r *http.Request) {
			var params struct {
				Select []string
				Where  [][]any
				Limit  int
			}
			written := r.PostFormValue("params")
			switch {
			case r.Header.Get("X-Civi-Auth") != "Bearer the-key":
				w.Header().Set("Content-Type", "text/plain")
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, "HTTP 401 Invalid credential")
				return
			case r.Header.Get("X-Requested-With") != "XMLHttpRequest":
				civiCRMError(w, http.StatusBadRequest, "SECURITY ALERT: Ajax requests can only be issued by javascript clients, eg. CRM.api4().")
				return
			case o.is(failing):
				civiCRMError(w, http.StatusOK, "DB Error: connect failed")
				return
			case written != "" && json.Unmarshal([]byte(written), &params) != nil:
				civiCRMError(w, http.StatusInternalServerError, "Expected to find an array of params")
				return
			}
			values := []any{}
			for _, c := range o.all("contact") {
				for i, number := range c.Phones {
					row := map[string]any{
						"id": i + 1, "phone": number, "phone_numeric": digits(number), "contact_id": json.Number(c.ID), "contact_id.is_deleted": c.Last == "Deleted",
						"contact_id.contact_type": "Individual", "contact_id.display_name": strings.TrimSpace(c.First + " " + c.Last),
						"contact_id.organization_name": c.Company, "contact_id.email_primary.email": c.Email,
					}
					if c.First == "" {
						row["contact_id.contact_type"], row["contact_id.display_name"] = "Organization", c.Company
					}
					selected, wrong := civiCRMSelects(params.Where, row)
					if wrong != nil {
						civiCRMError(w, http.StatusInternalServerError, wrong.Error())
						return
					}
					if number == "" || !selected && !o.is(careless) {
						continue
					}
					cells := map[string]any{"id": i + 1}
					for _, field := range params.Select {
						if value, ok := row[field]; ok {
							cells[field] = value
						}
					}
					values = append(values, cells)
				}
			}
			if params.Limit > 0 {
				values = values[:min(params.Limit, len(values))]
			}
			reply(w, map[string]any{"values": values, "entity": "Phone", "action": "get", "version": 4, "count": len(values)})
		})
		return mux
	},
}

// civiCRMSelects evaluates the conditions of a call, which all have to hold.
func civiCRMSelects(where [][]any, row map[string]any) (bool, error) {
	selected := true
	for _, clause := range where {
		if len(clause) != 3 {
			return false, fmt.Errorf("invalid clause %v", clause)
		}
		value, known := row[fmt.Sprint(clause[0])]
		if !known {
			return false, fmt.Errorf("invalid field '%v'", clause[0])
		}
		var holds bool
		switch clause[1] {
		case "=":
			holds = value == clause[2]
		case "IN":
			list, _ := clause[2].([]any)
			holds = slices.Contains(list, value)
		case "LIKE":
			holds = percentPattern(fmt.Sprint(clause[2])).MatchString(fmt.Sprint(value))
		default:
			return false, fmt.Errorf("illegal operator %v", clause[1])
		}
		selected = selected && holds
	}
	return selected, nil
}

func civiCRMError(w http.ResponseWriter, status int, words string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"error_code": 1, "error_message": words, "status": status})
}

func TestCiviCRM(t *testing.T) { civiCRM.test(t) }

func TestCiviCRMFindsByItsFirstSearch(t *testing.T) {
	civiCRM.testFirst(t, measured, []string{"+33 (0)1 23 45 67 89", "01 23 45 67 89 ext. 12"})
}

func TestCiviCRMAContactWithTheNumberTwiceIsOne(t *testing.T) {
	d := civiCRM.open(t, civiCRM.options)
	d.office.file("contact", card{ID: "203", First: "Rosa", Last: "Marin", Phones: []string{"01 23 45 67 89", "+33 1 23 45 67 89"}})
	d.expect(t, d.address+"/civicrm/contact/view?reset=1&cid=203")
}

func TestCiviCRMAPersonComesBeforeItsOrganization(t *testing.T) {
	d := civiCRM.showing(t, "{contact.kind} {contact.name}")
	organization := card{ID: "204", Company: "Quai Nord", Phones: []string{"01 23 45 67 89"}}
	d.office.file("contact", organization)
	d.wantTitle(t, "organization Quai Nord")
	d.office.file("contact", organization, card{ID: "203", First: "Rosa", Last: "Marin", Company: "Quai Nord", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "individual Rosa Marin")
}

func TestCiviCRMADeletedContactIsNobody(t *testing.T) {
	d := civiCRM.open(t, civiCRM.options)
	d.office.file("contact", card{ID: "203", First: "Rosa", Last: "Deleted", Phones: []string{"01 23 45 67 89", "+33 (0)1 23 45 67 89"}})
	d.expect(t, nonePage)
}
