package caddymodule

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Bitrix24 as its documentation tells, and its source where that says how
// numbers are compared.
var bitrix24 = product{
	preset:   "bitrix24",
	options:  "webhook 1/the-code",
	wrong:    [2]string{"1/the-code", "1/another-code"},
	rejected: "401 Unauthorized: Invalid request credentials",
	kinds: []kind{
		{name: "contact", phones: 3, page: "$CRM/crm/contact/details/$ID/", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "company", phones: 2, page: "$CRM/crm/company/details/$ID/", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/crm/lead/details/$ID/", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found:  append([]string{"0123 45 67 89", "+33123456789;12"}, measured...),
	missed: []string{"+33123456789 ext. 12", "+33 (0)1 23 45 67 89"},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		for _, kind := range []string{"contact", "company", "lead"} {
			mux.HandleFunc("POST /rest/1/the-code/crm."+kind+".get", bitrix24Method(o, func(w http.ResponseWriter, params bitrix24Params) {
				id, _ := strconv.Atoi(params.ID)
				if id <= 0 {
					bitrix24Error(w, http.StatusBadRequest, "", "ID is not defined or invalid.")
					return
				}
				if kind == "company" && params.ID == "12" {
					reply(w, map[string]any{"result": map[string]any{"ID": "12", "TITLE": "Quai Nord"}})
					return
				}
				for _, c := range o.all(kind) {
					if c.ID == params.ID {
						reply(w, map[string]any{"result": bitrix24Entity(kind, c)})
						return
					}
				}
				bitrix24Error(w, http.StatusBadRequest, "", "Not found")
			}))
			mux.HandleFunc("POST /rest/1/the-code/crm."+kind+".list", bitrix24Method(o, func(w http.ResponseWriter, params bitrix24Params) {
				list := []any{}
				for _, c := range o.all(kind) {
					selected := map[string]any{}
					for name, value := range bitrix24Entity(kind, c) {
						if slices.Contains(params.Select, name) {
							selected[name] = value
						}
					}
					list = append(list, selected)
				}
				reply(w, map[string]any{"result": list, "total": 0})
			}))
		}
		mux.HandleFunc("POST /rest/1/the-code/crm.duplicate.findbycomm", bitrix24Method(o, func(w http.ResponseWriter, params bitrix24Params) {
			kind, ok := map[string]string{"CONTACT": "contact", "COMPANY": "company", "LEAD": "lead"}[params.EntityType]
			switch {
			case params.Type != "PHONE":
				bitrix24Error(w, http.StatusBadRequest, "Communication type is not defined", "Parameter 'type' is required.")
				return
			case len(params.Values) == 0 || len(params.Values) > 20 || !ok:
				bitrix24Error(w, http.StatusBadRequest, "Communication values is not defined", "Parameter 'values' is required.")
				return
			}
			var ids []int
			for _, c := range o.search(kind, func(c card) bool {
				return slices.ContainsFunc(c.Phones, func(number string) bool {
					return number != "" && slices.ContainsFunc(params.Values, func(value string) bool { return bitrix24Code(number) == bitrix24Code(value) })
				})
			}) {
				ids = append(ids, hostedID(c))
			}
			if len(ids) == 0 {
				reply(w, map[string]any{"result": []any{}}) // PHP's empty map
				return
			}
			reply(w, map[string]any{"result": map[string]any{params.EntityType: ids}})
		}))
		mux.HandleFunc("POST /rest/{user}/{code}/{method}", func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("code") == "the-code" {
				bitrix24Error(w, http.StatusNotFound, "ERROR_METHOD_NOT_FOUND", "Method not found!")
				return
			}
			bitrix24Error(w, http.StatusUnauthorized, "INVALID_CREDENTIALS", "Invalid request credentials")
		})
		return mux
	},
}

// bitrix24Params are what the methods take.
type bitrix24Params struct {
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	EntityType string   `json:"entity_type"`
	Values     []string `json:"values"`
	Select     []string `json:"select"`
	Filter     any      `json:"filter"`
	Order      any      `json:"order"`
	Start      int      `json:"start"`
}

func bitrix24Method(o *office, serve func(http.ResponseWriter, bitrix24Params)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var params bitrix24Params
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		switch err := decoder.Decode(&params); {
		case err != nil:
			o.t.Errorf("Bitrix24 takes no such parameters: %v", err)
		case o.is(failing):
			bitrix24Error(w, http.StatusOK, "QUERY_LIMIT_EXCEEDED", "Too many requests")
		default:
			serve(w, params)
		}
	}
}

func bitrix24Error(w http.ResponseWriter, status int, code, description string) {
	hostedReply(w, status, map[string]any{"error": code, "error_description": description})
}

// bitrix24Entity is a card as crm.*.get shows it. A lead whose e-mail address
// begins with "closed" is.
func bitrix24Entity(kind string, c card) map[string]any {
	entity := map[string]any{"ID": c.ID, "EMAIL": []any{map[string]any{"ID": "9", "VALUE_TYPE": "WORK", "VALUE": c.Email, "TYPE_ID": "EMAIL"}}}
	var numbers []any
	for _, number := range hostedNumbers(c) {
		numbers = append(numbers, map[string]any{"ID": "8", "VALUE_TYPE": "WORK", "VALUE": number, "TYPE_ID": "PHONE"})
	}
	if numbers != nil {
		entity["PHONE"] = numbers
	}
	switch kind {
	case "company":
		entity["TITLE"] = c.Company
		return entity
	case "lead":
		entity["TITLE"], entity["COMPANY_TITLE"], entity["STATUS_SEMANTIC_ID"] = "Lead #"+c.ID, c.Company, "P"
		if strings.HasPrefix(c.Email, "closed") {
			entity["STATUS_SEMANTIC_ID"] = "S"
		}
	case "contact":
		entity["COMPANY_ID"] = map[bool]string{true: "12", false: "0"}[c.Company == "Quai Nord"]
	}
	entity["NAME"], entity["LAST_NAME"] = c.First, c.Last
	return entity
}

// bitrix24Code is what Bitrix24 compares: NormalizePhone of its main module,
// and what DuplicateCommunicationCriterion leaves of it.
func bitrix24Code(number string) string {
	if len(number) >= 10 && strings.HasPrefix(number, "+8") {
		number = "00" + number[1:]
	}
	code := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || strings.ContainsRune("#*,;", r) {
			return r
		}
		return -1
	}, number)
	if len(code) >= 10 {
		switch {
		case strings.HasPrefix(code, "80"), strings.HasPrefix(code, "81"), strings.HasPrefix(code, "82"):
		case strings.HasPrefix(code, "00"):
			code = code[2:]
		case strings.HasPrefix(code, "011"):
			code = code[3:]
		case strings.HasPrefix(code, "8"):
			code = "7" + code[1:]
		case strings.HasPrefix(code, "0"):
			code = code[1:]
		}
	}
	if end := strings.IndexAny(code, ";#,"); end > 0 {
		code = code[:end]
	}
	return code
}

func TestBitrix24(t *testing.T) { bitrix24.test(t) }

func TestBitrix24ListsSomeRecords(t *testing.T) { bitrix24.testSample(t) }

func TestBitrix24Links(t *testing.T) {
	bitrix24.testLinksOfHosted(t, "/crm/contact/list/", "/crm/contact/details/0/?phone=%2B33123456789")
}

// A lead that became a contact keeps its number: the contact alone is opened.
func TestBitrix24LeavesOutClosedLeads(t *testing.T) {
	d := bitrix24.open(t, bitrix24.options)
	d.office.file("lead", card{ID: "7", First: "Rosa", Last: "Marin", Email: "closed@example.org", Phones: []string{"+33123456789"}})
	d.expect(t, nonePage)
}

func TestBitrix24ContactWithoutACompany(t *testing.T) {
	d := bitrix24.open(t, bitrix24.options)
	d.office.file("contact", card{ID: "7", First: "Rosa", Last: "Marin", Email: "rosa@example.org", Phones: []string{"+33123456789"}})
	if title, want := d.title(), "Rosa Marin||rosa@example.org"; title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	if log := d.log(); strings.Contains(log, "ID is not defined") {
		t.Errorf("the log complains: %s", log)
	}
}

// The webhook is the secret, and stands in the address of every request.
func TestBitrix24KeepsTheWebhookSecret(t *testing.T) {
	o := &office{t: t, sessions: map[string]bool{}}
	address := runStandIn(t, o, bitrix24.standIn)
	o.file("contact", card{ID: "7", First: "Rosa", Last: "Marin", Phones: []string{"+33123456789"}})
	config := filepath.Join(t.TempDir(), "Caddyfile")
	text := "http://127.0.0.1:1 {\n\tscreen_pop {\n\t\torigins " + agentOrigin + "\n\t\tregion FR\n\t\tcrm bitrix24 " + address + " {\n\t\t\twebhook 1/the-code\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	status, err := check{out: &out, config: config, adapter: "caddyfile", number: knownCaller, deadline: 10 * time.Second}.run()
	if err != nil || status != exitFound || !strings.Contains(out.String(), "/rest/***/crm.duplicate.findbycomm") || strings.Contains(out.String(), "the-code") {
		t.Errorf("status %d, %v\n%s", status, err, out.String())
	}
}
