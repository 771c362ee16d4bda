package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// cortezaFields are those of the module in docs/crms/corteza.md.
func cortezaFields(c card) map[string]string {
	return map[string]string{
		"FirstName": c.First, "LastName": c.Last, "Email": c.Email, "AccountId": c.Company, "Phone": c.phone(0), "MobilePhone": c.phone(1),
	}
}

// cortezaRecord lists its values by name, those without one left out; of a
// field with several, one for each.
func cortezaRecord(c card) map[string]any {
	values := []any{}
	for name, value := range cortezaFields(c) {
		for part := range strings.SplitSeq(value, ";") {
			if part != "" {
				values = append(values, map[string]any{"name": name, "value": part})
			}
		}
	}
	return map[string]any{"recordID": c.ID, "moduleID": "412800000000000011", "namespaceID": "412800000000000001", "values": values}
}

func cortezaStandIn(o *office) http.Handler {
	const module = "/api/compose/namespace/412800000000000001/module/"
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "412800000000000031" || secret != "the-secret" || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != "api" {
			w.WriteHeader(http.StatusUnauthorized)
			reply(w, map[string]any{"error": "invalid_client", "error_description": "Client authentication failed"})
			return
		}
		reply(w, map[string]any{"access_token": o.login(), "expires_in": 7200, "token_type": "Bearer", "scope": "api"})
	})
	guarded := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			switch {
			case !o.admits(token):
				w.WriteHeader(http.StatusUnauthorized)
				cortezaError(w, "Unauthorized")
			case o.is(failing):
				cortezaError(w, "database is away")
			default:
				serve(w, r)
			}
		}
	}
	mux.HandleFunc("GET "+module+"412800000000000011/record/", guarded(func(w http.ResponseWriter, r *http.Request) {
		test, err := soqlConditions.parse(r.URL.Query().Get("query"), []string{"FirstName", "LastName", "Email", "AccountId", "Phone", "MobilePhone"})
		if err != nil {
			cortezaError(w, "query parsing failed: "+err.Error())
			return
		}
		set := []any{}
		for _, c := range o.search("contact", func(c card) bool { return test(cortezaFields(c)) }) {
			set = append(set, cortezaRecord(c))
		}
		reply(w, map[string]any{"response": map[string]any{"filter": map[string]any{"limit": 20}, "set": set}})
	}))
	mux.HandleFunc("GET "+module+"412800000000000012/record/{id}", guarded(func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "4133" {
			cortezaError(w, "record not found")
			return
		}
		reply(w, map[string]any{"response": map[string]any{"recordID": "4133", "values": []any{map[string]any{"name": "AccountName", "value": "Quai Nord"}}}})
	}))
	return mux
}

// cortezaError has the status 200, as all answers of the API do.
func cortezaError(w http.ResponseWriter, message string) {
	reply(w, map[string]any{"error": map[string]any{"message": message}})
}

func openCorteza(t *testing.T, secret string) *desk {
	t.Helper()
	t.Setenv("CORTEZA_CLIENT_ID", "412800000000000031")
	t.Setenv("CORTEZA_CLIENT_SECRET", secret)
	return openPage(t, "docs/crms/corteza.md", 0, cortezaStandIn, "https://corteza.example.com", "$CRM")
}

func TestCortezaIsAskedAsTheDocumentsSay(t *testing.T) {
	d := openCorteza(t, "the-secret")
	page := d.address + "/compose/ns/crm/pages/412800000000000021/record/4711"
	rosa := card{ID: "4711", First: "Rosa", Last: "Marin", Email: "rosa@example.org", Company: "4133"}
	stranger := card{ID: "4712", Last: "Olsen", Phones: []string{"+33987654321"}}
	for _, spelling := range measured {
		rosa.Phones = []string{"", spelling}
		d.office.file("contact", stranger, rosa)
		d.expect(t, page)
	}
	rosa.Phones = []string{"+33987654321;(01) 23-45-67-89"}
	d.office.file("contact", rosa)
	d.expect(t, page)
	if title := d.ring(knownCaller).field("title"); title != "Rosa Marin, Quai Nord" {
		t.Errorf("the title is %q: %s", title, d.why())
	}
	d.office.file("contact", stranger)
	d.expect(t, nonePage)
	d.office.become(careless)
	d.expect(t, nonePage)
}

func TestCortezaFailsWithStatus200(t *testing.T) {
	d := openCorteza(t, "the-secret")
	d.office.file("contact", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
	d.office.become(failing)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "database is away") {
		t.Errorf("the log says %s", why)
	}
}

func TestCortezaRefusesAWrongSecret(t *testing.T) {
	d := openCorteza(t, "another-secret")
	d.office.file("contact", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "invalid_client") {
		t.Errorf("the log says %s", why)
	}
}
