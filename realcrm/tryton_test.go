package realcrm

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const (
	trytonAdminPassword = "Adm1n-pass-4711"
	trytonPassword      = "Quay-lantern-92"
)

// tryton is a running trytond with a database of its own.
type tryton struct {
	api

	process  *process
	database string
}

func startTryton(t *testing.T) *tryton {
	t.Helper()
	folder := t.TempDir()
	address := "127.0.0.1:" + freePort(t)
	config := write(t, filepath.Join(folder, "trytond.conf"), fmt.Sprintf(`[web]
listen = %s
[database]
uri = sqlite://
path = %s
[session]
authentications = password
`, address, folder))
	password := []string{"TRYTONPASSFILE=" + write(t, filepath.Join(folder, "password"), trytonAdminPassword)}
	s := &tryton{database: write(t, filepath.Join(folder, "crm.sqlite"), "")}
	run(t, password, "trytond-admin", "--config", config, "--database", "crm", "--all", "--email", "admin@example.org")
	run(t, nil, "trytond-admin", "--config", config, "--database", "crm", "--update", "party", "--activate-dependencies")
	s.process = start(t, nil, "trytond", "--config", config, "--database", "crm")
	s.api = api{t: t, address: "http://" + address}
	s.process.waitUntil(t, func() bool { return answers(s.address + "/") })
	s.login()
	return s
}

// login opens a session: a password takes Tryton 0.2 s with each request.
func (s *tryton) login() {
	s.t.Helper()
	_, body := s.post("/crm/", map[string]any{"id": 1, "method": "common.db.login", "params": []any{"admin", map[string]any{"password": trytonAdminPassword}, "en"}})
	var answer struct{ Result []any }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Result) < 2 {
		s.t.Fatalf("logging in: %s", body)
	}
	session := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "admin:%v:%v", answer.Result[0], answer.Result[1]))
	s.authorize = func(r *http.Request) { r.Header.Set("Authorization", "Session "+session) }
}

// call is a remote procedure call of the administrator.
func (s *tryton) call(method string, params ...any) json.RawMessage {
	s.t.Helper()
	_, body := s.post("/crm/", map[string]any{"id": 1, "method": method, "params": append(params, map[string]any{})})
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Result == nil {
		s.t.Fatalf("%s: %s", method, body)
	}
	return answer.Result
}

// create returns the new record's id.
func (s *tryton) create(model string, values map[string]any) string {
	s.t.Helper()
	var ids []int
	if err := json.Unmarshal(s.call("model."+model+".create", []any{values}), &ids); err != nil || len(ids) != 1 {
		s.t.Fatalf("creating a %s: %v, %v", model, ids, err)
	}
	return fmt.Sprint(ids[0])
}

// add files a person with a number of a type.
func (s *tryton) add(p person, kind string, more map[string]any) person {
	s.t.Helper()
	values := map[string]any{"name": p.name, "contact_mechanisms": []any{[]any{"create", []any{
		map[string]any{"type": "website", "value": "https://example.org/0123456799"},
		map[string]any{"type": "email", "value": p.email},
		map[string]any{"type": kind, "value": p.stored},
	}}}}
	maps.Copy(values, more)
	p.company = "" // parties are persons or companies
	p.page = s.address + "/#crm/model/party.party/" + s.create("party.party", values)
	return p
}

// sql runs a statement on the database.
func (s *tryton) sql(statement string) string {
	s.t.Helper()
	return strings.TrimSpace(run(s.t, nil, "/usr/bin/python3", "-c", `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=60) as database:
    print(database.execute(sys.argv[2]).fetchall())`, s.database, statement))
}

func TestTryton(t *testing.T) {
	s := startTryton(t)
	gatewayUser := s.create("res.user", map[string]any{"name": "Phone gateway", "login": "gateway", "password": trytonPassword})
	france := s.create("country.country", map[string]any{"name": "France", "code": "FR"})

	// Numbers of some types are checked: a national one needs a country.
	var list []person
	inFrance := map[string]any{"addresses": []any{[]any{"create", []any{map[string]any{"country": json.Number(france)}}}}}
	for i, p := range people(1, spellings[:4]...) {
		list = append(list, s.add(p, []string{"phone", "mobile", "fax"}[i%3], nil))
	}
	for _, p := range people(11, "01234567%02d", "01 23 45 67 %02d", "(01) 23-45-67-%02d", "00331234567%02d", "+33 1 23 45 67 %02d ext. 12") {
		list = append(list, s.add(p, "phone", inFrance))
	}
	// Numbers of others are kept as they were typed.
	for _, p := range people(21, spellings...) {
		list = append(list, s.add(p, "other", nil))
	}
	first, second, stranger := twins()
	s.add(first, "phone", nil)
	s.add(second, "phone", inFrance)
	s.add(stranger, "other", nil)

	secrets := map[string]string{"TRYTON_PASSWORD": trytonPassword}
	documented := documentedSite(t, "tryton.md", 0, s.address, secrets)
	g := documented.serve(t)

	testPeople(t, g, list)
	testOutcomes(t, g)
	t.Run("one session serves all calls", func(t *testing.T) {
		if count := s.sql("select count(*) from ir_session where create_uid = " + gatewayUser); count != "[(1,)]" {
			t.Errorf("%s sessions", count)
		}
	})
	t.Run("a killed session is opened again", func(t *testing.T) {
		s.sql("delete from ir_session where create_uid = " + gatewayUser)
		g.expect(t, list[0].dialled, list[0].page)
	})
	// It logs in as soon as it starts; a log-in that succeeds clears the attempts.
	wrong := documented.withSecret("TRYTON_PASSWORD", "Another-pass-1").serve(t)
	t.Run("a wrong password is said, and not tried until the account is locked", func(t *testing.T) {
		for range 6 {
			wrong.expect(t, list[0].dialled, unreachablePage)
			wrong.says(t, "crm tryton", "401 Unauthorized", "does not accept the credentials")
		}
		if attempts := s.sql("select count(*) from res_user_login_attempt where login = 'gateway'"); attempts != "[(1,)]" {
			t.Errorf("%s attempts", attempts)
		}
	})
	t.Run("a locked account is said", func(t *testing.T) {
		s.sql(`insert into res_user_login_attempt (login, ip_address, ip_network, create_date)
			select login, ip_address, ip_network, create_date from res_user_login_attempt, (select 1 union select 2 union select 3 union select 4 union select 5)`)
		locked := documented.serve(t)
		locked.expect(t, list[0].dialled, unreachablePage)
		locked.says(t, "crm tryton: lookup party", "429 Too Many Requests", "limits how often it may be asked")
		s.sql("delete from res_user_login_attempt")
	})
	testCheck(t, g, wrong, list[0])
	t.Run("neither check nor the log shows a session", func(t *testing.T) {
		shown := g.check(t, 0, "--number", list[0].dialled) + g.process.output.String()
		keys := strings.Fields(s.sql("select group_concat(key, ' ') from ir_session where create_uid = " + gatewayUser))
		if len(keys) < 2 {
			t.Errorf("the sessions are %v", keys)
		}
		for _, key := range keys {
			if strings.Contains(shown, strings.Trim(key, "[]()',")) {
				t.Errorf("the key %s is shown", key)
			}
		}
	})
	t.Run("check finds every sampled number again", func(t *testing.T) {
		output := g.check(t, 0, "--sample")
		for _, want := range []string{"international", "(##) ##-##-##-##", "found again"} {
			if !strings.Contains(output, want) {
				t.Errorf("without %q:\n%s", want, output)
			}
		}
	})
	t.Run("check says what is not found again", func(t *testing.T) {
		documented.with("otherwise off").serve(t).check(t, 1, "--sample")
	})
	t.Run("hostile texts", func(t *testing.T) { s.testHostile(t, g, documented) })
	t.Run("a wrong database is said", func(t *testing.T) {
		elsewhere := documented
		elsewhere.text = strings.Replace(elsewhere.text, "database crm", "database elsewhere", 1)
		g := elsewhere.serve(t)
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm tryton", "doesn't exist")
	})
	t.Run("a server that is down is said", func(t *testing.T) {
		s.process.stop()
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm tryton", "is the url right and the CRM running?")
	})
}

// testHostile checks that hostile texts change nothing, and that a lookup that
// sends them finds who is called that.
func (s *tryton) testHostile(t *testing.T, g *gateway, documented site) {
	parties := s.sql("select count(*), max(id) from party_party")
	testHostileCalls(t, g)
	if now := s.sql("select count(*), max(id) from party_party"); now != parties {
		t.Errorf("%s parties, were %s", now, parties)
	}
	byName := documented.with(`
			lookup named {
				POST /
				json ` + "`" + `{"id": 1, "method": "model.party.party.search_read", "params": [
					[["name", "=", "{call.userData.USR_NAME}"]], 0, 20, null, ["name", "contact_mechanisms.value"], {}]}` + "`" + `
				records result
				phones ` + "`{record.contact_mechanisms\\..#.value}`" + `
				url {crm.url}/named/{record.id}
			}`).serve(t)
	for i, text := range hostile {
		p := people(60+i, "+331234567%02d")[0]
		if strings.ContainsAny(text, "\x00\n") {
			continue // Tryton has no such names
		}
		p.name = text
		p = s.add(p, "phone", nil)
		got := byName.post(map[string]any{"caller": p.dialled, "userData": map[string]any{"USR_NAME": text}})
		// Both lookups find the party, as records of two kinds, and no other.
		if line := fmt.Sprint(byName.lastCall()["crms"]); got.URL != manyPage || strings.Contains(line, "dropped:1") {
			t.Errorf("%q opened %s\n%s", text, got.body, line)
		}
	}
}
