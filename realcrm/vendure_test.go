package realcrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const (
	vendureAdminPassword = "Adm1n-pass-4711"
	vendurePassword      = "Quay-lantern-92"
)

// vendure is a running Vendure with a database in memory.
type vendure struct {
	api

	process *process
}

func startVendure(t *testing.T) *vendure {
	t.Helper()
	server, err := filepath.Abs("vendure/server.js")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s := &vendure{api: api{t: t, address: "http://127.0.0.1:" + port}}
	s.process = start(t, []string{
		"PORT=" + port, "SUPERADMIN_PASSWORD=" + vendureAdminPassword, "NODE_PATH=" + fromEnvironment(t, "VENDURE_MODULES"),
	}, "node", server)
	s.process.waitUntil(t, func() bool { return answers(s.address + "/health") })
	s.authorize = s.login("superadmin", vendureAdminPassword)
	return s
}

// login opens a session of a user.
func (s *vendure) login(user, password string) func(*http.Request) {
	s.t.Helper()
	response, body := s.post("/admin-api", map[string]any{
		"query":     `mutation ($user: String!, $password: String!) { login(username: $user, password: $password) { __typename } }`,
		"variables": map[string]string{"user": user, "password": password},
	})
	token := response.Header.Get("vendure-auth-token")
	if token == "" {
		s.t.Fatalf("logging in: %s", body)
	}
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// ask makes a GraphQL request of which one part is wanted.
func (s *vendure) ask(query string, variables map[string]any) map[string]any {
	s.t.Helper()
	_, body := s.post("/admin-api", map[string]any{"query": query, "variables": variables})
	var answer struct{ Data map[string]map[string]any }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Data) != 1 {
		s.t.Fatalf("%s: %s", query, body)
	}
	for _, part := range answer.Data {
		return part
	}
	return nil
}

// administrator makes one with permissions.
func (s *vendure) administrator(email string, permissions ...string) {
	s.t.Helper()
	role := s.ask(`mutation ($code: String!, $permissions: [Permission!]!) { createRole(input: { code: $code, description: $code, permissions: $permissions }) { id } }`,
		map[string]any{"code": email, "permissions": permissions})
	s.ask(`mutation ($email: String!, $password: String!, $role: ID!) {
		createAdministrator(input: { firstName: "Phone", lastName: "Gateway", emailAddress: $email, password: $password, roleIds: [$role] }) { id } }`,
		map[string]any{"email": email, "password": vendurePassword, "role": role["id"]})
}

// add files a customer.
func (s *vendure) add(p person) person {
	s.t.Helper()
	forename, surname, _ := strings.Cut(p.name, " ")
	customer := s.ask(`mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on Customer { id } ... on ErrorResult { message } } }`,
		map[string]any{"input": map[string]string{"firstName": forename, "lastName": surname, "emailAddress": p.email, "phoneNumber": p.stored}})
	id, _ := customer["id"].(string)
	if id == "" {
		s.t.Fatalf("creating %s: %v", p.name, customer)
	}
	s.ask(`mutation ($id: ID!, $company: String!) { createCustomerAddress(customerId: $id, input: { company: $company, streetLine1: "Quay", countryCode: "FR" }) { id } }`,
		map[string]any{"id": id, "company": p.company})
	p.page = s.address + "/dashboard/customers/" + id
	return p
}

// customers counts them.
func (s *vendure) customers() any {
	s.t.Helper()
	return s.ask(`{ customers { totalItems } }`, nil)["totalItems"]
}

func TestVendure(t *testing.T) {
	s := startVendure(t)
	s.ask(`mutation { createCountry(input: { code: "FR", enabled: true, translations: [{ languageCode: en, name: "France" }] }) { id } }`, nil)
	s.administrator("gateway@example.com", "ReadCustomer")
	s.administrator("catalogue@example.com", "ReadCatalog")
	var list []person
	for _, p := range people(1, spellings...) {
		list = append(list, s.add(p))
	}
	first, second, stranger := twins()
	s.add(first)
	s.add(second)
	s.add(stranger)

	documented := documentedSite(t, "vendure.md", 0, s.address, map[string]string{"VENDURE_PASSWORD": vendurePassword})
	g := documented.serve(t)
	wrong := documented.withSecret("VENDURE_PASSWORD", "Another-pass-1").serve(t)

	testPeople(t, g, list)
	testOutcomes(t, g)
	t.Run("a session that was ended is opened again", func(t *testing.T) {
		gateway := vendure{api: api{t: t, address: s.address}}
		gateway.authorize = gateway.login("gateway@example.com", vendurePassword)
		// Vendure ends all sessions of a user who logs out.
		gateway.ask(`mutation { logout { success } }`, nil)
		g.expect(t, list[0].dialled, list[0].page)
	})
	t.Run("a wrong password is said", func(t *testing.T) {
		wrong.expect(t, list[0].dialled, unreachablePage)
		wrong.says(t, "crm vendure: lookup customer", "does not accept the credentials")
	})
	t.Run("a role that may not read customers is said", func(t *testing.T) {
		other := documented
		other.text = strings.Replace(other.text, "gateway@example.com", "catalogue@example.com", 1)
		g := other.serve(t)
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm vendure: lookup customer: 200 OK: You are not currently authorized to perform this action; the CRM does not accept")
	})
	testCheck(t, g, wrong, list[0])
	t.Run("check finds every sampled number again", func(t *testing.T) {
		output := g.check(t, 0, "--sample")
		for _, want := range []string{"international", "(##) ##-##-##-##", "found again"} {
			if !strings.Contains(output, want) {
				t.Errorf("without %q:\n%s", want, output)
			}
		}
	})
	t.Run("hostile texts", func(t *testing.T) { s.testHostile(t, g, documented) })
	t.Run("a server that is down is said", func(t *testing.T) {
		s.process.stop()
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm vendure", "is the url right and the CRM running?")
	})
}

// testHostile checks that hostile texts change nothing, and that a lookup that
// sends them finds who is called that: as a variable, and within the query.
func (s *vendure) testHostile(t *testing.T, g *gateway, documented site) {
	before := s.customers()
	testHostileCalls(t, g)
	if now := s.customers(); now != before {
		t.Errorf("%v customers, were %v", now, before)
	}
	byName := documented.with(`
			lookup named {
				POST /
				json ` + "`" + `{
					"query": "query ($name: String!) { customers(options: { filter: { lastName: { eq: $name } } }) { items { id lastName phoneNumber } } }",
					"variables": {"name": "{call.userData.USR_NAME}"}
				}` + "`" + `
				records data.customers.items
				phones {record.phoneNumber}
				url {crm.url}/named/{record.id}
			}
			lookup inquery {
				POST /
				dialect graphql
				json ` + "`" + `{"query": "{ customers(options: { filter: { lastName: { eq: \"{call.userData.USR_NAME}\" } } }) { items { id lastName phoneNumber } } }"}` + "`" + `
				records data.customers.items
				phones {record.phoneNumber}
				url {crm.url}/inquery/{record.id}
			}`).serve(t)
	for i, text := range hostile {
		if strings.ContainsAny(text, "\x00\n") {
			continue // a name is one line
		}
		p := people(60+i, "+331234567%02d")[0]
		p.name = "Mx " + text
		s.add(p)
		got := byName.post(map[string]any{"caller": p.dialled, "userData": map[string]any{"USR_NAME": text}})
		// All three lookups find the customer, and no other.
		line := byName.lastCall()
		if records, _ := line["records"].([]any); got.URL != manyPage || len(records) != 3 || strings.Contains(fmt.Sprint(line["crms"]), "dropped:1") {
			t.Errorf("%q opened %s\n%v", text, got.body, line)
		}
	}
}
