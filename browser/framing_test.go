package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// office is what docs/framing.md describes: CC Agent, the gateway and a CRM
// that refuses frames, each at its name, by https, and a browser that finds
// them there.
type office struct {
	t       *testing.T
	crm     refusingCRM
	https   string // where all names lead to
	browser *simulator
}

// openOffice serves a recipe of docs/framing.md, and opens a browser.
func openOffice(t *testing.T, recipe string) *office {
	t.Helper()
	ports, err := freePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, https: ports[3]}
	home := t.TempDir()
	certificate := o.certify(home)
	crm, pages := o.listen(o.crm.serve), o.listen(serveAgent)
	p := &process{Gateway: ports[0], CRM: ports[1], Simulator: ports[2]}
	p.config = filepath.Join(home, "Caddyfile")
	p.environment = []string{
		"ESPOCRM_API_KEY=key", "SSL_CERT_FILE=" + certificate,
		// The gateway too finds the names where they are.
		"HTTPS_PROXY=" + o.listen(o.connect),
	}
	if err := os.WriteFile(p.config, []byte(o.caddyfile(recipe, crm, pages, certificate)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.start(home); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.interrupt()
		if t.Failed() {
			t.Log(p.output)
		}
	})

	ctx, quit, err := startChromium(home,
		chromedp.Flag("host-resolver-rules", "MAP * "+o.https), chromedp.Flag("ignore-certificate-errors", true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(quit)
	o.browser = &simulator{t: t, ctx: ctx}
	o.browser.must(chromedp.Listen(ctx, o.browser.observe))
	o.browser.enableReports()
	return o
}

// listen runs a plain web server and returns its URL.
func (o *office) listen(serve http.HandlerFunc) string {
	server := httptest.NewServer(serve)
	o.t.Cleanup(server.Close)
	return server.URL
}

// recipe is one of the Caddyfiles in docs/framing.md.
func recipe(t *testing.T) string {
	t.Helper()
	document, err := os.ReadFile("../docs/framing.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindSubmatch(document)
	if found == nil {
		t.Fatal("docs/framing.md has no recipe")
	}
	return string(found[1])
}

// caddyfile is the recipe with the addresses of this test in it.
func (o *office) caddyfile(recipe, crm, pages, certificate string) string {
	_, port, _ := net.SplitHostPort(o.https)
	recipe = strings.NewReplacer(
		"reverse_proxy https://crm.example.com {", "reverse_proxy "+crm+" {",
		"api https://crm.example.com/", "api "+crm+"/",
		"region FR", "region FR\n\t\tdeadline 20s", // whatever else this machine does
	).Replace(recipe)
	recipe += `
xuc.example.com, other.example.com, evil.example.net {
	reverse_proxy ` + pages + `
}
`
	site := regexp.MustCompile(`(?m)^[\w., ]+\.example\.(com|net) \{$`)
	return `{
	admin off
	auto_https disable_redirects
	persist_config off
	grace_period 1s
	default_bind 127.0.0.1
	https_port ` + port + `
}

http://{$DEMO_GATEWAY} {
	respond ok
}

` + site.ReplaceAllString(recipe, "$0\n\ttls "+certificate+" "+certificate)
}

// certify writes a certificate for all names, with its key, into a file.
func (o *office) certify(folder string) string {
	o.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"*.example.com", "*.pop.example.com", "*.example.net"}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		o.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		o.t.Fatal(err)
	}
	file := filepath.Join(folder, "certificate.pem")
	content := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return file
}

// connect is a proxy that leads every name to Caddy.
func (o *office) connect(w http.ResponseWriter, _ *http.Request) {
	caddy, err := net.Dial("tcp", o.https)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = caddy.Close() }()
	client, received, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(caddy, received)
		_ = caddy.Close()
	}()
	_, _ = io.Copy(client, caddy)
}

// refusingCRM forbids frames in every way, wants a login, and knows itself by
// its own name only.
type refusingCRM struct{ away atomic.Bool }

func (c *refusingCRM) serve(w http.ResponseWriter, r *http.Request) {
	if c.away.Load() {
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	header.Add("X-Frame-Options", "DENY")
	header.Add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	header.Add("Content-Security-Policy", "frame-ancestors 'self', img-src *; frame-ancestors 'none'")
	cookie, err := r.Cookie("sid")
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/v1/"):
		header.Set("Content-Type", "application/json")
		list := `{"total":0,"list":[]}`
		if r.URL.Path == "/api/v1/Contact" && r.Header.Get("X-Api-Key") == "key" {
			list = `{"total":1,"list":[{"id":"7","name":"Camille Moreau","phoneNumber":"+33427466347"}]}`
		}
		_, _ = io.WriteString(w, list)
	case r.Host != "crm.example.com":
		http.Error(w, "no such CRM: "+r.Host, http.StatusNotFound)
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		c.login(w, r)
	case r.URL.Path == "/login":
		writeHTML(w, `<h1>Log in</h1><form method="post"><button id="login">Log in</button></form>`)
	case err != nil || cookie.Value != "secret":
		http.Redirect(w, r, "https://crm.example.com/login", http.StatusFound)
	default:
		writeHTML(w, `<style>h1 { color: green }</style><h1>Camille Moreau</h1><p id="who">logged in</p><script>document.title = "broken policy"</script>`)
	}
}

// login takes a form that was sent from the CRM's own page only.
func (*refusingCRM) login(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "https://crm.example.com" {
		http.Error(w, "forged: "+r.Header.Get("Origin"), http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "sid", Value: "secret", Path: "/", Domain: "crm.example.com", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, "https://crm.example.com/", http.StatusFound)
}

func writeHTML(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>CRM</title>`+body)
}

// serveAgent is what CC Agent does at xuc.example.com, in few lines, and
// elsewhere somebody who shows a page of the CRM.
func serveAgent(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		w.WriteHeader(http.StatusNoContent)
	case r.Host != "xuc.example.com":
		writeHTML(w, `<h1>Win a phone</h1><iframe src="`+r.URL.Query().Get("show")+`"></iframe>`)
	default:
		writeHTML(w, agentPage)
	}
}

const agentPage = `
<p id="status" style="overflow-wrap: anywhere">Ready</p><iframe id="pane-frame" width="1000" height="500"></iframe>
<script>
addEventListener("message", (event) => {
	if (event.data === "closeThirdParty") document.querySelector("#status").textContent = "Closed";
});
const ring = async () => {
	const answer = await (await fetch("https://pop.example.com/", {
		method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({user: {agentId: 29}, caller: "0427466347", queue: {name: "bluesky", displayName: "Blue sky"}, userData: {}}),
	})).json();
	if (answer.action === "open") document.querySelector("#pane-frame").src = answer.url;
	document.querySelector("#status").textContent = answer.action + " " + answer.url;
};
</script>`

// ring rings, and expects an answer with this action.
func (o *office) ring(action string) {
	o.t.Helper()
	s := o.browser
	s.do(chromedp.Navigate("https://xuc.example.com/"))
	evaluate[bool](s, `ring() instanceof Promise`)
	s.waitForText("#status", action+" https://")
}

func TestRefusingCRMIsUsedInThePaneByTheRecipe(t *testing.T) {
	o := openOffice(t, recipe(t))
	s := o.browser

	o.ring("open")
	s.record().waitForText("h1", "Log in")
	s.record().click("#login")
	s.record().waitForText("h1", "Camille Moreau")

	o.ring("open")
	s.record().waitForText("#who", "logged in")
	o.keepPicture("framing-recipe.png")

	s.pane().click("[data-done]")
	s.waitForText("#status", "Closed")
	o.wantReports("script-src", "the CRM's own policy no longer stops a script")
}

func TestNobodyElseFramesTheCRM(t *testing.T) {
	o := openOffice(t, recipe(t))
	for _, host := range []string{"other.example.com", "evil.example.net"} {
		for _, address := range []string{"https://crm.pop.example.com/", "https://crm.pop.example.com/login"} {
			o.forgetReports()
			o.browser.do(chromedp.Navigate("https://" + host + "/?show=" + address))
			o.wantReports("frame-ancestors", host+" shows "+address)
		}
	}
}

func TestCRMThatIsAwaySaysSoInThePane(t *testing.T) {
	o := openOffice(t, recipe(t))
	o.ring("open")
	o.browser.record().waitForText("h1", "Log in")
	o.crm.away.Store(true)
	reload := `document.querySelector("#pane-frame").src += "?again"`
	evaluate[string](o.browser, reload)
	o.browser.record().waitForText("body", "The CRM does not answer. Please try again in a moment.")
}

func TestRefusingCRMWithoutTheRecipeIsNotOpenedInThePane(t *testing.T) {
	o := openOffice(t, `pop.example.com {
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
	o.ring("popup")
	if got := o.browser.text("#status"); got != "popup https://crm.example.com/#Contact/view/7" {
		t.Errorf("the answer is %q", got)
	}
}

// forgetReports begins anew with what the browser reports.
func (o *office) forgetReports() {
	o.browser.mutex.Lock()
	defer o.browser.mutex.Unlock()
	o.browser.problems = nil
}

// wantReports waits until the browser reports a violation of a policy.
func (o *office) wantReports(directive, otherwise string) {
	o.t.Helper()
	o.browser.eventually("a policy is violated; else "+otherwise, func() bool { return o.browser.reported(directive) })
}

// keepPicture takes a picture for people to look at.
func (o *office) keepPicture(name string) {
	o.t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = "screenshots"
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		o.t.Fatal(err)
	}
	o.browser.picture(filepath.Join(folder, name))
}
