package pane

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// directives reads a Content-Security-Policy.
func directives(d document) map[string]string {
	read := map[string]string{}
	for directive := range strings.SplitSeq(d.header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		read[name] = value
	}
	return read
}

func TestEveryPageHasAStrictPolicyThatFitsIt(t *testing.T) {
	branded := func(o *Options) {
		o.Brand = Brand{Name: "Quai Nord", Colour: "#0b6e4f", Logo: logoFile(t, "logo.svg", "<svg/>")}
	}
	for name, d := range everyPage(serve(t, branded)) {
		style, script := d.all("style"), d.all("script")
		if len(style) != 1 || len(script) != 1 {
			t.Fatalf("%s has %d styles and %d scripts", name, len(style), len(script))
		}
		want := map[string]string{
			"default-src": "'none'", "style-src": "'" + hash(style[0].FirstChild.Data) + "'", "script-src": "'" + hash(script[0].FirstChild.Data) + "'",
			"img-src": "data:", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": agent,
		}
		if name == "frame" {
			want["frame-src"] = "https:"
		}
		if got := directives(d); !maps.Equal(got, want) {
			t.Errorf("%s has the policy %v\nwant %v", name, got, want)
		}
		for header, value := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
			"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "", "Vary": "Accept-Language",
		} {
			if d.header.Get(header) != value {
				t.Errorf("%s has %s: %q", name, header, d.header.Get(header))
			}
		}
	}
}

func TestOnlyTheAgentApplicationMayFrameOurPages(t *testing.T) {
	for _, test := range []struct {
		origins []string
		want    string
	}{
		{[]string{agent}, agent},
		{[]string{agent, "https://edge.example.com:8443"}, agent + " https://edge.example.com:8443"},
		{[]string{"*"}, "*"},
		{nil, "'none'"},
	} {
		s := serve(t, func(o *Options) { o.Origins = test.origins })
		if got := directives(s.show(Card, about(camille)))["frame-ancestors"]; got != test.want {
			t.Errorf("%q: %s", test.origins, got)
		}
	}
}

// What a browser would load by itself, and what would run.
func TestNoPageLoadsAnythingFromElsewhere(t *testing.T) {
	for name, d := range everyPage(serve(t, nil)) {
		for _, node := range d.all("") {
			if slices.Contains([]string{"link", "object", "embed", "base", "form", "video", "audio", "source"}, node.Data) {
				t.Errorf("%s has an element %s", name, node.Data)
			}
			for _, a := range node.Attr {
				loads := a.Key == "src" || a.Key == "srcset" || a.Key == "data" || a.Key == "background"
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || loads && !strings.HasPrefix(a.Val, "data:") && node.Data != "iframe" {
					t.Errorf("%s has %s=%q in %s", name, a.Key, a.Val, node.Data)
				}
			}
		}
		if style := d.all("style")[0].FirstChild.Data; strings.Contains(style, "url(") || strings.Contains(style, "@import") {
			t.Errorf("the style of %s loads something", name)
		}
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title><script>alert(1)</script>`, `</style><script>`, `</script><script>alert(1)//`,
	`javascript:alert(1)`, `data:text/html,<script>alert(1)</script>`, `{{.}}`, `${7*7}`, "\u202eevil\u2066", "a\r\nSet-Cookie: a=b", "\x00\x1b[31m", "a\xffb",
	`&lt;b&gt;`, `<!--`, `]]>`, strings.Repeat("x", 10_000), strings.Repeat("é", 10_000), strings.Repeat(`"`, 10_000), strings.Repeat("<", 10_000), strings.Repeat("𝕏", 10_000),
}

func hostileRecord(text string) Record {
	fields := make([]Field, 50)
	phones := make([]string, 50)
	for i := range fields {
		fields[i], phones[i] = Field{text, fmt.Sprint(i) + text}, fmt.Sprint(i)+text
	}
	return Record{CRM: text, Kind: text, Name: text, Company: text, Email: text, Matched: text, Phones: phones, URL: text, Fields: fields}
}

func TestHostileDataIsShownAsTextOrLeftOut(t *testing.T) {
	for i, bad := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := serve(t, nil)
			visit := about(hostileRecord(bad), hostileRecord("2"+bad))
			visit.Number, visit.Caller, visit.Queue, visit.CRM, visit.Search, visit.Create = "", bad, bad, bad, bad, bad
			s.found = Found{Visit: visit, Failed: []string{bad}}
			waiting := s.show(Waiting, visit)
			none := visit
			none.Records = nil
			chooser := s.open(s.open(waitingFor(waiting), "Accept", "application/json").next())
			s.found = Found{Visit: none, Failed: []string{bad}}
			for name, d := range map[string]document{
				"chooser": chooser, "card": s.show(Card, visit), "frame": s.show(Frame, visit), "unknown": s.show(Unknown, visit), "waiting": waiting,
				"unreachable": s.open(s.open(waitingFor(waiting), "Accept", "application/json").next()),
			} {
				checkHarmless(t, name, d)
			}
			shown := strings.Join(strings.Fields(strings.Map(printed, bad)), " ")
			if runes := []rune(shown); len(runes) > 20 {
				shown = string(runes[:20])
			}
			if text := chooser.text(); !strings.Contains(text, shown) {
				t.Errorf("%q is not shown in %q", shown, text)
			}
		})
	}
}

// printed leaves out what no page shows.
func printed(r rune) rune {
	if strings.ContainsRune("\u202e\u2066\x00\x1b", r) {
		return -1
	}
	return r
}

// checkHarmless makes sure that a page is as its template made it.
func checkHarmless(t *testing.T, name string, d document) {
	t.Helper()
	if d.status != http.StatusOK || len(d.all("script")) != 1 || len(d.all("style")) != 1 || len(d.all("img")) != 0 || len(d.all("iframe")) != 0 {
		t.Errorf("%s: %d %s", name, d.status, d.body)
	}
	if got := directives(d)["script-src"]; got != "'"+hash(d.all("script")[0].FirstChild.Data)+"'" {
		t.Errorf("%s has another script", name)
	}
	for _, node := range d.all("") {
		for _, a := range node.Attr {
			checkAttribute(t, name, node, a)
		}
	}
	if strings.ContainsAny(d.body, "\u202e\u2066\x00\x1b") {
		t.Errorf("%s has characters that reorder text, or control it", name)
	}
	if len(d.body) > maxPage {
		t.Errorf("%s has %d bytes", name, len(d.body))
	}
}

func checkAttribute(t *testing.T, name string, node *html.Node, a html.Attribute) {
	t.Helper()
	if strings.HasPrefix(a.Key, "on") {
		t.Errorf("%s has %s=%q", name, a.Key, a.Val)
	}
	if a.Key == "href" && !strings.HasPrefix(a.Val, "/pane/") && !strings.HasPrefix(a.Val, "?record=") && !strings.HasPrefix(a.Val, "tel:+") {
		t.Errorf("%s has a link to %q in %s", name, a.Val, node.Data)
	}
}

// maxPage is what an agent with a slow line can wait for.
const maxPage = 30 << 10

func TestEveryPageIsSmallWithAllThatItNeeds(t *testing.T) {
	largest := strings.Repeat("<", maxLogo)
	branded := func(o *Options) {
		o.Brand = Brand{Name: "Quai Nord", Colour: "#0b6e4f", Logo: logoFile(t, "logo.svg", largest)}
	}
	s := serve(t, branded)
	for name, d := range everyPage(s) {
		if len(d.body) > maxPage {
			t.Errorf("%s has %d bytes", name, len(d.body))
		}
	}
	var full []Record
	for i := range 40 {
		record := camille
		record.MayFrame, record.Name, record.URL = false, fmt.Sprintf("Somebody of number %d", i), fmt.Sprintf("https://crm.example.com/index.php?module=Contacts&action=DetailView&record=%d", i)
		full = append(full, record)
	}
	d := s.show(Chooser, about(full...))
	d.want(http.StatusOK, "40 records have this number", "15 more are not shown.")
	if len(d.body) > maxPage {
		t.Errorf("a full chooser has %d bytes", len(d.body))
	}
}

// Proxies refuse long addresses; 8 KB is what most of them take.
func TestAnAddressIsShortWhateverTheCRMWrote(t *testing.T) {
	noise := func(length int) string {
		letters := make([]rune, length)
		for i := range letters {
			letters[i] = rune('!' + rand.IntN(90)) //nolint:gosec // no secret
		}
		return string(letters)
	}
	record := hostileRecord(noise(10_000))
	record.URL = "https://crm.example.com/" + strings.Repeat("a", 5000)
	for name, visit := range map[string]Visit{
		"many": about(slices.Repeat([]Record{record}, 500)...), "one": about(record), "a long call": {Number: "+33427466347", Call: json.RawMessage(`{"a":"` + strings.Repeat("a", 60_000) + `"}`)},
	} {
		for _, page := range Pages() {
			if address := serve(t, nil).address(page, visit); len(address) > 8<<10 {
				t.Errorf("%s: the address of %s has %d characters", name, page, len(address))
			}
		}
	}
}

func TestAnAddressThatIsTooLongIsLeftOutAndNotCut(t *testing.T) {
	record := camille
	record.URL = "https://crm.example.com/" + strings.Repeat("a", 3000)
	d := serve(t, nil).show(Frame, about(record))
	d.want(http.StatusOK, "Camille Moreau")
	d.lacks("<iframe", "aaaaaa")
}

func TestACallerWhoseNumberIsHiddenIsSaidToBe(t *testing.T) {
	s := serve(t, nil)
	header := func(visit Visit, headers ...string) string {
		return text(s.show(Unknown, visit, headers...).all("header")[0])
	}
	if got := header(Visit{}); !strings.Contains(got, "Number withheld") {
		t.Errorf("without a number: %q", got)
	}
	if got := header(Visit{Caller: "anonymous"}); !strings.Contains(got, "anonymous") {
		t.Errorf("without a number: %q", got)
	}
	// As people here write it, with where it is from in the agent's language.
	if got := header(Visit{Number: "+390612345678"}); !strings.Contains(got, "+39 06 1234 5678 Rome") {
		t.Errorf("from abroad: %q", got)
	}
	if got := header(Visit{Number: "+4930123456"}, "Accept-Language", "fr"); !strings.Contains(got, "+49 30 123456 Berlin") {
		t.Errorf("from abroad: %q", got)
	}
}

// logoFile writes an image.
func logoFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
