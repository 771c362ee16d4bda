package realcrm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	agentOrigin     = "https://xuc.example.com"
	manyPage        = "https://many.example.com/"
	nonePage        = "https://none.example.com/"
	unreachablePage = "https://unreachable.example.com/"
)

var fenced = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

// documented returns a block of a document about a CRM, as an administrator would
// copy it.
func documented(t *testing.T, page, language string, nth int) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../docs/crms", page))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range fenced.FindAllStringSubmatch(string(content), -1) {
		if match[1] == language {
			blocks = append(blocks, match[2])
		}
	}
	if nth >= len(blocks) {
		t.Fatalf("%s has %d blocks of %s", page, len(blocks), language)
	}
	return blocks[nth]
}

// site is a configuration of the gateway.
type site struct {
	text string
	// secrets are the environment variables that it names.
	secrets map[string]string
}

var crmLine = regexp.MustCompile(`(?m)^(\t\tcrm \w+ )https://\S+ \{$`)

// documentedSite is one of a document's, with a CRM at that address. Only what a
// document can't know is changed: addresses, more time for a busy machine, and
// pages by which the outcome is seen.
func documentedSite(t *testing.T, page string, nth int, crm string, secrets map[string]string) site {
	t.Helper()
	text := crmLine.ReplaceAllString(documented(t, page, "caddyfile", nth), "${1}"+crm+" {\n\t\t\ttimeout 20s")
	text = strings.Replace(text, "\t\tregion FR\n", `		region FR
		cache off
		deadline 40s
		on one popup {contact.url} {
			title "{contact.name}|{contact.company}|{contact.email}"
		}
		on many popup `+manyPage+`
		on none popup `+nonePage+`
		on unreachable popup `+unreachablePage+"\n", 1)
	return site{text, secrets}
}

// with adds lines to the CRM's block.
func (s site) with(lines string) site {
	s.text = strings.Replace(s.text, "\t\t\ttimeout 20s\n", "\t\t\ttimeout 20s\n"+strings.TrimSpace(lines)+"\n", 1)
	return s
}

// withSecret changes the value of one environment variable.
func (s site) withSecret(name, value string) site {
	s.secrets = maps.Clone(s.secrets)
	s.secrets[name] = value
	return s
}

func (s site) environment() []string {
	var list []string
	for name, value := range s.secrets {
		list = append(list, name+"="+value)
	}
	return list
}

// gateway is a running gateway.
type gateway struct {
	t       *testing.T
	process *process
	address string
	config  string
	site    site
	// calls counts those that were answered.
	calls int
}

// serve runs the gateway until the end of the test. It logs all it can.
func (s site) serve(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, address: "127.0.0.1:" + freePort(t), site: s}
	text := strings.Replace(s.text, "crm-pop.example.com {", "http://"+g.address+" {\n\tbind 127.0.0.1\n\tlog", 1)
	g.config = write(t, filepath.Join(t.TempDir(), "Caddyfile"), `{
	admin off
	auto_https off
	persist_config off
	log {
		level DEBUG
		format json
	}
}
`+text)
	g.process = start(t, s.environment(), fromEnvironment(t, "SCREENPOP"), "run", "--config", g.config)
	g.process.waitUntil(t, func() bool {
		response, err := client.Get("http://" + g.address + "/")
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
	t.Cleanup(g.keepsItsSecrets)
	return g
}

func (g *gateway) keepsItsSecrets() {
	for name, secret := range g.site.secrets {
		if strings.Contains(g.process.output.String(), secret) {
			g.t.Errorf("the log holds %s", name)
		}
	}
}

var client = &http.Client{Timeout: patience}

// answer is what XucMgt would get.
type answer struct {
	Action, URL, Title string

	status int
	body   string
}

// post sends what XucMgt sends for a call, with some members changed.
func (g *gateway) post(changes map[string]any) answer {
	g.t.Helper()
	call := map[string]any{
		"user":           map[string]any{"userId": 54, "agentId": 29, "firstName": "James", "lastName": "Bond", "fullName": "James Bond", "token": "agent-token"},
		"callee":         "1000",
		"caller":         "0123456700",
		"userData":       map[string]any{"XIVO_CONTEXT": "from-extern", "XIVO_DSTNUM": "0123053012"},
		"callDataCallId": "1469709757.74",
		"queue":          map[string]any{"id": 2, "name": "bluesky", "displayName": "Blue sky", "number": "3001"},
	}
	maps.Copy(call, changes)
	body, err := json.Marshal(call)
	if err != nil {
		g.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "http://"+g.address+"/", bytes.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json;charset=utf-8")
	request.Header.Set("Accept", "application/json, text/plain, */*")
	request.Header.Set("Origin", agentOrigin)
	response, err := client.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	g.calls++
	a := answer{status: response.StatusCode, body: strings.TrimSpace(string(content))}
	if err := json.Unmarshal(content, &a); err != nil || a.status != http.StatusOK {
		g.t.Errorf("answered %d %s", a.status, a.body)
	}
	return a
}

// expect lets a caller call and checks what opens.
func (g *gateway) expect(t *testing.T, caller, page string) answer {
	t.Helper()
	got := g.post(map[string]any{"caller": caller})
	if got.URL != page {
		t.Errorf("%s opened %s, want %s\n%v", caller, got.body, page, g.lastCall())
	}
	return got
}

// lastCall returns the newest call's log line. It is written after the answer,
// so it is waited for.
func (g *gateway) lastCall() map[string]any {
	g.t.Helper()
	var lines []map[string]any
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		lines = nil
		for text := range strings.Lines(g.process.output.String()) {
			var line map[string]any
			if json.Unmarshal([]byte(text), &line) == nil && strings.HasPrefix(fmt.Sprint(line["msg"]), "call answered") {
				lines = append(lines, line)
			}
		}
		if len(lines) == g.calls {
			return lines[g.calls-1]
		}
	}
	g.t.Fatalf("%d calls, of which %d were logged", g.calls, len(lines))
	return nil
}

// says checks that the newest call's log line is an error with these words.
func (g *gateway) says(t *testing.T, words ...string) {
	t.Helper()
	line := g.lastCall()
	for _, word := range words {
		if line["level"] != "error" || !strings.Contains(fmt.Sprint(line["error"]), word) {
			t.Errorf("the log says %s: %s; want an error with %q", line["level"], line["error"], word)
		}
	}
}

// check runs `screen-pop check` on the gateway's configuration.
func (g *gateway) check(t *testing.T, wantStatus int, arguments ...string) string {
	t.Helper()
	output, err := runs(t, g.site.environment(), fromEnvironment(t, "SCREENPOP"), append([]string{"screen-pop", "check", "--config", g.config}, arguments...)...)
	status := 0
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if status != wantStatus {
		t.Errorf("check %v ended with %d, want %d:\n%s", arguments, status, wantStatus, output)
	}
	for name, secret := range g.site.secrets {
		if strings.Contains(output, secret) {
			t.Errorf("check %v printed %s", arguments, name)
		}
	}
	return output
}
