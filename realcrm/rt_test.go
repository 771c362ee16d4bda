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
	rtPrograms = "/usr/share/request-tracker5"
	// rtRootPassword is what a new RT has.
	rtRootPassword = "password"
)

// requestTracker is a running RT with a database of its own.
type requestTracker struct {
	api

	folder, port string
	process      *process
}

// newRT makes an RT's database, configuration and folders.
func newRT(t *testing.T) *requestTracker {
	t.Helper()
	s := &requestTracker{folder: t.TempDir(), port: freePort(t)}
	s.api = api{t, "http://127.0.0.1:" + s.port, basic("root", rtRootPassword)}
	// Hashing a token or password takes 0.2 s unless this is low.
	s.configure("10-loopback.pm", fmt.Sprintf(`$RT::MasonDataDir = '%[1]s/mason';
$RT::MasonSessionDir = '%[1]s/sessions';
$RT::VarPath = '%[1]s/var';
Set($LogDir, '%[1]s/var');
Set($rtname, 'example.com');
Set($Organization, 'example.com');
Set($WebDomain, '127.0.0.1');
Set($WebPort, %[2]s);
Set($WebPath, '');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '%[1]s/rt.sqlite');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');
Set($MailCommand, 'testfile');
Set($BcryptCost, 4);
1;
`, s.folder, s.port))
	write(t, filepath.Join(s.folder, "site.pm"), "1;\n")
	for _, folder := range []string{"mason", "sessions", "var"} {
		write(t, filepath.Join(s.folder, folder, "empty"), "")
	}
	run(t, s.environment(), "rt-setup-database-5", "--action", "init", "--skip-create", "--dba", "", "--dba-password", "")
	return s
}

func (s *requestTracker) environment() []string {
	return []string{
		"RT_SITE_CONFIG=" + s.folder + "/site.pm", "RT_SITE_CONFIG_DIR=" + s.folder + "/site.d", "PERL5LIB=" + s.folder + "/lib", "TMPDIR=" + s.folder + "/var",
	}
}

// configure adds a file to RT's configuration.
func (s *requestTracker) configure(name, content string) {
	write(s.t, filepath.Join(s.folder, "site.d", name), content)
}

// serve starts RT, with the configuration that it has by then.
func (s *requestTracker) serve() {
	s.t.Helper()
	if s.process != nil {
		s.process.stop()
	}
	s.process = start(s.t, s.environment(), rtPrograms+"/libexec/rt-server", "--server", "Starlet", "--host", "127.0.0.1", "--port", s.port, "--max-workers", "4")
	s.process.waitUntil(s.t, func() bool { return answers(s.address + "/") })
}

// perl runs a program within RT.
func (s *requestTracker) perl(program string, arguments ...string) string {
	s.t.Helper()
	return strings.TrimSpace(run(s.t, s.environment(), "perl", append([]string{"-I" + rtPrograms + "/lib", "-MRT=-init", "-MRT::AuthToken", "-e", program}, arguments...)...))
}

// gatewayUser makes a user with rights and returns its token.
func (s *requestTracker) gatewayUser(name string, rights ...string) string {
	s.t.Helper()
	return s.perl(`my ($name, @rights) = @ARGV;
my $user = RT::User->new(RT->SystemUser);
my ($done, $said) = $user->Create(Name => $name, Privileged => 1);
die $said unless $done;
for (@rights) {
	($done, $said) = $user->PrincipalObj->GrantRight(Right => $_, Object => RT->System);
	die $said unless $done;
}
($done, $said, my $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->id, Description => 'gateway');
die $said unless $done;
print $token;`, append([]string{name}, rights...)...)
}

// add files a person with a number in a field. RT numbers its users itself, so
// the page is looked up.
func (s *requestTracker) add(p person, field string) person {
	s.t.Helper()
	response, body := s.post("/REST/2.0/user", map[string]any{
		"Name": p.email, "RealName": p.name, "EmailAddress": p.email, "Organization": p.company, field: p.stored, "Privileged": 0,
	})
	if response.StatusCode != http.StatusCreated {
		s.t.Fatalf("creating %s: %s", p.name, body)
	}
	_, body = s.post("/REST/2.0/users?fields=id", []map[string]string{{"field": "EmailAddress", "operator": "=", "value": p.email}})
	var found struct{ Items []struct{ ID int } }
	if err := json.Unmarshal([]byte(body), &found); err != nil || len(found.Items) != 1 {
		s.t.Fatalf("finding %s: %v, %s", p.name, err, body)
	}
	p.page = fmt.Sprintf("%s/User/Summary.html?id=%d", s.address, found.Items[0].ID)
	return p
}

// ask files a ticket of somebody.
func (s *requestTracker) ask(subject string, requestors ...person) {
	s.t.Helper()
	var emails []string
	for _, p := range requestors {
		emails = append(emails, p.email)
	}
	if response, body := s.post("/REST/2.0/ticket", map[string]any{"Queue": "General", "Subject": subject, "Requestor": emails, "Content": "?"}); response.StatusCode != http.StatusCreated {
		s.t.Fatalf("filing a ticket: %s", body)
	}
}

func TestRequestTracker(t *testing.T) {
	s := newRT(t)
	token := s.gatewayUser("gateway", "SeeQueue", "ShowTicket")
	admin := s.gatewayUser("admin-gateway", "SeeQueue", "ShowTicket", "AdminUsers")
	s.serve()
	fields := []string{"WorkPhone", "MobilePhone", "HomePhone", "PagerPhone"}
	var list []person
	for i, p := range people(1, spellings...) {
		list = append(list, s.add(p, fields[i%len(fields)]))
	}
	first, second, stranger := twins()
	s.ask("Two want it", s.add(first, "WorkPhone"), s.add(second, "HomePhone"))
	s.ask("A stranger wants it", s.add(stranger, "MobilePhone"))
	for _, p := range list {
		s.ask("Something of "+p.name, p)
	}
	s.ask("Newest of Person 01", list[0])

	byUsers := documentedSite(t, "rt.md", 0, s.address, map[string]string{"RT_TOKEN": token})
	byTickets := documentedSite(t, "rt.md", 2, s.address, map[string]string{"RT_TOKEN": admin})
	t.Run("as it comes", func(t *testing.T) { s.testAsItComes(t, byUsers, byTickets, list) })

	s.configure("screenpop.pm", documented(t, "rt.md", "perl", 0))
	write(t, filepath.Join(s.folder, "lib/RT/User_Local.pm"), documented(t, "rt.md", "perl", 1))
	s.serve()
	t.Run("with its two files", func(t *testing.T) { s.testChanged(t, byUsers, byTickets, list) })
}

// testAsItComes is for an RT that was not changed.
func (s *requestTracker) testAsItComes(t *testing.T, byUsers, byTickets site, list []person) {
	for name, token := range map[string]string{"an ordinary user": byUsers.secrets["RT_TOKEN"], "one with AdminUsers": byTickets.secrets["RT_TOKEN"]} {
		t.Run("who may not search by number is not told that there is nobody: "+name, func(t *testing.T) {
			g := byUsers.withSecret("RT_TOKEN", token).serve(t)
			g.expect(t, list[0].dialled, unreachablePage)
			g.says(t, "crm rt: lookup person: the answer says that it failed")
			g.expect(t, unknownCaller, unreachablePage)
			g.check(t, 2, "--number", unknownCaller)
		})
	}
	t.Run("who may not see numbers is not told that there is nobody", func(t *testing.T) {
		g := byTickets.withSecret("RT_TOKEN", byUsers.secrets["RT_TOKEN"]).serve(t)
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm rt: lookup person: the answer says that it failed")
	})
	t.Run("by tickets", func(t *testing.T) {
		g := byTickets.serve(t)
		testPeople(t, g, list)
		testOutcomes(t, g)
	})
}

// testChanged is for an RT that was changed as the document says.
func (s *requestTracker) testChanged(t *testing.T, byUsers, byTickets site, list []person) {
	g := byUsers.serve(t)
	wrong := byUsers.withSecret("RT_TOKEN", "1-14-00000000000000000000000000000000").serve(t)
	testPeople(t, g, list)
	testOutcomes(t, g)
	t.Run("somebody without a ticket", func(t *testing.T) {
		silent := s.add(people(71, "+33 1 23 45 67 %02d")[0], "MobilePhone")
		g.expect(t, silent.dialled, silent.page)
	})
	t.Run("open tickets", func(t *testing.T) {
		tickets := byUsers
		tickets.text = strings.Replace(tickets.text, "title \"{contact.name}|", "title \"{contact.tickets}|{contact.ticket_subject}|{contact.ticket_url}|", 1)
		got := tickets.serve(t).expect(t, list[0].dialled, list[0].page)
		if want := "2|Newest of Person 01|" + s.address + "/Ticket/Display.html?id="; !strings.HasPrefix(got.Title, want) {
			t.Errorf("the title is %q, want %q", got.Title, want)
		}
	})
	t.Run("a wrong token is said", func(t *testing.T) {
		wrong.expect(t, list[0].dialled, unreachablePage)
		wrong.says(t, "crm rt: lookup person: 401 Unauthorized", "does not accept the credentials")
	})
	testCheck(t, g, wrong, list[0])
	t.Run("check finds every sampled number again", func(t *testing.T) {
		output := g.check(t, 0, "--sample=30")
		for _, want := range []string{"international", "(##) ##-##-##-##", "found again"} {
			if !strings.Contains(output, want) {
				t.Errorf("without %q:\n%s", want, output)
			}
		}
	})
	t.Run("hostile texts", func(t *testing.T) { s.testHostile(t, g, byUsers) })
	t.Run("a token that was revoked is said", func(t *testing.T) {
		s.perl(`my $tokens = RT::AuthTokens->new(RT->SystemUser); $tokens->UnLimit; while (my $token = $tokens->Next) { $token->Delete }`)
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm rt: lookup person: 401 Unauthorized", "does not accept the credentials")
	})
	t.Run("a server that is down is said", func(t *testing.T) {
		s.process.stop()
		g.expect(t, list[0].dialled, unreachablePage)
		g.says(t, "crm rt", "is the url right and the CRM running?")
	})
}

// testHostile checks that hostile texts change nothing, that a lookup that sends
// them as data finds who is called that, and that one that would put them into a
// query does not send them.
func (s *requestTracker) testHostile(t *testing.T, g *gateway, documented site) {
	testHostileCalls(t, g)
	byName := documented.with(`
			lookup named {
				POST /users
				query fields id,RealName,WorkPhone
				json ` + "`" + `[{"field": "RealName", "operator": "=", "value": "{call.userData.USR_NAME}"}]` + "`" + `
				records items
				phones {record.WorkPhone}
				url {crm.url}/named/{record.id}
			}`).serve(t)
	inQuery := documented.with(`
			lookup asked {
				GET /tickets
				query query "Requestor.RealName = '{call.userData.USR_NAME}'"
				query fields Requestor
				query fields[Requestor] id,RealName,WorkPhone
				records items.#.Requestor|@flatten
				phones {record.WorkPhone}
				url {crm.url}/asked/{record.id}
			}`).serve(t)
	for i, text := range hostile {
		p := people(40+i, "+331234567%02d")[0]
		p.name = text
		if strings.ContainsAny(text, "\x00\n") {
			continue // a name is one line
		}
		p = s.add(p, "WorkPhone")
		call := map[string]any{"caller": p.dialled, "userData": map[string]any{"USR_NAME": text}}
		got := byName.post(call)
		if line := fmt.Sprint(byName.lastCall()["crms"]); got.URL != manyPage || strings.Contains(line, "dropped:1") {
			t.Errorf("%q opened %s\n%s", text, got.body, line)
		}
		// The person is found by number; the other lookup could not be made.
		if got, said := inQuery.post(call), fmt.Sprint(inQuery.lastCall()["error"]); got.URL != p.page || !strings.Contains(said, "not asked") {
			t.Errorf("%q opened %s, and the log says %s", text, got.body, said)
		}
	}
}
