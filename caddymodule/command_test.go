package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
)

// asCaddy makes this test's program be caddy, with the arguments in it.
const asCaddy = "SCREENPOP_TEST_ARGUMENTS"

func TestMain(m *testing.M) {
	if arguments, ok := os.LookupEnv(asCaddy); ok {
		os.Args = append([]string{"caddy"}, strings.Split(arguments, "\n")...)
		caddycmd.Main() // exits, if anything went wrong
		return
	}
	os.Exit(m.Run())
}

// caddyRuns runs a command as a user does.
func caddyRuns(t *testing.T, arguments ...string) (status int, out, log string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	command := exec.CommandContext(t.Context(), program)
	command.Env = append(os.Environ(), asCaddy+"="+strings.Join(arguments, "\n"), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home,
		"CRM_TOKEN=t0ken-of-the-gateway", "CRM_PASSWORD=p4ssw0rd-of-the-gateway")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// checked runs the check command on a site with these CRMs.
func checked(t *testing.T, crms string, arguments ...string) (status int, out, log string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "Caddyfile")
	site := "crm-pop.example.com {\n" + indent("screen_pop {\n\torigins "+agentOrigin+"\n\tregion FR\n"+indent(crms)+"\n}") + "\n}\n"
	if err := os.WriteFile(config, []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	return caddyRuns(t, append([]string{"screen-pop", "check", "--config", config}, arguments...)...)
}

// asks is a CRM with one lookup.
func asks(address, more string) string {
	return `crm rest ` + address + ` {
	header Authorization "Token {env.CRM_TOKEN}"
	` + strings.ReplaceAll(strings.TrimSpace(more), "\n", "\n\t") + `
	lookup contact {
		GET /contacts
		query q {number.e164}
		phones {record.phone}
		url {crm.url}/contacts/{record.id}
		sample {
			GET /all
			query max {limit}
		}
	}
}`
}

// answers is a CRM that says the same to everything.
func answers(t *testing.T, status int, body string) string {
	t.Helper()
	return listens(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func listens(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return server.URL
}

// holds fails unless a text has all the parts, in this order.
func holds(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, behind, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("there is no %q where it should be in:\n%s", part, text)
			return
		}
		rest = behind
	}
}

const (
	rosaAndStranger = `[{"id":"8","name":"Ole Olsen","phone":"01 99 00 00 01 poste 3"},{"id":"7","name":"Rosa Marin","phone":"04 27 46 63 47"},{"id":"9","name":"Nobody"}]`
	ringing         = "--number=0427466347"
)

func TestCheckTellsEveryStepAndEndsWithWhatCameOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		answer func(*testing.T) string
		says   []string
	}{
		"somebody": {
			exitFound, func(t *testing.T) string { return answers(t, 200, rosaAndStranger) },
			[]string{
				"caller    0427466347, read as +33427466347\n", "crm rest: ", "  contact: GET http://127.0.0.1:", "/contacts?q=%2B33427466347\n",
				"      Authorization: Token ***\n", "    200 after ", `"name":"Ole Olsen"`,
				"  contact: 3 returned, 1 kept, 2 dropped\n",
				`  dropped contact, 8, Ole Olsen: none of its numbers is +33427466347: "01 99 00 00 01 poste 3"`,
				"  dropped contact, 9, Nobody: no number was found in it where phones says that they are",
				`  kept    contact, 7, Rosa Marin: "04 27 46 63 47" is +33427466347`,
				"outcome   one (on one), in ", " of 800ms\n", `answer    {"action":"popup","event":"EventRinging","url":"http://127.0.0.1:`, `/contacts/7"}`,
			},
		},
		"nobody": {
			exitNotFound, func(t *testing.T) string { return answers(t, 200, `[]`) },
			[]string{"  contact: 0 returned, 0 kept, 0 dropped\n", "outcome   none (on none)", `answer    {"action":"open","event":"EventRinging","url":"`, `/pane/unknown/..."}`},
		},
		"only strangers": {
			exitNotFound, func(t *testing.T) string { return answers(t, 200, `[{"id":"8","phone":"0199000001"}]`) },
			[]string{"1 returned, 0 kept, 1 dropped", "dropped contact, 8: none of its numbers", "outcome   none"},
		},
		"nobody with a number": {
			exitNotFound, func(t *testing.T) string { return answers(t, 200, `{"items":[{"id":"7","phone":"0427466347"}]}`) },
			[]string{"1 returned, 0 kept, 1 dropped", "  problem crm rest: lookup contact: the CRM returned something, but no number is where phones says", "are records and phones right", "outcome   none"},
		},
		"a failure": {
			exitNotAsked, func(t *testing.T) string { return answers(t, 500, `{"message":"no such table"}`) },
			[]string{"    500 after ", `{"message":"no such table"}`, "  problem crm rest: lookup contact: 500 Internal Server Error: no such table", "outcome   unreachable"},
		},
		"refused credentials": {
			exitNotAsked, func(t *testing.T) string { return answers(t, 401, `{"message":"bad t0ken-of-the-gateway"}`) },
			[]string{`{"message":"bad ***"}`, "problem crm rest: lookup contact: 401 Unauthorized: bad ***; the CRM does not accept the credentials", "outcome   unreachable"},
		},
		"no CRM there": {
			exitNotAsked, func(t *testing.T) string { return "http://" + freeAddress(t) },
			[]string{"    no answer after ", "can't connect to http://127.0.0.1:", "outcome   unreachable"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := checked(t, asks(test.answer(t), "timeout 5s"), ringing)
			if status != test.status {
				t.Errorf("status = %d, want %d\n%s\n%s", status, test.status, out, log)
			}
			holds(t, out, test.says...)
			for _, text := range []string{out, log} {
				if strings.Contains(text, "t0ken") {
					t.Errorf("it has the credential:\n%s", text)
				}
			}
			if strings.Contains(log, "Error:") || strings.Contains(log, "Usage:") {
				t.Errorf("it says what is said already:\n%s", log)
			}
		})
	}
}

// What a CRM is asked stands at the end of a long address.
func TestCheckShowsAWholeRequest(t *testing.T) {
	long := strings.Repeat("a,", 100) + "z"
	crm := asks(answers(t, 200, `[]`), "header X-Fields "+long)
	crm = strings.Replace(crm, "query q ", "query fields "+long+"\n\t\tquery q ", 1)
	status, out, log := checked(t, crm, ringing)
	if status != exitNotFound {
		t.Errorf("status = %d\n%s", status, log)
	}
	holds(t, out, "z&q=%2B33427466347\n", "X-Fields: "+long+"\n")
}

func TestCheckCountsNoRecordsOfWhatIsFollowed(t *testing.T) {
	crm := strings.Replace(asks(answers(t, 200, rosaAndStranger), "timeout 5s"), "phones ", "follow company /companies/{record.id}\n\t\tphones ", 1)
	status, out, log := checked(t, crm, ringing)
	if status != exitFound || strings.Contains(out, "follow") {
		t.Errorf("status = %d\n%s\n%s", status, out, log)
	}
	holds(t, out, "/companies/7\n", "  contact: 3 returned, 1 kept, 2 dropped\n")
}

func TestCheckAsksEveryCRM(t *testing.T) {
	knows, fails := answers(t, 200, rosaAndStranger), answers(t, 500, ``)
	status, out, _ := checked(t, asks(knows, "name first")+"\n"+asks(fails, "name second"), ringing)
	if status != exitFound { // somebody was found
		t.Errorf("status = %d\n%s", status, out)
	}
	holds(t, out, "crm first: ", "kept    contact, 7", "crm second: ", "outcome   one")

	status, out, _ = checked(t, asks(answers(t, 200, `[]`), "name first")+"\n"+asks(fails, "name second"), ringing)
	if status != exitNotAsked { // one that could not be asked may know
		t.Errorf("status = %d\n%s", status, out)
	}
	holds(t, out, "crm first: ", "0 returned", "crm second: ", "problem crm second: lookup contact: 500", "outcome   unreachable")
}

func TestCheckOfACallerWhoIsNotLookedUp(t *testing.T) {
	for number, says := range map[string]string{
		"201":       "caller    201 is a colleague (internal), and is not looked up",
		"anonymous": `caller    "anonymous" is not looked up: `,
		"call me":   `caller    "call me" is not looked up: `,
	} {
		status, out, _ := checked(t, asks(answers(t, 200, rosaAndStranger), ""), "--number="+number)
		if status != exitNotFound || strings.Contains(out, "GET http") {
			t.Errorf("%s: status = %d\n%s", number, status, out)
		}
		holds(t, out, says)
	}
}

// A CRM that hangs shows what it says in the end, if there is time for it.
func TestCheckWaitsAsLongAsItIsTold(t *testing.T) {
	over := make(chan struct{})
	address := listens(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/contacts" {
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}
		_, _ = io.WriteString(w, rosaAndStranger)
	})
	t.Cleanup(func() { close(over) })
	status, out, _ := checked(t, asks(address, "timeout 30s"), ringing, "--deadline=50ms")
	if status != exitNotAsked {
		t.Errorf("status = %d", status)
	}
	holds(t, out, "no answer within the deadline of 50ms; the CRM is slow or hangs", "outcome   unreachable", " of 50ms\n")
}

func TestCheckMasksEveryCredential(t *testing.T) {
	address := listens(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/token":
			_, _ = io.WriteString(w, `{"access_token":"access-t0ken","refresh_token":"refresh-t0ken"}`)
		case "/login":
			_, _ = io.WriteString(w, `{"session":"session-t0ken","echo":"`+strings.ReplaceAll(string(body), `"`, `\"`)+`"}`)
		default:
			_, _ = io.WriteString(w, `[{"id":"7","phone":"0427466347","you":"`+r.Header.Get("Authorization")+r.URL.RawQuery+`"}]`)
		}
	})
	for name, auth := range map[string]string{
		"basic":  "auth basic gateway {env.CRM_PASSWORD}",
		"bearer": "auth bearer {env.CRM_TOKEN}",
		"header": "auth header Authorization \"Key {env.CRM_TOKEN}\"",
		"query":  "auth query key {env.CRM_TOKEN}",
		"sign":   "auth sign {\n\tderive both base64 \"gateway:{env.CRM_PASSWORD}\"\n\theader Authorization {sign.both}\n\tquery both {sign.both}\n}",
		"oauth2": "auth oauth2 {crm.url}/token {\n\tgrant password\n\tusername gateway\n\tpassword {env.CRM_PASSWORD}\n}",
		"login": "auth login {\n\tderive key base64 \"gateway:{env.CRM_PASSWORD}\"\n\trequest {\n\t\tPOST /login\n\t\tjson `{\"key\":\"{login.key}\"}`\n\t\ttake session session\n\t}\n" +
			"\theader Authorization {login.session}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := checked(t, strings.Replace(asks(address, auth), "header Authorization \"Token {env.CRM_TOKEN}\"", "header X-Client a", 1), ringing)
			if status != exitFound || !strings.Contains(out, "***") {
				t.Errorf("status = %d\n%s\n%s", status, out, log)
			}
			for _, secret := range []string{"t0ken", "p4ssw0rd", "Z2F0ZXdheT"} { // base64 of gateway:
				if strings.Contains(out+log, secret) {
					t.Errorf("it has %s:\n%s\n%s", secret, out, log)
				}
			}
		})
	}
}

func TestCheckOfAConfigurationThatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		crms      string
		arguments []string
		says      string
	}{
		"a mistake":             {asks("https://crm.example.com", "timeut 1s"), []string{ringing}, "unrecognized subdirective 'timeut'; did you mean timeout?"},
		"an empty setting":      {asks("https://crm.example.com", "header X {env.SCREENPOP_TEST_UNSET}"), []string{ringing}, "{env.SCREENPOP_TEST_UNSET} is empty"},
		"nothing to check":      {asks("https://crm.example.com", ""), nil, "say what to check: --number <number>, or --sample"},
		"two things to check":   {asks("https://crm.example.com", ""), []string{ringing, "--sample"}, "say what to check: --number <number>, or --sample"},
		"a sample of nothing":   {asks("https://crm.example.com", ""), []string{"--sample=-1"}, "--sample: -1 is not a count of records"},
		"a count with a space":  {asks("https://crm.example.com", ""), []string{"--sample", "5"}, `\"5\" does not belong to a flag; write --number <number>`},
		"a number in pieces":    {asks("https://crm.example.com", ""), []string{"--number", "04", "27"}, "with quotes around one that has spaces, or --sample=<count>"},
		"no duration":           {asks("https://crm.example.com", ""), []string{ringing, "--deadline", "10"}, "missing unit in duration"},
		"an unknown flag":       {asks("https://crm.example.com", ""), []string{"--numbre", "1"}, "unknown flag: --numbre"},
		"another configuration": {"}\nrespond hello\n#", []string{ringing}, "crm"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := checked(t, test.crms, test.arguments...)
			if status != exitNotAsked || !strings.Contains(log, test.says) {
				t.Errorf("status = %d\n%s\n%s", status, out, log)
			}
		})
	}
	t.Run("no configuration", func(t *testing.T) {
		status, _, log := caddyRuns(t, "screen-pop", "check", "--config", filepath.Join(t.TempDir(), "none"), ringing)
		if status != exitNotAsked || !strings.Contains(log, "no such file") {
			t.Errorf("status = %d\n%s", status, log)
		}
	})
	t.Run("no Caddyfile", func(t *testing.T) {
		t.Chdir(t.TempDir())
		status, _, log := caddyRuns(t, "screen-pop", "check", ringing)
		if status != exitNotAsked || !strings.Contains(log, "there is no Caddyfile in this directory; name the configuration with --config") {
			t.Errorf("status = %d\n%s", status, log)
		}
	})
	t.Run("no directive", func(t *testing.T) {
		config := filepath.Join(t.TempDir(), "Caddyfile")
		if err := os.WriteFile(config, []byte("crm-pop.example.com {\n\trespond hello\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		status, _, log := caddyRuns(t, "screen-pop", "check", "--config", config, ringing)
		if status != exitNotAsked || !strings.Contains(log, "the configuration has no screen_pop directive") {
			t.Errorf("status = %d\n%s", status, log)
		}
	})
}

// sampled is a CRM that lists what it has, and finds it by some numbers.
func sampled(t *testing.T, list string, found ...string) string {
	t.Helper()
	return listens(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/all" && r.URL.Query().Get("max") == "50", slices.Contains(found, r.URL.Query().Get("q")):
			_, _ = io.WriteString(w, list)
		case r.URL.Path == "/contacts":
			_, _ = io.WriteString(w, `[]`)
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	})
}

func TestCheckSampleTellsWhichSpellingsAreFoundAgain(t *testing.T) {
	const list = `[{"id":"1","phone":"04 27 46 63 47"},{"id":"2","phone":"+33199000001"},{"id":"3","phone":"01 99 00 00 02"},{"id":"4","phone":"call me"},{"id":"5"}]`
	all := []string{"+33427466347", "+33199000001", "+33199000002"}
	status, out, log := checked(t, asks(sampled(t, list, all...), ""), "--sample")
	if status != exitFound {
		t.Errorf("status = %d\n%s\n%s", status, out, log)
	}
	lines := strings.Join(strings.Fields(out), " ")
	holds(t, lines, "crm rest: contact: 5 records", "spelling numbers found again example", "spaced 2 2 04 27 46 63 47", "e164 1 1 +33199000001", "no number 1")

	status, out, _ = checked(t, asks(sampled(t, list, all[:2]...), ""), "--sample")
	if status != exitNotFound {
		t.Errorf("status = %d\n%s", status, out)
	}
	holds(t, strings.Join(strings.Fields(out), " "), "spaced 2 1 ", "e164 1 1 ")
}

func TestCheckSampleThatCanNotBeTaken(t *testing.T) {
	for name, test := range map[string]struct {
		crm  func(*testing.T) string
		says string
	}{
		"it has no records": {
			func(t *testing.T) string { return asks(answers(t, 200, `[]`), "") },
			"crm rest: contact: 0 records; there are none, or the credentials may not read them",
		},
		"it can't be listed": {func(t *testing.T) string { return asks(answers(t, 403, ``), "") }, "crm rest: contact: no records could be listed (sample): crm rest: lookup contact: 403 Forbidden"},
		"it can't be searched": {
			func(t *testing.T) string {
				return asks(listens(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/all" {
						w.WriteHeader(http.StatusInternalServerError)
					}
					_, _ = io.WriteString(w, `[{"id":"7","phone":"04 27 46 63 47"},{"id":"8","phone":"+33199000001"}]`)
				}), "")
			}, "problem: crm rest: lookup contact: 500 Internal Server Error",
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, log := checked(t, test.crm(t), "--sample")
			if status != exitNotAsked || strings.Count(out, test.says) != 1 {
				t.Errorf("status = %d\n%s\n%s", status, out, log)
			}
		})
	}
}

// A CRM may have no leads. That is said, and no failure.
func TestCheckSampleOfALookupWithoutRecords(t *testing.T) {
	crm := strings.Replace(asks(sampled(t, rosaAndStranger, "+33427466347", "+33199000001"), ""), "lookup contact {", "lookup lead {\n\t\tGET /contacts\n\t\tquery q {number.e164}\n\t\tphones {record.phone}\n\t\tsample {\n\t\t\tGET /contacts\n\t\t}\n\t}\n\tlookup contact {", 1)
	status, out, log := checked(t, crm, "--sample")
	if status != exitFound {
		t.Errorf("status = %d\n%s\n%s", status, out, log)
	}
	holds(t, out, "crm rest: lead: 0 records; there are none, or the credentials may not read them", "crm rest: contact: 3 records")
}

func TestCheckSampleOfACRMThatSaysNotHow(t *testing.T) {
	crm, _, _ := strings.Cut(asks("https://crm.example.com", ""), "\t\tsample")
	status, out, log := checked(t, crm+"\t}\n}", "--sample")
	if status != exitNotAsked || !strings.Contains(out, "crm rest: no lookup says how to list some records; write a sample in one") {
		t.Errorf("status = %d\n%s\n%s", status, out, log)
	}
}

func TestThePresetsAreListedAndPrinted(t *testing.T) {
	status, out, _ := caddyRuns(t, "screen-pop", "presets")
	if status != 0 {
		t.Errorf("status = %d", status)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(presets.Names()) || !slices.IsSorted(lines) {
		t.Errorf("listed\n%s", out)
	}
	if at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "espocrm ") }); at < 0 || strings.Fields(lines[at])[1] != "api_key" {
		t.Errorf("listed\n%s", out)
	}

	source, _ := presets.Source("espocrm")
	if status, out, _ := caddyRuns(t, "screen-pop", "presets", "espocrm"); status != 0 || out != source {
		t.Errorf("status = %d\n%s", status, out)
	}
	if status, _, log := caddyRuns(t, "screen-pop", "presets", "espocm"); status != 1 || !strings.Contains(log, `there is no connector or preset "espocm"; did you mean espocrm?`) {
		t.Errorf("status = %d\n%s", status, log)
	}
}
