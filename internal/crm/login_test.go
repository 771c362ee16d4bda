package crm

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

// sessionCRM opens sessions, in a way that a test decides, and lets in only
// whoever has the newest.
type sessionCRM struct {
	*fakeCRM

	mutex  sync.Mutex
	opened int
	valid  string
}

// open makes the next session, after which the one before has ended.
func (s *sessionCRM) open() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.opened++
	s.valid = fmt.Sprintf("session-number-%d", s.opened)
	return s.valid
}

func (s *sessionCRM) expire() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.valid = ""
}

func (s *sessionCRM) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.opened
}

func (s *sessionCRM) admits(session string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return session != "" && session == s.valid
}

// sessions is a CRM whose handler is told of itself.
func sessions(t testing.TB, answer func(*sessionCRM, http.ResponseWriter, *http.Request)) *sessionCRM {
	t.Helper()
	s := &sessionCRM{}
	s.fakeCRM = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // was read to record it
			requests := s.asked()
			r.Body = io.NopCloser(strings.NewReader(requests[len(requests)-1].body))
		}
		answer(s, w, r)
	})
	return s
}

func step(request LoginRequest) Step { return Step{Request: &request} }

func derive(d Derive) Step { return Step{Derive: &d} }

// knocks logs in with one request whose answer has the session.
func knocks(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/login":
		if r.FormValue("user") != env["env.USER"] || r.FormValue("password") != env["env.PASSWORD"] {
			answering(401, quoted(`{"message":%s}`, "wrong password "+r.FormValue("password")))(w, r)
			return
		}
		answering(200, `{"session":{"id":"`+s.open()+`"}}`)(w, r)
	case s.admits(r.Header.Get("X-Session")):
		answering(200, callers)(w, r)
	default:
		answering(401, `{"message":"no session"}`)(w, r)
	}
}

// knocking is the login for it.
func knocking(change ...func(*Login)) *Login {
	l := &Login{
		Steps: []Step{step(LoginRequest{
			Ask:  Ask{Method: http.MethodPost, Path: "/login", Form: []Param{{"user", "{env.USER}"}, {"password", "{env.PASSWORD}"}}},
			Take: []Take{{Name: "session", Path: "session.id"}},
		})},
		Token: Token{Headers: []Param{{"X-Session", "{login.session}"}}},
	}
	for _, one := range change {
		one(l)
	}
	return l
}

func TestASessionIsOpenedOnceForAllCallsAndAgainWhenItHasEnded(t *testing.T) {
	crm := sessions(t, knocks)
	options, told := withEnv()
	rest := opened(t, withAuth(crm.URL, Auth{Login: knocking()}), options)
	ring := func() {
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if result := rest.Search(background(t), question(t, callersNumber)); len(result.Records) != 1 || result.Err != nil {
					t.Errorf("result = %+v", result)
				}
			})
		}
		calls.Wait()
	}
	ring()
	if crm.count() != 1 {
		t.Errorf("%d sessions for 20 calls", crm.count())
	}
	crm.expire()
	ring()
	if said := told.all(); crm.count() != 2 || len(said) != 0 {
		t.Errorf("%d sessions; said %q", crm.count(), said)
	}
}

func TestAChallengeIsAnswered(t *testing.T) {
	crm := sessions(t, func(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
		key := md5.Sum([]byte("challenge-42" + env["env.TOKEN"]))
		switch {
		case r.Method == http.MethodGet && r.FormValue("operation") == "getchallenge" && r.FormValue("username") == env["env.USER"]:
			answering(200, `{"success":true,"result":{"token":"challenge-42"}}`)(w, r)
		case r.Method == http.MethodPost && r.FormValue("operation") == "login":
			if r.FormValue("accessKey") != hex.EncodeToString(key[:]) {
				answering(200, `{"success":false,"error":{"code":"INVALID_AUTH","message":"Invalid key"}}`)(w, r)
				return
			}
			answering(200, `{"success":true,"result":{"sessionName":"`+s.open()+`"}}`)(w, r)
		case s.admits(r.FormValue("sessionName")):
			answering(200, `{"success":true,"result":`+callers+`}`)(w, r)
		default:
			answering(200, `{"success":false,"error":{"code":"INVALID_SESSIONID","message":"Session expired"}}`)(w, r)
		}
	})
	challenge := func(key string) *Login {
		return &Login{
			Steps: []Step{
				step(LoginRequest{
					Ask:  Ask{Path: "/ws", Query: []Param{{"operation", "getchallenge"}, {"username", "{env.USER}"}}},
					Take: []Take{{Name: "challenge", Path: "result.token"}},
				}),
				derive(Derive{Name: "key", How: "md5", Text: "{login.challenge}" + key}),
				step(LoginRequest{
					Ask:  Ask{Method: http.MethodPost, Path: "/ws", Form: []Param{{"operation", "login"}, {"username", "{env.USER}"}, {"accessKey", "{login.key}"}}},
					Fail: &Condition{Expression: "body.success == false"},
					Take: []Take{{Name: "session", Path: "result.sessionName"}},
				}),
			},
			Token: Token{Query: []Param{{"sessionName", "{login.session}"}}, Expired: &Condition{Expression: `body.error.code == "INVALID_SESSIONID"`}},
		}
	}
	find := func(l *Lookup) {
		l.Path, l.Records, l.Fail = "/ws", "result", &Condition{Expression: "body.success == false"}
	}
	options, _ := withEnv()
	rest := opened(t, withAuth(crm.URL, Auth{Login: challenge("{env.TOKEN}")}, find), options)
	enters(t, rest)
	crm.expire()
	enters(t, rest)
	if crm.count() != 2 {
		t.Errorf("%d sessions", crm.count())
	}

	t.Run("wrongly", func(t *testing.T) {
		options, told := withEnv()
		rest := opened(t, withAuth(crm.URL, Auth{Login: challenge("{env.SECRET}")}, find), options)
		before := len(crm.asked())
		for range 3 {
			hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "no session or token: the CRM gives no token: 200 OK: Invalid key")
		}
		rest.Close()
		if said := told.all(); len(said) != 1 || len(crm.asked()) != before+2 {
			t.Errorf("said %q after %q", said, crm.targets()[before:])
		}
	})
}

func TestASessionIsTakenFromAHeaderOrACookie(t *testing.T) {
	crm := sessions(t, func(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("PHPSESSID")
		switch {
		case r.URL.Path == "/login":
			http.SetCookie(w, &http.Cookie{Name: "lang", Value: "fr"})
			http.SetCookie(w, &http.Cookie{Name: "PHPSESSID", Value: s.open(), Path: "/", HttpOnly: true})
			w.Header().Set("X-CSRF-Token", "csrf-of-this-session")
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>Welcome</html>") // is not read
		case err == nil && s.admits(cookie.Value) && r.Header.Get("X-CSRF-Token") == "csrf-of-this-session":
			answering(200, callers)(w, r)
		default:
			answering(401, ``)(w, r)
		}
	})
	options, _ := withEnv()
	enters(t, opened(t, withAuth(crm.URL, Auth{Login: &Login{
		Steps: []Step{step(LoginRequest{
			Ask:  Ask{Method: http.MethodPost, Path: "/login"},
			Take: []Take{{Name: "session", Cookie: "PHPSESSID"}, {Name: "csrf", Header: "x-csrf-token"}},
		})},
		Token: Token{Headers: []Param{{"Cookie", "lang=en; PHPSESSID={login.session}"}, {"X-CSRF-Token", "{login.csrf}"}}},
	}}), options))
}

// JSON-RPC wants the user's number and the password in every body.
func TestWhatALoginTookStandsInEveryRequestAndKeepsItsType(t *testing.T) {
	crm := sessions(t, func(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		args := gjson.GetBytes(body, "params.args")
		if gjson.GetBytes(body, "params.method").Str == "login" {
			s.open()
			answering(200, `{"jsonrpc":"2.0","result":2}`)(w, r)
			return
		}
		if args.Get("0").Raw != "2" || args.Get("1").Str != env["env.PASSWORD"] {
			answering(200, `{"jsonrpc":"2.0","error":{"message":"Access Denied","data":{"name":"odoo.exceptions.AccessDenied"}}}`)(w, r)
			return
		}
		switch args.Get("2").Str {
		case "search":
			answering(200, `{"jsonrpc":"2.0","result":[{"id":7,"phone":"0199000001","parent":3}]}`)(w, r)
		case "read":
			answering(200, `{"jsonrpc":"2.0","result":[{"id":7,"phone":"0427466347"}]}`)(w, r)
		default:
			answering(200, `{"jsonrpc":"2.0","result":{"name":"Cuisines Moreau"}}`)(w, r)
		}
	})
	call := func(args string) Ask {
		return Ask{Method: http.MethodPost, Path: "/jsonrpc", JSON: `{"params":{"method":"execute","args":[{login.uid},"{env.PASSWORD}",` + args + `]}}`}
	}
	options, _ := withEnv()
	rest := opened(t, withAuth(crm.URL, Auth{Login: &Login{Steps: []Step{step(LoginRequest{
		Ask:  Ask{Method: http.MethodPost, Path: "/jsonrpc", JSON: `{"params":{"method":"login","args":["{env.USER}","{env.PASSWORD}"]}}`},
		Take: []Take{{Name: "uid", Path: "result"}},
	})}}}, func(l *Lookup) {
		l.Ask, l.Records, l.Fail = call(`"search","{number.e164}"`), "result", &Condition{Expression: "has(body.error)"}
		l.Detail = &Detail{Ask: call(`"read",{record.id}`), Records: "result"}
		l.Follows = []Follow{{Name: "company", Ask: call(`"company",{record.parent}`)}}
		l.Company = []string{"{follow.company.result.name}"}
	}), options)
	record := found(t, rest.Search(background(t), question(t, callersNumber)))
	if record.Company != "Cuisines Moreau" || record.ID != "7" {
		t.Errorf("found %+v", record)
	}
	if body := crm.asked()[2].body; !strings.Contains(body, `"read",7]`) {
		t.Errorf("the detail was asked for with %s", body)
	}
}

func TestALoginThatIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		fail   *Condition
		want   string
	}{
		"with 401":                  {answering(401, `{"message":"wrong password `+env["env.PASSWORD"]+`"}`), nil, "401 Unauthorized: wrong password ***; it does not accept the credentials"},
		"with 403":                  {answering(403, ``), nil, "403 Forbidden; it does not accept the credentials"},
		"with 400":                  {answering(400, ``), nil, "400 Bad Request; it does not accept the credentials"},
		"in a 200":                  {answering(200, `{"session":{"id":"x"},"error":"no such user"}`), &Condition{Expression: "has(body.error)"}, "200 OK: no such user; it does not accept"},
		"with a status of its own":  {answering(202, `{"session":{"id":"x"}}`), &Condition{Status: []int{202}}, "202 Accepted; it does not accept"},
		"without a session":         {answering(200, `{"message":"locked"}`), nil, "the answer has nothing to take as session: locked; it does not accept the credentials, or take names another place"},
		"with a session of nothing": {answering(200, `{"session":{"id":""}}`), nil, "the answer has nothing to take as session"},
		"with false":                {answering(200, `{"session":{"id":false}}`), nil, "the answer has nothing to take as session"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := sessions(t, func(_ *sessionCRM, w http.ResponseWriter, r *http.Request) { test.answer(w, r) })
			options, told := withEnv()
			rest := opened(t, withAuth(crm.URL, Auth{Login: knocking(func(l *Login) { l.Steps[0].Request.Fail = test.fail })}), options)
			for range 3 {
				text := failure(t, rest.Search(background(t), question(t, callersNumber)))
				hears(t, text, "crm legacy: lookup contact: not asked: no session or token: the CRM gives no token: ", test.want)
				hidesEnv(t, text)
			}
			rest.Close()
			said := told.all()
			if len(said) != 1 || len(crm.asked()) != 1 {
				t.Fatalf("said %q after %q", said, crm.targets())
			}
			hears(t, said[0], "crm legacy: ", test.want)
			hidesEnv(t, said[0])
		})
	}
}

func TestALoginThatIsRefusedWithAStatusAndACookieAllTheSame(t *testing.T) {
	crm := sessions(t, func(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
		answering(203, "", "Set-Cookie", "sid="+s.open())(w, r)
	})
	options, _ := withEnv()
	rest := opened(t, withAuth(crm.URL, Auth{Login: knocking(func(l *Login) {
		l.Steps[0].Request.Take, l.Steps[0].Request.Fail = []Take{{Name: "session", Cookie: "sid"}}, &Condition{Status: []int{203}}
	})}), options)
	hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "the CRM gives no token: 203 ")
}

// What is no refusal is tried again soon, and not said at once.
func TestALoginThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"the CRM is down":      {answering(503, ``), "no session or token: 503 Service Unavailable; the CRM itself failed"},
		"it has no such path":  {answering(404, ``), "no session or token: 404 Not Found; check the url and the path"},
		"it is a page":         {answering(200, `<html>`, "Content-Type", "text/html"), "no session or token: the answer is text/html, not JSON"},
		"it breaks off":        {dropping(""), "no session or token: the exchange with http://127.0.0.1:"},
		"it says when to come": {answering(429, ``, "Retry-After", "30"), "429 Too Many Requests; the CRM limits how often it may be asked; it says to wait for 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := sessions(t, func(_ *sessionCRM, w http.ResponseWriter, r *http.Request) { test.answer(w, r) })
			options, told := withEnv()
			rest := opened(t, withAuth(crm.URL, Auth{Login: knocking()}), options)
			hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "crm legacy: lookup contact: not asked: ", test.want)
			rest.Close()
			if said := told.all(); len(said) != 0 {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestALoginInXML(t *testing.T) {
	crm := sessions(t, func(s *sessionCRM, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<p>p4ssw0rd é:+</p>") {
			knocks(s, w, r)
			return
		}
		answering(200, `<s:Envelope xmlns:s="x"><s:Body><session>`+s.open()+`</session></s:Body></s:Envelope>`, "Content-Type", "text/xml")(w, r)
	})
	options, _ := withEnv()
	enters(t, opened(t, withAuth(crm.URL, Auth{Login: knocking(func(l *Login) {
		request := l.Steps[0].Request
		request.Form, request.XML = nil, `<login><p>{env.PASSWORD}</p></login>`
		request.Take = []Take{{Name: "session", Path: "Envelope.Body.session"}}
	})}), options))
}

func TestALoginIsNobodysCall(t *testing.T) {
	crm := sessions(t, knocks)
	options, _ := withEnv()
	d := withAuth(crm.URL, Auth{Login: knocking()})
	d.Headers = []Param{{"X-Tenant", "a"}, {"X-Caller", "{number.e164}"}, {"X-Queue", "{call.queue.name}"}}
	enters(t, opened(t, d, options))
	login, search := crm.asked()[0], crm.asked()[1]
	if login.header.Get("X-Tenant") != "a" || login.header.Values("X-Caller") != nil || login.header.Values("X-Queue") != nil {
		t.Errorf("logged in with %v", login.header)
	}
	if search.header.Get("X-Caller") != callersNumber || search.header.Get("X-Queue") != "sales" {
		t.Errorf("searched with %v", search.header)
	}
}

func TestALoginThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		login Login
		want  []string
	}{
		"no request":             {Login{Steps: []Step{derive(Derive{Name: "a", How: "md5", Text: "x"})}}, []string{"request: missing", "take token token"}},
		"a step of neither":      {Login{Steps: []Step{{}}}, []string{"request 1: is a request or a derive"}},
		"a take without a place": {*knocking(func(l *Login) { l.Steps[0].Request.Take = []Take{{Name: "session"}} }), []string{"request 1: take session: is written as: take session <gjson path>"}},
		"a take of two places":   {*knocking(func(l *Login) { l.Steps[0].Request.Take = []Take{{Name: "session", Path: "a", Cookie: "b"}} }), []string{"take session: is written as"}},
		"a take with a bad path": {*knocking(func(l *Login) { l.Steps[0].Request.Take[0].Path = "a..b" }), []string{`take session: the gjson path "a..b"`}},
		"a take with a bad name": {*knocking(func(l *Login) { l.Steps[0].Request.Take[0].Name = "a b" }), []string{`"a b" is not a name`}},
		"what was not taken": {
			*knocking(func(l *Login) { l.Headers = []Param{{"X", "{login.token}"}} }), []string{"header X: bad placeholder {login.token}: nothing of that name was taken before; write: take token <gjson path>"},
		},
		"what is taken later": {
			*knocking(func(l *Login) {
				l.Steps = append([]Step{derive(Derive{Name: "a", How: "md5", Text: "{login.session}"})}, l.Steps...)
			}),
			[]string{"derive a: bad placeholder {login.session}: nothing of that name was taken before"},
		},
		"what a call has":    {*knocking(func(l *Login) { l.Steps[0].Request.Form = []Param{{"n", "{number.e164}"}} }), []string{"request 1: form n: unknown placeholder {number.e164}"}},
		"a GET with a body":  {*knocking(func(l *Login) { l.Steps[0].Request.Method = "" }), []string{"request 1: GET: a GET has no body"}},
		"no path":            {*knocking(func(l *Login) { l.Steps[0].Request.Path = "" }), []string{"request 1: GET: missing"}},
		"a bad fail":         {*knocking(func(l *Login) { l.Steps[0].Request.Fail = &Condition{Expression: "body."} }), []string{"request 1: fail: "}},
		"a bad expired":      {*knocking(func(l *Login) { l.Expired = &Condition{Status: []int{999}} }), []string{"expired: 999 is not an HTTP status"}},
		"a token of another": {*knocking(func(l *Login) { l.Headers = []Param{{"X", "{token.access_token}"}} }), []string{"unknown placeholder {token.access_token}"}},
	} {
		t.Run(name, func(t *testing.T) {
			options, _ := withEnv()
			_, err := Compile(withAuth("https://crm.example.com", Auth{Login: &test.login}), options)
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), append(test.want, "auth: login: ")...)
		})
	}
}

func TestTheAddressOfAPageCanNotHoldASession(t *testing.T) {
	for _, change := range []func(*Definition){
		func(d *Definition) { d.SearchURL = "{crm.url}/?s={login.session}" },
		func(d *Definition) { d.Lookups[0].URL = []string{"{crm.url}/?s={login.session}"} },
		func(d *Definition) { d.Lookups[0].Fields = []Field{{"x", []string{"{login.session}"}}} },
		func(d *Definition) { d.Lookups[0].Phones = []string{"{login.session}"} },
		func(d *Definition) { d.Headers = []Param{{"X", "{login.session}"}} },
	} {
		d := withAuth("https://crm.example.com", Auth{Login: knocking()})
		change(&d)
		options, _ := withEnv()
		if _, err := Compile(d, options); err == nil || !strings.Contains(err.Error(), "unknown placeholder {login.session}") {
			t.Errorf("error: %v", err)
		}
	}
}

// A session's requests are escaped as any others.
func TestWhatACRMGaveForASessionIsDataToo(t *testing.T) {
	crm := sessions(t, func(_ *sessionCRM, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			answering(200, quoted(`{"session":{"id":%s}}`, `a"b&c=d'e<f> ?#/../`))(w, r)
			return
		}
		answering(200, callers)(w, r)
	})
	options, _ := withEnv()
	enters(t, opened(t, withAuth(crm.URL, Auth{Login: knocking(func(l *Login) {
		l.Token = Token{Query: []Param{{"s", "{login.session}"}}}
	})}), options))
	if got, err := url.ParseQuery(crm.asked()[1].query()); err != nil || len(got) != 2 || got.Get("s") != `a"b&c=d'e<f> ?#/../` {
		t.Errorf("asked %q, %v", crm.asked()[1].target, err)
	}
}
