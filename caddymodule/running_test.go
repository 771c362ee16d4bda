package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const agentOrigin = "https://xuc.example.com"

// gateway is a running Caddy with a screen_pop site, as agents' browsers see it.
type gateway struct {
	t       testing.TB
	address string
	logFile string
	// globals are more global options, and storage where Caddy keeps its own.
	globals, storage string
}

// serve runs Caddy with a site. The site's text is what stands in the site
// block; everything is logged at the lowest level, access log included.
func serve(t testing.TB, site string) *gateway {
	t.Helper()
	return serveWith(t, "", t.TempDir(), site)
}

// serveWith is serve with global options, and a storage that a test may share.
func serveWith(t testing.TB, globals, storage, site string) *gateway {
	t.Helper()
	g := &gateway{t: t, address: freeAddress(t), logFile: filepath.Join(t.TempDir(), "caddy.log"), globals: globals, storage: storage}
	if err := g.load(site); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return g
}

// load gives the running Caddy another site, as a reload does.
func (g *gateway) load(site string) error { return g.loadWith("grace_period 1s", site) }

// loadWith does so with a global option.
func (g *gateway) loadWith(option, site string) error {
	config, err := adapt(fmt.Sprintf(`{
	admin off
	auto_https off
	persist_config off
	%s
	storage file_system %q
	%s
	log {
		output file %s
		level DEBUG
		format json
	}
}
http://%s {
	bind 127.0.0.1
	log
%s
}
`, option, g.storage, g.globals, g.logFile, g.address, site))
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// settle waits until connections no longer reach the listener of the
// configuration that a reload replaced: those that it has not accepted when it
// closes are lost.
func (g *gateway) settle() {
	g.t.Helper()
	for good, tries := 0, 0; good < 5; tries++ {
		if tries == 500 {
			g.t.Fatal("the gateway does not serve after the reload")
		}
		response, err := client.Head("http://" + g.address + "/")
		if err != nil {
			good = 0
			time.Sleep(10 * time.Millisecond)
			continue
		}
		response.Body.Close()
		good++
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// client has no connection left over from a Caddy that was stopped.
var client = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   30 * time.Second,
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// request sends anything to the gateway.
func (g *gateway) request(method, path, body string, header http.Header) answer {
	g.t.Helper()
	return g.send(method, path, strings.NewReader(body), header)
}

func (g *gateway) send(method, path string, body io.Reader, header http.Header) answer {
	g.t.Helper()
	request, err := http.NewRequest(method, "http://"+g.address+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := client.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, strings.TrimSpace(string(content))}
}

// post sends what AngularJS sends for a call.
func (g *gateway) post(body string) answer {
	g.t.Helper()
	return g.request(http.MethodPost, "/", body, http.Header{
		"Content-Type": {"application/json;charset=utf-8"},
		"Accept":       {"application/json, text/plain, */*"},
		"Origin":       {agentOrigin},
	})
}

// ring posts a call of the newest release from a caller.
func (g *gateway) ring(caller string) answer {
	g.t.Helper()
	return g.post(payload(map[string]any{"caller": caller}))
}

// payload is a documented call (XiVO 2024.05) with some members changed.
func payload(changes map[string]any) string {
	call := map[string]any{
		"user": map[string]any{
			"userId": 54, "agentId": 29, "firstName": "James", "lastName": "Bond", "fullName": "James Bond", "token": agentToken,
		},
		"callee":         "1000",
		"caller":         "0427466347",
		"userData":       map[string]any{"XIVO_CONTEXT": "from-extern", "XIVO_SRCNUM": "0427466347", "XIVO_DSTNUM": "0123053012"},
		"callDataCallId": "1469709757.74",
		"queue":          map[string]any{"id": 2, "name": "bluesky", "displayName": "Blue sky", "number": "3001"},
	}
	for name, value := range changes {
		if value == nil {
			delete(call, name)
			continue
		}
		call[name] = value
	}
	text, err := json.Marshal(call)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// agentToken has the form of a real one (XiVO 2024.05).
const agentToken = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJsb2dpbiI6Im13ZWJydGMiLCJleHBpcmVzQXQiOjE3MjQ3NjY5NzB9.EdKGjpNnV19BnQCiVXAiAfUEfirmZ6WvQhBDtEV6pQ4"

func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("answered %d %s\nwant     %d %s", a.status, a.body, status, body)
	}
}

// wantPage checks that an answer opens one of our own pages in the pane.
func (a answer) wantPage(t *testing.T, g *gateway, page string) {
	t.Helper()
	address, _ := a.field("url").(string)
	if a.status != http.StatusOK || a.field("action") != "open" || !strings.HasPrefix(address, "http://"+g.address+"/pane/"+page+"/") {
		t.Errorf("answered %d %s\nwant the page %s", a.status, a.body, page)
	}
}

// field returns a member of the answer.
func (a answer) field(name string) any {
	var object map[string]any
	if json.Unmarshal([]byte(a.body), &object) != nil {
		return nil
	}
	return object[name]
}

// log returns everything that was logged so far.
func (g *gateway) log() string {
	g.t.Helper()
	content, err := os.ReadFile(g.logFile)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(content)
}

// lastCall returns the newest log line about a call. The line is written
// after the answer, so it is waited for.
func (g *gateway) lastCall() map[string]any {
	g.t.Helper()
	return g.lastLine("call answered")
}

// lastLine returns the newest log line whose message begins so.
func (g *gateway) lastLine(message string) map[string]any {
	g.t.Helper()
	for range 500 {
		lines := strings.Split(strings.TrimSpace(g.log()), "\n")
		for _, text := range slices.Backward(lines) {
			var line map[string]any
			if json.Unmarshal([]byte(text), &line) == nil && strings.HasPrefix(fmt.Sprint(line["msg"]), message) {
				return line
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Fatalf("no line %q was logged:\n%s", message, g.log())
	return nil
}

// indent puts a directive into the site block.
func indent(text string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t")
}
