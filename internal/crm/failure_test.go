package crm

import (
	"context"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/phone"
)

// secret is a credential that looks different in every encoding.
const secret = "s3cr3t+/= &é\"<key>"

// withSecret is a definition whose credential comes from a setting, and the
// options that know it.
func withSecret(address string, changes ...func(*Lookup)) (Definition, Options) {
	d := contacts(address, changes...)
	d.Headers = []Param{{"X-Api-Key", "{env.KEY}"}}
	return d, Options{Settings: map[string]func(string) (string, error){
		"env.": func(string) (string, error) { return secret, nil },
	}}
}

// secretForms are the ways in which an error can repeat the credential.
func secretForms() []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20")}
	for _, form := range forms[1:] {
		forms = append(forms, lowerEscapes(form))
	}
	return append(forms, html.EscapeString(secret))
}

// lowerEscapes writes %2F as %2f.
func lowerEscapes(text string) string {
	parts := strings.Split(text, "%")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToLower(parts[i][:2]) + parts[i][2:]
	}
	return strings.Join(parts, "%")
}

// numberForms are the caller's number in every spelling, plain and encoded.
func numberForms(t testing.TB) []string {
	t.Helper()
	number := question(t, callersNumber).Number
	var forms []string
	for _, name := range append(phone.SpellingNames(), "## ## ## ## ##", "(##) ##/##_##-##") {
		spelling, err := phone.ParseSpelling(name)
		if err != nil {
			t.Fatal(err)
		}
		text := spelling.Of(number)
		forms = append(forms, text, url.QueryEscape(text), url.PathEscape(text))
	}
	return forms
}

// leaksNothing fails if a text has the caller's number, however it is written,
// a part of it that is long enough to tell who it is, or the credential.
func leaksNothing(t testing.TB, text string) {
	t.Helper()
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
	if strings.Contains(digits, "7466347") || strings.Contains(digits, "427466") {
		t.Errorf("%q has the number", text)
	}
	for _, form := range append(secretForms(), "s3cr3t") {
		if strings.Contains(text, form) {
			t.Errorf("%q has the credential", text)
		}
	}
}

func TestEveryStatusSaysWhatToMend(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   []string
	}{
		"401":                  {answering(401, "", "Content-Type", "text/html"), []string{"401 Unauthorized", "does not accept the credentials"}},
		"403":                  {answering(403, "", "X-Status-Reason", "No read access."), []string{"403 Forbidden: No read access.", "not allowed to read"}},
		"404":                  {answering(404, `{"message":"no route"}`), []string{"404 Not Found: no route", "check the url and the path", "miss status 404"}},
		"400 with a reason":    {answering(400, "", "X-Status-Reason", "Bad where item 'in'."), []string{"400 Bad Request: Bad where item 'in'.", "check the lookup"}},
		"422 with JSON":        {answering(422, `{"errors":[{"detail":"unknown field"}]}`), []string{"422 Unprocessable Entity: unknown field"}},
		"429":                  {answering(429, `{"error":"slow down"}`), []string{"429 Too Many Requests: slow down", "limits how often"}},
		"500":                  {answering(500, `{"error":{"message":"SQL"}}`), []string{"500 Internal Server Error: SQL", "see its own log"}},
		"503 in HTML":          {answering(503, "<html>down</html>", "Content-Type", "text/html"), []string{"503 Service Unavailable; the CRM itself failed"}},
		"a status of its own":  {answering(599, ""), []string{"599", "the CRM itself failed"}},
		"a redirect":           {answering(302, "", "Location", "https://login.example.com/?q=x"), []string{"302 Found", "redirects to https://login.example.com: write the address it means as url"}},
		"a redirect to itself": {answering(301, "", "Location", "/login?phone=0427466347"), []string{"301 Moved Permanently", "redirects: write the address"}},
		"not modified":         {answering(304, ""), []string{"304 Not Modified"}},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, test.answer)
			result := searched(t, contacts(crm.URL))
			text := failure(t, result)
			hears(t, text, append(test.want, "crm legacy: lookup contact: ")...)
			leaksNothing(t, text)
			if strings.Contains(text, "?q=") {
				t.Errorf("%q has the query", text)
			}
			if len(result.Requests) != 1 || result.Requests[0].Status == 0 || result.Requests[0].Err == nil {
				t.Errorf("the story is %+v", result.Requests)
			}
		})
	}
}

func TestWhereACRMSaysWhatWasWrong(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"a"}}`:             "a",
		`{"error":"invalid_client"}`:            "invalid_client",
		`{"error":"x","error_description":"b"}`: "b",
		`{"message":"c"}`:                       "c",
		`{"errors":[{"detail":"d"}]}`:           "d",
		`{"errors":[{"title":"e"}]}`:            "e",
		`{"errors":[{"message":"f"}]}`:          "f",
		`{"errors":["g"]}`:                      "g",
		`{"detail":"h"}`:                        "h",
		`{"title":"i"}`:                         "i",
		`{"error":{"description":"m"}}`:         "m",
		`{"ok":false,"err":"n"}`:                "n",
		`{"code":5,"msg":"o"}`:                  "o",
		`[{"message":"j","errorCode":"k"}]`:     "j",
		`{"message":""}`:                        "",
		`{"message":{"x":1}}`:                   "",
		`[]`:                                    "",
		`<b>message</b>`:                        "",
		``:                                      "",
		// Not read any further: it would take as long as the CRM likes.
		`{"message":"l","x":` + strings.Repeat("[", 501) + strings.Repeat("]", 501) + `}`: "",
	} {
		rest := compiled(t, contacts("https://crm.example.com"), Options{})
		e := exchange{crm: rest, status: 400, header: http.Header{}, body: body}
		if got := e.reason(); got != want {
			t.Errorf("%s: reason = %q, want %q", body, got, want)
		}
		e.header.Set("X-Status-Reason", "the header")
		if got := e.reason(); got != "the header" {
			t.Errorf("%s: the header does not count first: %q", body, got)
		}
	}
}

func TestNoFailureRepeatsTheNumberOrTheCredential(t *testing.T) {
	echoes := append(numberForms(t), secretForms()...)
	places := map[string]func(echo string) http.HandlerFunc{
		"the reason header": func(echo string) http.HandlerFunc {
			return answering(400, "", "X-Status-Reason", "bad value "+echo+" in where")
		},
		"a JSON error": func(echo string) http.HandlerFunc {
			return answering(500, quoted(`{"error":{"message":%s}}`, "no result for "+echo))
		},
		"SQL": func(echo string) http.HandlerFunc {
			return answering(503, quoted(`{"error":{"message":%s}}`, "SELECT * FROM c WHERE a='"+echo+"' OR b LIKE '%"+echo+"%' -- key "+echo))
		},
		"a failure with 200": func(echo string) http.HandlerFunc {
			return answering(200, quoted(`{"success":false,"message":%s}`, "q="+echo+"&limit=1"))
		},
		"the media type": func(echo string) http.HandlerFunc {
			if !strings.Contains(echo, "%") {
				echo = url.PathEscape(echo)
			}
			return answering(200, "<html>", "Content-Type", "text/"+echo)
		},
		"a redirect": func(echo string) http.HandlerFunc {
			return answering(302, "", "Location", "https://login.example.com/"+url.PathEscape(echo)+"?next="+url.QueryEscape(echo))
		},
	}
	for place, answer := range places {
		t.Run(place, func(t *testing.T) {
			for _, echo := range echoes {
				crm := serve(t, answer(echo))
				d, options := withSecret(crm.URL, func(l *Lookup) { l.Fail = &Condition{Expression: "body.success == false"} })
				result := compiled(t, d, options).Search(t.Context(), question(t, callersNumber))
				leaksNothing(t, failure(t, result))
				leaksNothing(t, result.Requests[0].Err.Error())
			}
		})
	}
}

// quoted puts a text into JSON.
func quoted(format, text string) string {
	return strings.Replace(format, "%s", `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`, 1)
}

func TestACredentialThatIsAPartOfAnotherIsHiddenToo(t *testing.T) {
	values := map[string]string{"env.SHORT": "abcd", "env.LONG": "abcd-efgh-ijkl"}
	d := contacts("https://crm.example.com")
	d.Headers = []Param{{"A", "{env.SHORT}"}, {"B", "{env.LONG}"}}
	rest := compiled(t, d, Options{Settings: map[string]func(string) (string, error){
		"env.": func(name string) (string, error) { return values[name], nil },
	}})
	if got := rest.hide("key abcd-efgh-ijkl and abcd"); got != "key *** and ***" {
		t.Errorf("hide = %q", got)
	}
}

func TestAnyCredentialCanBeHidden(t *testing.T) {
	for name, value := range map[string]string{
		"not UTF-8":         "k\xe9y-\xff\xfe-k\xe9y",
		"signs of a regexp": `a(b[c*+?\d{2,1}|$^`,
		"several lines":     "-----BEGIN-----\nMIIB\u200b\n-----END-----\n",
		"very long":         strings.Repeat("long-secret-", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			d := contacts("https://crm.example.com", func(l *Lookup) {
				l.Method, l.Query, l.JSON = http.MethodPost, nil, `{"key":"{file./run/key}","number":"{number}"}`
			})
			rest := compiled(t, d, Options{Settings: map[string]func(string) (string, error){
				"file.": func(string) (string, error) { return value, nil },
			}})
			if got := rest.hide("bad key <" + value + ">"); got != "bad key <***>" {
				t.Errorf("hide = %q", got)
			}
		})
	}
}

func TestACredentialInTheAddressIsHidden(t *testing.T) {
	// Some CRMs' webhooks have their secret in the path.
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answering(404, quoted(`{"message":%s}`, "no route "+r.RequestURI))(w, r)
	})
	rest := compiled(t, contacts(crm.URL+"/rest/1/{env.HOOK}"), Options{Settings: map[string]func(string) (string, error){
		"env.": func(string) (string, error) { return "h00k-t0ken", nil },
	}})
	text := failure(t, rest.Search(t.Context(), question(t, callersNumber)))
	if strings.Contains(text, "h00k") {
		t.Errorf("%q has the credential", text)
	}
	hears(t, text, "404 Not Found")
	if got := crm.only(t).path(); got != "/rest/1/h00k-t0ken/contacts" {
		t.Errorf("asked %s", got)
	}
}

func TestWhatACRMSaysIsOneShortLine(t *testing.T) {
	rest := compiled(t, contacts("https://crm.example.com"), Options{})
	if got := rest.hide("a\r\nb\tc\u202ed\x00e\u200bf"); got != "a  b cdef" {
		t.Errorf("hide = %q", got)
	}
	if got := rest.hide(strings.Repeat("é", 10_000)); got != strings.Repeat("é", 300)+"..." {
		t.Errorf("hide = %d bytes", len(got))
	}
}

// unused is an address of this machine where nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

func TestACRMThatIsNotThere(t *testing.T) {
	d, options := withSecret(unused(t))
	result := compiled(t, d, options).Search(t.Context(), question(t, callersNumber))
	text := failure(t, result)
	hears(t, text, "can't connect to "+d.URL, "connection refused", "is the url right and the CRM running?")
	noAddress(t, text)
	if result.Requests[0].Status != 0 {
		t.Errorf("the story is %+v", result.Requests)
	}
}

// brokenTransport fails as a transport does whose errors are its own.
type brokenTransport struct{ err error }

func (b brokenTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, b.err }

func TestATransportThatSaysWhyItHasNoConnection(t *testing.T) {
	d, options := withSecret("https://crm.example.com")
	options.Transport = brokenTransport{&ConnectError{"connection refused"}}
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "can't connect to https://crm.example.com (connection refused)", "is the url right and the CRM running?")
	noAddress(t, text)
}

func TestATransportsOwnWordsAreHiddenToo(t *testing.T) {
	d, options := withSecret("https://crm.example.com")
	options.Transport = brokenTransport{errors.New("no luck with q=+33427466347 and key " + secret)}
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "the exchange with https://crm.example.com broke off (no luck with ")
	leaksNothing(t, text)
}

// noAddress fails if a text has the request's path or query, besides leaks.
func noAddress(t *testing.T, text string) {
	t.Helper()
	leaksNothing(t, text)
	if strings.Contains(text, "/contacts") || strings.Contains(text, "q=") {
		t.Errorf("%q has the request's address", text)
	}
}

func TestAHostThatHasNoAddress(t *testing.T) {
	// A label of 64 letters can't be: the resolver says so without a network.
	host := strings.Repeat("x", 64) + ".example.com"
	resolver := &net.Resolver{PreferGo: true}
	d, options := withSecret("https://" + host)
	options.Transport = &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "the host of https://"+host+" can't be resolved (no such host)", "check the url and the DNS")
	noAddress(t, text)
}

func TestACertificateThatIsNotTrusted(t *testing.T) {
	crm := unstarted(t, answering(200, callers))
	crm.StartTLS()
	d, options := withSecret(crm.URL)
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "the certificate of "+crm.URL+" is not trusted", "unknown authority", "tls_trust_pool")
	noAddress(t, text)
	if len(crm.asked()) != 0 {
		t.Error("the CRM was asked all the same")
	}

	options.Transport = crm.Client().Transport // trusts it
	other := d
	other.URL = strings.Replace(crm.URL, "127.0.0.1", "localhost", 1)
	text = failure(t, compiled(t, other, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "is not trusted", "not localhost", "write a name that it has in the url", "tls_server_name")
	noAddress(t, text)
	found(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
}

func TestAPlainServerBehindHTTPS(t *testing.T) {
	crm := serve(t, answering(200, callers))
	d, options := withSecret(strings.Replace(crm.URL, "http://", "https://", 1))
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "what answers at https://127.0.0.1:", " does not speak TLS", "write http:// in the url")
	noAddress(t, text)
}

func TestSomethingElseBehindHTTPS(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(connection, "SSH-2.0-OpenSSH_9.2\r\n")
			_, _ = io.Copy(io.Discard, connection) // until the client has read it
			_ = connection.Close()
		}
	}()
	d, options := withSecret("https://" + listener.Addr().String())
	text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "what answers at https://127.0.0.1:", " does not speak TLS", "or the port of its https")
	noAddress(t, text)
}

// dropping writes something and closes the connection.
func dropping(said string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(connection, said)
		_ = connection.Close()
	}
}

func TestAnAnswerThatBreaksOff(t *testing.T) {
	for name, test := range map[string]struct{ said, want string }{
		"before it begins": {"", "broke off"},
		"in its head":      {"HTTP/1.1 200 OK\r\nContent-", "broke off"},
		"in its body":      {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + callers, "the answer broke off"},
		"in a chunk":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{", "the answer broke off"},
		"no HTTP":          {"SSH-2.0-OpenSSH_9.2\r\n+33427466347 " + secret + "\r\n\r\n", "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, dropping(test.said))
			d, options := withSecret(crm.URL)
			result := compiled(t, d, options).Search(t.Context(), question(t, callersNumber))
			text := failure(t, result)
			hears(t, text, "the exchange with "+crm.URL, test.want)
			noAddress(t, text)
			if len(result.Records) != 0 {
				t.Errorf("found %+v", result.Records)
			}
		})
	}
}

// silent is a CRM that accepts requests and never answers. It says when it was
// asked.
func silent(t *testing.T, said string) (*fakeCRM, <-chan struct{}) {
	t.Helper()
	arrived, over := make(chan struct{}, 1), make(chan struct{})
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if said != "" {
			_, _ = io.WriteString(w, said)
			_ = http.NewResponseController(w).Flush()
		}
		arrived <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	t.Cleanup(func() { close(over) }) // before the server closes
	return crm, arrived
}

func TestTheRequestsOwnTimeout(t *testing.T) {
	for name, said := range map[string]string{"no answer at all": "", "the answer stops midway": `[{"id":`} {
		t.Run(name, func(t *testing.T) {
			crm, _ := silent(t, said)
			d, options := withSecret(crm.URL)
			options.Timeout = 50 * time.Millisecond
			result := compiled(t, d, options).Search(t.Context(), question(t, callersNumber))
			text := failure(t, result)
			hears(t, text, "no answer within 50ms (timeout)", "slow or hangs")
			noAddress(t, text)
		})
	}
}

func TestTheTimeoutIsForThoseWhoAreInAHurry(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[]`) })
	d, options := withSecret(crm.URL)
	options.Timeout = time.Nanosecond
	rest := compiled(t, d, options)
	hears(t, failure(t, rest.Search(t.Context(), question(t, callersNumber))), "no answer within 1ns (timeout)")
	if err := rest.Search(Patiently(t.Context()), question(t, callersNumber)).Err; err != nil {
		t.Errorf("a patient search: %v, want none", err)
	}
}

func TestWhyAContextEndedIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		cause error
		want  string
	}{
		"the call's deadline":   {&DeadlineError{800 * time.Millisecond}, "no answer within the deadline of 800ms"},
		"the browser gave up":   {nil, "the agent's browser gave up before the CRM answered"},
		"it was no longer used": {context.Canceled, "gave up"},
	} {
		for where, said := range map[string]string{"before the answer": "", "within the answer": `[{"id":`} {
			t.Run(name+"/"+where, func(t *testing.T) {
				crm, arrived := silent(t, said)
				d, options := withSecret(crm.URL)
				rest := compiled(t, d, options)
				ctx, cancel := context.WithCancelCause(background(t))
				go func() {
					<-arrived
					cancel(test.cause)
				}()
				result := rest.Search(ctx, question(t, callersNumber))
				text := failure(t, result)
				hears(t, text, test.want)
				noAddress(t, text)
			})
		}
	}
}

func TestADeadlineThatPassedBeforehandAsksNothing(t *testing.T) {
	crm := serve(t, answering(200, callers))
	ctx, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), &DeadlineError{time.Second})
	defer cancel()
	result := compiled(t, contacts(crm.URL), Options{}).Search(ctx, question(t, callersNumber))
	hears(t, failure(t, result), "no answer within the deadline of 1s")
	if len(crm.asked()) != 0 {
		t.Errorf("asked %q", crm.targets())
	}
}

func TestAFailureSaysWhichCRMAndLookup(t *testing.T) {
	crm := serve(t, answering(401, ""))
	var f *Failure
	if err := searched(t, contacts(crm.URL)).Err; !errors.As(err, &f) {
		t.Fatalf("%T is no Failure", err)
	}
	if f.CRM != "legacy" || f.Lookup != "contact" || f.Problem == "" || errors.Unwrap(f) != nil {
		t.Errorf("failure = %+v", f)
	}
}

// panicking is a transport with a defect, as any library may have one.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("a defect") }

func TestADefectIsAFailureAndNotTheEndOfTheServer(t *testing.T) {
	rest, err := Compile(contacts("https://crm.example.com"), Options{Transport: panicking{}})
	if err != nil {
		t.Fatal(err)
	}
	result := rest.Search(t.Context(), question(t, callersNumber))
	if len(result.Records) != 0 || result.Err == nil || !strings.Contains(result.Err.Error(), "lookup contact: the program failed") {
		t.Errorf("result = %+v", result)
	}
}
