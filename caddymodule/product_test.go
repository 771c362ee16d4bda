package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// product is a preset together with a stand-in for the CRM, which behaves as
// is known of the real one.
type product struct {
	preset string
	// path follows the stand-in's address in `crm <preset> <url>`.
	path string
	// options are the lines of the block: credentials, settings. $CRM is the
	// stand-in's address.
	options string
	// wrong turns a credential in the options into one that is not accepted.
	wrong [2]string
	// rejected is what the log must say then, besides the CRM's name.
	rejected string
	// standIn answers as the product does, from what the office has.
	standIn func(*office) http.Handler
	// kinds are the lookups of the preset.
	kinds []kind
	// found are ways in which +33 1 23 45 67 89 may be stored and is found;
	// missed are those that the preset's page says are not.
	found, missed []string
	// sessions is set when the product gives tokens that can expire.
	sessions bool
}

// kind is one lookup of a preset.
type kind struct {
	name string
	// phones counts the record's fields for numbers.
	phones int
	// page and title are what must be opened: $CRM, $ID, $FIRST, $LAST, $NAME
	// (first and last name), $COMPANY and $EMAIL stand for the record's. The
	// title is "<name>|<company>|<email>" as the preset maps them.
	page, title string
}

// measured are the spellings in which numbers were found stored in running
// CRMs (EspoCRM 9.2.7, SuiteCRM 7.14.6, Dolibarr 16.0.3).
var measured = []string{
	"+33123456789", "+33 1 23 45 67 89", "0033123456789", "0123456789", "01 23 45 67 89", "01.23.45.67.89", "(01) 23-45-67-89",
}

// card is one record in a stand-in.
type card struct {
	ID, First, Last, Company, Email string
	// Phones are in the order of the product's fields.
	Phones []string
}

// phone returns a field's number, or "".
func (c card) phone(field int) string {
	if field < len(c.Phones) {
		return c.Phones[field]
	}
	return ""
}

// office is what a stand-in knows, and how it behaves at the moment.
type office struct {
	t testing.TB

	mu       sync.Mutex
	cards    map[string][]card
	sessions map[string]bool
	logins   int
	mood     mood
	requests []string
}

// mood is a way in which CRMs go wrong.
type mood int

const (
	// well is how a CRM should be.
	well mood = iota
	// careless CRMs ignore the filter and return everybody.
	careless
	// failing CRMs answer as the product does when it fails: with an error in
	// a 200 where it is known for that, else with a 500.
	failing
)

func (o *office) file(kind string, cards ...card) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cards = map[string][]card{kind: cards}
}

// all returns the records of a kind.
func (o *office) all(kind string) []card {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.cards[kind])
}

// search returns the records of a kind that match, or all if the CRM is
// careless.
func (o *office) search(kind string, match func(card) bool) []card {
	if o.is(careless) {
		return o.all(kind)
	}
	return slices.DeleteFunc(o.all(kind), func(c card) bool { return !match(c) })
}

func (o *office) is(m mood) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mood == m
}

func (o *office) become(m mood) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mood = m
}

// login opens a session and returns its token.
func (o *office) login() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.logins++
	token := fmt.Sprintf("session-%d", o.logins)
	o.sessions[token] = true
	return token
}

// admits reports whether a session is open.
func (o *office) admits(token string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sessions[token]
}

// expire ends all sessions.
func (o *office) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.sessions)
}

func (o *office) countLogins() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.logins
}

// record notes everything of a request, decoded, as the product reads it.
func (o *office) record(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		o.t.Errorf("reading a request: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		o.t.Errorf("the query %q: %v", r.URL.RawQuery, err)
	}
	form, _ := url.QueryUnescape(string(body)) // of a JSON body, whatever comes out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, fmt.Sprint(r.Method, " ", r.URL.Path, " ", query, " ", string(body), " ", form, " ", r.Header))
}

// takeRequests returns the requests since the last time.
func (o *office) takeRequests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	requests := o.requests
	o.requests = nil
	return requests
}

const knownCaller = "0123456789"

// fill writes what a kind's page or title must be for a record.
func fill(text, address string, c card) string {
	return strings.NewReplacer("$CRM", address, "$ID", c.ID, "$FIRST", c.First, "$LAST", c.Last,
		"$NAME", strings.TrimSpace(c.First+" "+c.Last), "$COMPANY", c.Company, "$EMAIL", c.Email).Replace(text)
}

// desk is a running gateway in front of a stand-in.
type desk struct {
	*gateway
	product

	office  *office
	address string
}

// open runs a gateway before the stand-in. Its rate is that of the test and not of
// the product, which would make it wait.
func (p product) open(t *testing.T, options string) *desk {
	t.Helper()
	d := &desk{product: p, office: &office{t: t, sessions: map[string]bool{}}}
	handler := p.standIn(d.office)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.office.record(r)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.address = server.URL
	d.gateway = serve(t, indent(`screen_pop {
	origins `+agentOrigin+`
	region FR
	deadline 20s
	cache off
	crm `+p.preset+` `+d.address+p.path+` {
		timeout 10s
		protect {
			rate 10000 1s
		}
		`+strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(options), "$CRM", d.address), "\n", "\n\t\t")+`
	}
	on one popup {contact.url} {
		title "{contact.name}|{contact.company}|{contact.email}"
	}
	on many popup https://many.example.com/
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/
}`))
	return d
}

// rings lets the caller call and says what was opened.
func (d *desk) rings() string {
	d.t.Helper()
	got := d.ring(knownCaller)
	opened, _ := got.field("url").(string)
	if opened == "" {
		d.t.Errorf("answered %d %s", got.status, got.body)
	}
	return opened
}

// why returns what the log says of the last call.
func (d *desk) why() string { return fmt.Sprint(d.lastCall()) }

func (d *desk) expect(t *testing.T, want string) {
	t.Helper()
	if opened := d.rings(); opened != want {
		t.Errorf("opened %s, want %s\n%s\nthe CRM was asked: %s", opened, want, d.why(), strings.Join(d.office.takeRequests(), "\n"))
	}
}

const (
	manyPage        = "https://many.example.com/"
	nonePage        = "https://none.example.com/"
	unreachablePage = "https://unreachable.example.com/"
)

// test checks everything that is true of every preset.
func (p product) test(t *testing.T) {
	if p.found == nil {
		p.found = measured
	}
	t.Run("works", func(t *testing.T) {
		d := p.open(t, p.options)
		for _, k := range p.kinds {
			t.Run(k.name, func(t *testing.T) { d.testKind(t, k) })
		}
		t.Run("an expired session is opened again", func(t *testing.T) { d.testExpiry(t) })
		t.Run("a failure is not found nobody", func(t *testing.T) { d.testFailure(t) })
		t.Run("what a caller types never reaches the CRM", func(t *testing.T) { d.testHostile(t) })
	})
	t.Run("a wrong credential is said, and is not nobody", func(t *testing.T) { p.testWrongCredential(t) })
}

func (d *desk) testKind(t *testing.T, k kind) {
	rosa := card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord", Email: "rosa@example.org"}
	stranger := card{ID: "4712", First: "Ole", Last: "Olsen", Company: "Olsen SARL", Email: "ole@example.org", Phones: []string{"+33987654321", "0123456780"}}
	with := func(field int, spelling string) card {
		c := rosa
		c.Phones = make([]string, k.phones)
		c.Phones[field] = spelling
		return c
	}
	for _, spelling := range d.found {
		t.Run("stored as "+spelling, func(t *testing.T) {
			d.office.file(k.name, stranger, with(0, spelling))
			d.expect(t, fill(k.page, d.address, rosa))
		})
	}
	for _, spelling := range d.missed {
		t.Run("not found when stored as "+spelling, func(t *testing.T) {
			d.office.file(k.name, with(0, spelling))
			d.expect(t, nonePage)
		})
	}
	for field := range k.phones {
		t.Run(fmt.Sprintf("by number %d", field+1), func(t *testing.T) {
			d.office.file(k.name, with(field, d.found[0]))
			d.expect(t, fill(k.page, d.address, rosa))
		})
	}
	t.Run("its name, company and address are read", func(t *testing.T) {
		d.office.file(k.name, with(0, d.found[0]))
		if title, want := d.ring(knownCaller).field("title"), fill(k.title, d.address, rosa); title != want {
			t.Errorf("the title is %q, want %q", title, want)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		d.office.file(k.name)
		d.expect(t, nonePage)
		d.office.file(k.name, stranger)
		d.expect(t, nonePage)
	})
	t.Run("several", func(t *testing.T) {
		second := with(0, d.found[0])
		second.ID, second.Last, second.Company = "4713", "Autre", "Autre SA"
		d.office.file(k.name, with(0, d.found[0]), second)
		d.expect(t, manyPage)
	})
	t.Run("strangers are dropped", func(t *testing.T) {
		d.office.become(careless)
		defer d.office.become(well)
		d.office.file(k.name, stranger)
		d.expect(t, nonePage)
		d.office.file(k.name, stranger, with(0, d.found[0]))
		d.expect(t, fill(k.page, d.address, rosa))
	})
}

func (d *desk) known() string {
	k := d.kinds[0]
	c := card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord", Email: "rosa@example.org", Phones: make([]string, k.phones)}
	c.Phones[0] = d.found[0]
	d.office.file(k.name, c)
	return fill(k.page, d.address, c)
}

func (d *desk) testExpiry(t *testing.T) {
	page := d.known()
	if !d.sessions {
		if d.office.countLogins() > 0 {
			t.Error("the stand-in has sessions, but the product says that it has none")
		}
		return
	}
	d.expect(t, page)
	d.expect(t, page)
	before := d.office.countLogins()
	d.office.expire()
	d.expect(t, page)
	if after := d.office.countLogins(); before == 0 || after != before+1 {
		t.Errorf("%d sessions were opened before, %d after", before, after)
	}
}

func (d *desk) testFailure(t *testing.T) {
	d.known()
	d.office.become(failing)
	defer d.office.become(well)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "crm "+d.preset) {
		t.Errorf("the log says %s", why)
	}
}

func (p product) testWrongCredential(t *testing.T) {
	if !strings.Contains(p.options, p.wrong[0]) {
		t.Fatalf("the options don't hold %q", p.wrong[0])
	}
	d := p.open(t, strings.ReplaceAll(p.options, p.wrong[0], p.wrong[1]))
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, p.rejected) || !strings.Contains(why, "crm "+p.preset) {
		t.Errorf("the log says %s, without %q", why, p.rejected)
	}
	if log := d.log(); strings.Contains(log, p.wrong[1]) {
		t.Error("the log repeats the credential")
	}
}

// pwning texts all have a word that must not reach any CRM.
var pwning = []string{
	`0123456789' OR '1'='1 pwned`, `0123456789" OR "1"="1 pwned`, `0123456789}) RETURNING User(Id) pwned`, `0123456789"}]}},"pwned":{"a":[{"b":"`,
	`0123456789%' OR name LIKE '%pwned`, `0123456789&pwned=1`, "0123456789\r\nX-Pwned: pwned", `0123456789^ORpwned=1`, `*) OR (pwned:*`, `../../pwned?`,
	`0123456789</value><pwned/>`, `javascript:pwned()`, `{login.token}pwned{credential.token}`, "0123456789\x00pwned", `0123456789;DROP TABLE pwned;--`, `pwned`,
}

func (d *desk) testHostile(t *testing.T) {
	d.known()
	d.rings()
	clean := len(d.office.takeRequests())
	for _, text := range pwning {
		for _, changes := range []map[string]any{
			{"caller": text},
			{"caller": knownCaller, "userData": map[string]any{"USR_X": text, "XIVO_DSTNUM": text, text: text}, "callee": text, "queue": map[string]any{"name": text}, "callDataCallId": text},
		} {
			if got := d.post(payload(changes)); got.status != http.StatusOK {
				t.Errorf("%q was answered with %d %s", text, got.status, got.body)
			}
			requests := d.office.takeRequests()
			if all := strings.Join(requests, "\n"); strings.Contains(strings.ToLower(all), "pwned") {
				t.Errorf("%q reached the CRM: %s", text, all)
			}
			if len(requests) > clean {
				t.Errorf("%q made %d requests, where a call makes %d", text, len(requests), clean)
			}
		}
	}
}
