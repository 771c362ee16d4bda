package caddymodule

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// recipes are the Caddyfiles in docs/framing.md: that for a name of its own, and
// that for the CRM's own name.
func recipes(t *testing.T) (ownName, movedName string) {
	t.Helper()
	found := snippets(pages(t)["docs/framing.md"], "caddyfile")
	if len(found) != 2 {
		t.Fatalf("docs/framing.md has %d recipes", len(found))
	}
	return found[0], found[1]
}

// frontage is a Caddy that serves a recipe by https, and the CRM behind it.
type frontage struct {
	t      *testing.T
	client *http.Client
	crm    *httptest.Server

	mu      sync.Mutex
	answer  http.HandlerFunc
	arrived *http.Request
}

// serveRecipe runs Caddy with a recipe. Every name leads to it, also for the
// gateway itself, except the CRM's.
func serveRecipe(t *testing.T, recipe string) *frontage {
	t.Helper()
	f := &frontage{t: t, answer: refusingPage}
	f.crm = httptest.NewServer(http.HandlerFunc(f.serveCRM))
	t.Cleanup(f.crm.Close)

	address := freeAddress(t)
	certificate, trusted := certify(t)
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	outside := http.DefaultTransport
	http.DefaultTransport = transport
	t.Cleanup(func() { http.DefaultTransport = outside })

	for old, inside := range map[string]string{
		"reverse_proxy https://crm.example.com {": "reverse_proxy " + f.crm.URL + " {",
		"reverse_proxy https://10.0.0.5 {":        "reverse_proxy " + f.crm.URL + " {",
		"api https://crm.example.com/":            "api " + f.crm.URL + "/",
		"tls_server_name crm.example.com":         "",
		"region FR":                               "region FR\n\t\tdeadline 20s", // whatever else this machine does
	} {
		recipe = strings.ReplaceAll(recipe, old, inside)
	}
	recipe = siteLine.ReplaceAllString(recipe, "$0\n\ttls "+certificate)
	t.Setenv("ESPOCRM_API_KEY", "key")
	_, port, _ := net.SplitHostPort(address)
	config, err := adapt(fmt.Sprintf(`{
	admin off
	auto_https disable_redirects
	persist_config off
	grace_period 1s
	default_bind 127.0.0.1
	https_port %s
	storage file_system %s
	log {
		output file %s
	}
}
%s`, port, t.TempDir(), os.DevNull, recipe))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return f
}

// siteLine is where a site begins in a recipe.
var siteLine = regexp.MustCompile(`(?m)^\S+\.example\.com \{$`)

// certify makes a certificate for the recipes' names. It returns the arguments
// of Caddy's tls directive, and who trusts it.
func certify(t *testing.T) (files string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"pop.example.com", "crm.pop.example.com", "crm.example.com"},
		IsCA:     true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"crt.pem": encoded, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(encoded)
	return filepath.Join(folder, "crt.pem") + " " + filepath.Join(folder, "key.pem"), trusted
}

func (f *frontage) serveCRM(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/v1/") {
		espoAPI(w, r)
		return
	}
	f.mu.Lock()
	answer := f.answer
	f.arrived = r
	f.mu.Unlock()
	answer(w, r)
}

// espoAPI knows one contact.
func espoAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/api/v1/Contact" || r.Header.Get("X-Api-Key") != "key" {
		_, _ = io.WriteString(w, `{"total":0,"list":[]}`)
		return
	}
	_, _ = io.WriteString(w, `{"total":1,"list":[{"id":"7","name":"Camille Moreau","phoneNumber":"+33427466347"}]}`)
}

// refusingPage is what a CRM says that refuses every frame.
func refusingPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Frame-Options", "DENY")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
	_, _ = io.WriteString(w, "<h1>Camille Moreau</h1>")
}

// says sets what the CRM's pages answer with.
func (f *frontage) says(header http.Header) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		if header.Get("Location") != "" {
			w.WriteHeader(http.StatusFound)
		}
	}
}

// got is the last request that arrived at the CRM.
func (f *frontage) got() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.arrived
}

func (f *frontage) send(method, address, body string, header http.Header) answer {
	f.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func (f *frontage) get(address string) answer {
	f.t.Helper()
	return f.send(http.MethodGet, address, "", nil)
}

const framePolicy = "frame-ancestors 'self' https://pop.example.com https://xuc.example.com"

func TestRefusingCRMOpensInThePaneByTheRecipe(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	got := f.send(http.MethodPost, "https://pop.example.com/", payload(nil), http.Header{
		"Content-Type": {"application/json"}, "Origin": {agentOrigin},
	})
	address, _ := got.field("url").(string)
	if got.field("action") != "open" || !strings.HasPrefix(address, "https://pop.example.com/pane/frame/") {
		t.Fatalf("answered %s, want the frame in the pane", got.body)
	}
	page := f.get(address)
	if !strings.Contains(page.body, `<iframe src="https://crm.pop.example.com/#Contact/view/7"`) {
		t.Errorf("the pane does not frame the record at its new name:\n%s", page.body)
	}
}

func TestWithoutTheRecipeARefusingCRMOpensInAPopup(t *testing.T) {
	f := serveRecipe(t, `pop.example.com {
	screen_pop {
		origins https://xuc.example.com
		region FR
		crm espocrm https://crm.example.com {
			api https://crm.example.com/api/v1
			api_key {env.ESPOCRM_API_KEY}
		}
	}
}

crm.example.com {
	reverse_proxy https://crm.example.com {
		header_up Host crm.example.com
	}
}
`)
	got := f.send(http.MethodPost, "https://pop.example.com/", payload(nil), http.Header{
		"Content-Type": {"application/json"}, "Origin": {agentOrigin},
	})
	if got.field("action") != "popup" || got.field("url") != "https://crm.example.com/#Contact/view/7" {
		t.Errorf("answered %s, want a popup", got.body)
	}
}

func TestRecipesReplaceOnlyWhatIsSaidOfFrames(t *testing.T) {
	ownName, movedName := recipes(t)
	for _, recipe := range []struct{ host, text string }{
		{"https://crm.pop.example.com", ownName}, {"https://crm.example.com", movedName},
	} {
		f := serveRecipe(t, recipe.text)
		for _, c := range []struct {
			name         string
			policy, want []string
		}{
			{"none", nil, nil},
			{"frames only", []string{"frame-ancestors 'none'"}, nil},
			{"among others", []string{"default-src 'self'; frame-ancestors 'none'; script-src 'nonce-r4nd0m'"}, []string{"default-src 'self'", "script-src 'nonce-r4nd0m'"}},
			{"at the start", []string{"frame-ancestors 'self' https://a.example;img-src *"}, []string{"img-src *"}},
			{"in capitals", []string{"Default-Src 'self';FRAME-ANCESTORS 'NONE'"}, []string{"Default-Src 'self'"}},
			{"twice", []string{"frame-ancestors 'none'; frame-ancestors 'self'; img-src *"}, []string{"img-src *"}},
			{"without sources", []string{"img-src *; frame-ancestors"}, []string{"img-src *"}},
			{"several fields", []string{"default-src 'self'", "frame-ancestors 'none'", "img-src *; frame-ancestors 'self'"}, []string{"default-src 'self'", "img-src *"}},
			{"a list", []string{"default-src 'self', frame-ancestors 'none', img-src *; frame-ancestors 'self', object-src 'none'"}, []string{"default-src 'self'", "img-src *", "object-src 'none'"}},
			{"a sandbox", []string{"sandbox allow-scripts; frame-ancestors 'none'"}, []string{"sandbox allow-scripts"}},
			{"the word elsewhere", []string{"report-uri /frame-ancestors/reports; frame-ancestors 'none'"}, []string{"report-uri /frame-ancestors/reports"}},
		} {
			t.Run(recipe.host+" "+c.name, func(t *testing.T) {
				f.says(http.Header{
					"Content-Security-Policy": c.policy, "X-Frame-Options": {"DENY", "SAMEORIGIN"},
					"Content-Security-Policy-Report-Only": {"frame-ancestors 'none'"}, "Strict-Transport-Security": {"max-age=1"},
				})
				header := f.get(recipe.host + "/").header
				if got := header.Values("X-Frame-Options"); got != nil {
					t.Errorf("X-Frame-Options %q is still there", got)
				}
				got := directives(header.Values("Content-Security-Policy"))
				want := append(slices.Clone(c.want), framePolicy)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("the policy is\n%q, want\n%q", got, want)
				}
				if header.Get("Content-Security-Policy-Report-Only") != "frame-ancestors 'none'" || header.Get("Strict-Transport-Security") != "max-age=1" {
					t.Errorf("other headers have changed: %v", header)
				}
			})
		}
	}
}

// directives are those of all policies, sorted.
func directives(policies []string) []string {
	var found []string
	for _, text := range policies {
		for directive := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ',' }) {
			if directive = strings.TrimSpace(directive); directive != "" {
				found = append(found, directive)
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestRecipeKeepsRedirectsAtTheNewName(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	for sent, want := range map[string]string{
		"https://crm.example.com/login?next=%2Fcontact%2F7":   "https://crm.pop.example.com/login?next=%2Fcontact%2F7",
		"http://crm.example.com/login":                        "https://crm.pop.example.com/login",
		"https://crm.example.com":                             "https://crm.pop.example.com",
		"https://crm.example.com?x=1":                         "https://crm.pop.example.com?x=1",
		"/login":                                              "/login",
		"login.php":                                           "login.php",
		"https://sso.example.com/?to=https://crm.example.com": "https://sso.example.com/?to=https://crm.example.com",
		"https://crm.example.com.evil.example/":               "https://crm.example.com.evil.example/",
		"https://crmxexample.com/":                            "https://crmxexample.com/",
	} {
		f.says(http.Header{"Location": {sent}})
		if got := f.get("https://crm.pop.example.com/contact/7").header.Get("Location"); got != want {
			t.Errorf("a redirect to %s leads to %s, want %s", sent, got, want)
		}
	}
}

func TestRecipeKeepsCookiesAtTheNewNameAndSecure(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	for sent, want := range map[string]string{
		"sid=1; Path=/; HttpOnly; SameSite=Lax":                       "sid=1; Path=/; HttpOnly; SameSite=Lax; Secure",
		"sid=1; Domain=crm.example.com; Secure; HttpOnly":             "sid=1; HttpOnly; Secure",
		"sid=1; path=/; domain=.example.com":                          "sid=1; path=/; Secure",
		"sid=1;secure;domain=example.com;SameSite=Strict":             "sid=1;SameSite=Strict; Secure",
		"sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=x":       "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure",
		"__Host-sid=1; Path=/; Secure":                                "__Host-sid=1; Path=/; Secure",
		"domain=secure; Path=/":                                       "domain=secure; Path=/; Secure",
		"next=https%3A%2F%2Fcrm.example.com%2F; SameSite=None;Secure": "next=https%3A%2F%2Fcrm.example.com%2F; SameSite=None; Secure",
	} {
		f.says(http.Header{"Set-Cookie": {sent, "other=1"}})
		got := f.get("https://crm.pop.example.com/").header.Values("Set-Cookie")
		if !slices.Equal(got, []string{want, "other=1; Secure"}) {
			t.Errorf("the cookie %s became\n%q, want\n%s", sent, got, want)
		}
	}
}

func TestCRMGetsWhatItWouldGetWithoutTheGateway(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	f.send(http.MethodPost, "https://crm.pop.example.com/save?a=%20b", "x=1", http.Header{
		"Origin": {"https://crm.pop.example.com"}, "Referer": {"https://crm.pop.example.com/contact/7"}, "Cookie": {"sid=1"},
	})
	got := f.got()
	for name, want := range map[string]string{
		"Origin": "https://crm.example.com", "Referer": "https://crm.example.com/contact/7", "Cookie": "sid=1",
		"X-Forwarded-Host": "", "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Host != "crm.example.com" || got.RequestURI != "/save?a=%20b" {
		t.Errorf("%s was asked for %s", got.Host, got.RequestURI)
	}
}

func TestForgedRequestsStayForged(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	for _, origin := range []string{"https://evil.example", "https://crm.pop.example.com.evil.example", "https://crmxpop.example.com", "null", agentOrigin} {
		f.send(http.MethodPost, "https://crm.pop.example.com/save", "", http.Header{"Origin": {origin}, "Referer": {origin + "/"}})
		if got := f.got().Header; got.Get("Origin") != origin || got.Get("Referer") != origin+"/" {
			t.Errorf("a request from %s arrives from %s, %s", origin, got.Get("Origin"), got.Get("Referer"))
		}
	}
}

func TestWebSocketsPassTheRecipe(t *testing.T) {
	ownName, _ := recipes(t)
	f := serveRecipe(t, ownName)
	f.mu.Lock()
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := buffer.ReadString('\n')
		_, _ = io.WriteString(connection, "heard "+line)
	}
	f.mu.Unlock()
	request, err := http.NewRequest(http.MethodGet, "https://crm.pop.example.com/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Origin": {"https://crm.pop.example.com"},
		"Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	response, err := f.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stream, ok := response.Body.(io.ReadWriter)
	if !ok {
		t.Fatalf("answered %d, want 101", response.StatusCode)
	}
	_, _ = io.WriteString(stream, "hello\n")
	if line, _ := bufio.NewReader(stream).ReadString('\n'); line != "heard hello\n" {
		t.Errorf("heard %q", line)
	}
	if got := f.got().Header.Get("Origin"); got != "https://crm.example.com" {
		t.Errorf("the socket was opened from %s", got)
	}
}

func TestPaneSaysSomethingWhenTheCRMIsAway(t *testing.T) {
	ownName, movedName := recipes(t)
	for host, recipe := range map[string]string{"https://crm.pop.example.com": ownName, "https://crm.example.com": movedName} {
		f := serveRecipe(t, recipe)
		f.crm.Close()
		got := f.get(host + "/")
		if got.status != http.StatusBadGateway || !strings.Contains(got.body, "does not answer") {
			t.Errorf("answered %d %q", got.status, got.body)
		}
		if policy := got.header.Values("Content-Security-Policy"); !slices.Equal(policy, []string{framePolicy}) {
			t.Errorf("the policy is %q", policy)
		}
	}
}

// noted answers nothing, and notes which hosts were asked.
type noted struct {
	mu    sync.Mutex
	hosts []string
}

func (n *noted) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts = append(n.hosts, r.URL.Host)
	return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// What docs/framing.md says of url and api holds for every preset: pages are at
// the one, requests go to the other.
func TestPresetsAskTheirAPIAndOpenPagesAtTheirURL(t *testing.T) {
	const public, inside = "crm.pop.example.com", "inside.example.com"
	tokensAtURL := []string{"salesforce", "sugarcrm", "suitecrm", "suitecrm8"}
	for _, name := range presets.Names() {
		t.Run(name, func(t *testing.T) {
			rest := givenPreset(t, name)
			rest.URL, rest.API = "https://"+public, "https://"+inside+"/api"
			asked := &noted{}
			engine, err := rest.compile(loadedSettings(), host{transport: asked})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			query := queryFor(t, knownCaller)
			engine.Search(context.Background(), query)
			if len(asked.hosts) == 0 {
				t.Fatal("nothing was asked")
			}
			if slices.Contains(asked.hosts, public) != slices.Contains(tokensAtURL, name) {
				t.Errorf("asked %v", asked.hosts)
			}
			if page, err := url.Parse(engine.Links(query).Search); engine.Links(query).Search != "" && (err != nil || page.Host != public) {
				t.Errorf("the search page is %s, %v", engine.Links(query).Search, err)
			}
		})
	}
}

func queryFor(t *testing.T, caller string) Query {
	t.Helper()
	region, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	number, err := region.Parse(caller)
	if err != nil {
		t.Fatal(err)
	}
	return Query{Call: xucmgt.Call{Caller: caller}, Number: number, Region: region}
}

// givenPreset is a preset with everything that it wants to be given.
func givenPreset(t *testing.T, name string) *REST {
	t.Helper()
	rest := &REST{Preset: name}
	preset, err := readPreset(name)
	if err != nil {
		t.Fatal(err)
	}
	rest.Credentials, rest.Settings = map[string]string{}, map[string]string{}
	for _, credential := range preset.declared.credentials {
		rest.Credentials[credential] = "s"
	}
	for _, setting := range preset.declared.settings {
		if preset.Settings[setting] == "" {
			rest.Settings[setting] = "s"
		}
	}
	return rest
}
