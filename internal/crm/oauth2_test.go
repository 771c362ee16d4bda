package crm

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/tidwall/gjson"
)

// tokenCRM is a CRM that gives tokens at /oauth/token and lets in only whoever
// has the newest, wherever it is sent. A test decides what is given for what.
type tokenCRM struct {
	*fakeCRM

	// grants decides on a token request; nil gives a token to anybody.
	grants func(r *http.Request, params url.Values) (status int, answer string)
	// carries finds the token in a request; nil is a bearer token.
	carries func(*http.Request) string
	// refuses is how a request without a good token is answered; nil is a 401.
	refuses http.HandlerFunc
	// more goes into each token answer: `"expires_in":3600`.
	more string

	state struct {
		sync.Mutex
		given int
		valid string
	}
}

func tokens(t testing.TB, change ...func(*tokenCRM)) *tokenCRM {
	t.Helper()
	c := &tokenCRM{}
	for _, one := range change {
		one(c)
	}
	c.fakeCRM = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			c.token(w, r)
			return
		}
		carried := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c.carries != nil {
			carried = c.carries(r)
		}
		switch {
		case carried != "" && carried == c.newest():
			answering(200, callers)(w, r)
		case c.refuses != nil:
			c.refuses(w, r)
		default:
			answering(401, `{"message":"token `+carried+` is not good"}`)(w, r)
		}
	})
	return c
}

func (c *tokenCRM) token(w http.ResponseWriter, r *http.Request) {
	if c.grants != nil {
		if status, answer := c.grants(r, c.params(r)); status != 0 {
			answering(status, answer)(w, r)
			return
		}
	}
	answering(200, c.give())(w, r)
}

// params are those of the token request that was recorded last, however it
// was encoded.
func (c *tokenCRM) params(r *http.Request) url.Values {
	requests := c.asked()
	body := requests[len(requests)-1].body
	if r.Header.Get("Content-Type") != "application/json" {
		params, _ := url.ParseQuery(body) // nothing, if it is no form
		return params
	}
	params := url.Values{}
	for name, value := range gjson.Parse(body).Map() {
		params.Set(name, value.String())
	}
	return params
}

// give makes the next token, after which the one before is not good any more.
func (c *tokenCRM) give() string {
	c.state.Lock()
	defer c.state.Unlock()
	c.state.given++
	c.state.valid = fmt.Sprintf("access-token-%d", c.state.given)
	more := c.more
	if more != "" {
		more = "," + more
	}
	return fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer"%s}`, c.state.valid, more)
}

func (c *tokenCRM) newest() string {
	c.state.Lock()
	defer c.state.Unlock()
	return c.state.valid
}

// expire makes the token that was given last no good.
func (c *tokenCRM) expire() {
	c.state.Lock()
	defer c.state.Unlock()
	c.state.valid = "none"
}

// given counts the tokens that were given.
func (c *tokenCRM) given() int {
	c.state.Lock()
	defer c.state.Unlock()
	return c.state.given
}

// askedFor counts the requests to a path.
func (c *tokenCRM) askedFor(path string) int {
	count := 0
	for _, request := range c.asked() {
		if request.path() == path {
			count++
		}
	}
	return count
}

// withToken is a CRM with one lookup behind tokens.
func withToken(c *tokenCRM, change ...func(*OAuth2)) Definition {
	o := &OAuth2{URL: "{crm.url}/oauth/token", ClientID: "{env.ID}", ClientSecret: "{env.SECRET}"}
	for _, one := range change {
		one(o)
	}
	return withAuth(c.URL, Auth{OAuth2: o})
}

// opened compiles a definition that has a token or a session, and ends it.
func opened(t testing.TB, d Definition, options Options) *REST {
	t.Helper()
	rest := compiled(t, d, options)
	t.Cleanup(rest.Close)
	return rest
}

// enters fails unless the usual caller is found.
func enters(t testing.TB, rest *REST) {
	t.Helper()
	found(t, rest.Search(background(t), question(t, callersNumber)))
}

// only lets a token request pass that has exactly these parameters.
func only(want url.Values) func(*http.Request, url.Values) (int, string) {
	return func(r *http.Request, params url.Values) (int, string) {
		if r.Method != http.MethodPost || params.Encode() != want.Encode() {
			return 400, quoted(`{"error":"invalid_request","error_description":%s}`, r.Method+" "+params.Encode())
		}
		return 0, ""
	}
}

func privateKey(t testing.TB) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

func TestEveryGrantIsAskedForAsItsServerWantsIt(t *testing.T) {
	key, written := privateKey(t)
	client := url.Values{"client_id": {env["env.ID"]}, "client_secret": {env["env.SECRET"]}}
	with := func(more ...string) url.Values {
		params := url.Values{}
		maps.Copy(params, client)
		for i := 0; i+1 < len(more); i += 2 {
			params.Set(more[i], more[i+1])
		}
		return params
	}
	inHeader := func(want url.Values) func(*http.Request, url.Values) (int, string) {
		return func(r *http.Request, params url.Values) (int, string) {
			id, secret, _ := r.BasicAuth()
			if id != url.QueryEscape(env["env.ID"]) || secret != url.QueryEscape(env["env.SECRET"]) {
				return 401, `{"error":"invalid_client"}`
			}
			return only(want)(r, params)
		}
	}
	for name, test := range map[string]struct {
		change func(*OAuth2)
		grants func(*http.Request, url.Values) (int, string)
	}{
		"client_credentials": {
			func(*OAuth2) {}, only(with("grant_type", "client_credentials")),
		},
		"client_credentials in a header": {
			func(o *OAuth2) { o.ClientAuth = "header" }, inHeader(url.Values{"grant_type": {"client_credentials"}}),
		},
		"client_credentials as JSON": {
			func(o *OAuth2) { o.Encoding = "json" },
			func(r *http.Request, params url.Values) (int, string) {
				if r.Header.Get("Content-Type") != "application/json" {
					return 415, ""
				}
				return only(with("grant_type", "client_credentials"))(r, params)
			},
		},
		"as JSON, in a header": {
			func(o *OAuth2) { o.Encoding, o.ClientAuth = "json", "header" }, inHeader(url.Values{"grant_type": {"client_credentials"}}),
		},
		"with scopes and more": {
			func(o *OAuth2) {
				o.Scopes, o.Params = []string{"contacts.read", "{env.USER}"}, []Param{{"audience", "{crm.url}"}, {"resource", "a b&c"}}
			},
			func(r *http.Request, params url.Values) (int, string) {
				return only(with("grant_type", "client_credentials", "scope", "contacts.read gateway", "audience", "http://"+r.Host, "resource", "a b&c"))(r, params)
			},
		},
		"password": {
			func(o *OAuth2) { o.Grant, o.Username, o.Password = "password", "{env.USER}", "{env.PASSWORD}" },
			only(with("grant_type", "password", "username", env["env.USER"], "password", env["env.PASSWORD"])),
		},
		"password without a client": {
			func(o *OAuth2) {
				*o = OAuth2{URL: o.URL, Grant: "password", Username: "{env.USER}", Password: "{env.PASSWORD}", Encoding: "json"}
			},
			only(url.Values{"grant_type": {"password"}, "username": {env["env.USER"]}, "password": {env["env.PASSWORD"]}}),
		},
		"refresh_token": {
			func(o *OAuth2) { o.Grant, o.RefreshToken = "refresh_token", "{env.TOKEN}" },
			only(with("grant_type", "refresh_token", "refresh_token", env["env.TOKEN"])),
		},
		"jwt_bearer": {
			func(o *OAuth2) {
				*o = OAuth2{URL: o.URL, Grant: "jwt_bearer", Assertion: &Assertion{
					Key: written, Issuer: "{env.ID}", Subject: "gateway@example.com", Audience: "{crm.url}", KeyID: "k1", Claims: []Param{{"scope", "api"}},
				}}
			},
			func(r *http.Request, params url.Values) (int, string) {
				assertion, err := jwt.Parse(params.Get("assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
					jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(env["env.ID"]), jwt.WithSubject("gateway@example.com"),
					jwt.WithAudience("http://"+r.Host), jwt.WithExpirationRequired())
				if err != nil {
					return 400, quoted(`{"error":"invalid_grant","error_description":%s}`, err.Error())
				}
				claims, _ := assertion.Claims.(jwt.MapClaims)
				if claims["scope"] != "api" || assertion.Header["kid"] != "k1" {
					return 400, `{"error":"invalid_grant"}`
				}
				return only(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion.Raw}})(r, params)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := tokens(t, func(c *tokenCRM) { c.grants = test.grants })
			options, told := withEnv()
			rest := opened(t, withToken(crm, test.change), options)
			enters(t, rest)
			enters(t, rest)
			if said := told.all(); crm.given() != 1 || len(said) != 0 {
				t.Errorf("%d tokens were given; said %q", crm.given(), said)
			}
		})
	}
}

func TestATokenIsSentWhereTheCRMWantsIt(t *testing.T) {
	for name, test := range map[string]struct {
		token   Token
		carries func(*http.Request) string
	}{
		"by default": {Token{}, func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") }},
		"in a header of its own": {
			Token{Headers: []Param{{"Authorization", "Zoho-oauthtoken {token.access_token}"}, {"X-Org", "{token.org.id}"}}},
			func(r *http.Request) string {
				if r.Header.Get("X-Org") != "17" {
					return ""
				}
				return strings.TrimPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ")
			},
		},
		"in the query": {
			Token{Query: []Param{{"auth", "{token.access_token}"}}},
			func(r *http.Request) string {
				if r.Header.Get("Authorization") != "" {
					return ""
				}
				return r.URL.Query().Get("auth")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := tokens(t, func(c *tokenCRM) { c.carries, c.more = test.carries, `"org":{"id":17}` })
			options, _ := withEnv()
			enters(t, opened(t, withToken(crm, func(o *OAuth2) { o.Token = test.token }), options))
		})
	}
}

// In the request itself a token keeps its type.
func TestATokenInARequestsBody(t *testing.T) {
	crm := tokens(t, func(c *tokenCRM) {
		c.more = `"user_id":42`
		c.carries = func(*http.Request) string {
			requests := c.asked()
			body := gjson.Parse(requests[len(requests)-1].body)
			if body.Get("args.0").Raw != "42" {
				return ""
			}
			return body.Get("auth").Str
		}
	})
	options, _ := withEnv()
	d := withToken(crm)
	l := &d.Lookups[0]
	l.Method, l.Query, l.JSON = http.MethodPost, nil, `{"auth":"{token.access_token}","args":[{token.user_id},"{number.e164}"]}`
	enters(t, opened(t, d, options))
}

func TestTwentyCallsShareOneToken(t *testing.T) {
	// The token is given only when all calls wait for it.
	waiting, ready := make(chan struct{}), make(chan struct{})
	crm := tokens(t, func(c *tokenCRM) {
		c.grants = func(*http.Request, url.Values) (int, string) {
			close(waiting)
			<-ready
			return 0, ""
		}
	})
	options, _ := withEnv()
	rest := opened(t, withToken(crm), options)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if result := rest.Search(background(t), question(t, callersNumber)); len(result.Records) != 1 || result.Err != nil {
				t.Errorf("result = %+v", result)
			}
		})
	}
	<-waiting
	close(ready)
	calls.Wait()
	if crm.given() != 1 || crm.askedFor("/contacts") != 20 {
		t.Errorf("%d tokens were given for %d searches", crm.given(), crm.askedFor("/contacts"))
	}
}

func TestARefusedTokenIsReplacedOnceForAllCalls(t *testing.T) {
	crm := tokens(t)
	options, told := withEnv()
	rest := opened(t, withToken(crm), options)
	enters(t, rest)
	crm.expire()
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if result := rest.Search(background(t), question(t, callersNumber)); len(result.Records) != 1 || result.Err != nil {
				t.Errorf("result = %+v", result)
			}
		})
	}
	calls.Wait()
	if said := told.all(); crm.given() != 2 || len(said) != 0 {
		t.Errorf("%d tokens were given, said %q", crm.given(), said)
	}
}

func TestATokenIsReplacedWhenTheProductSaysThatItHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		refuses http.HandlerFunc
		expired *Condition
	}{
		"with the status 401":          {nil, nil},
		"with a status of its own":     {answering(419, ``), &Condition{Status: []int{419}}},
		"in an answer with status 200": {answering(200, `{"error":{"code":"INVALID_SESSION"}}`), &Condition{Expression: `body.error.code == "INVALID_SESSION"`}},
		"in XML": {
			answering(200, `<r><fault>INVALID_SESSION</fault></r>`, "Content-Type", "text/xml"), &Condition{Expression: `body.r.fault == "INVALID_SESSION"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := tokens(t, func(c *tokenCRM) { c.refuses = test.refuses })
			options, _ := withEnv()
			rest := opened(t, withToken(crm, func(o *OAuth2) { o.Expired = test.expired }), options)
			enters(t, rest)
			crm.expire()
			enters(t, rest)
			if crm.given() != 2 || crm.askedFor("/contacts") != 3 {
				t.Errorf("%d tokens, asked %q", crm.given(), crm.targets())
			}
		})
	}
}

func TestATokenThatIsRefusedAtOnceIsTriedOnlyOnceMore(t *testing.T) {
	crm := tokens(t, func(c *tokenCRM) { c.carries = func(*http.Request) string { return "" } })
	options, told := withEnv()
	rest := opened(t, withToken(crm), options)
	text := failure(t, rest.Search(background(t), question(t, callersNumber)))
	hears(t, text, "crm legacy: lookup contact: 401 Unauthorized", "does not accept the token or session that it has just given")
	if crm.given() != 2 || crm.askedFor("/contacts") != 2 {
		t.Errorf("%d tokens, asked %q", crm.given(), crm.targets())
	}
	// Callers who go on ringing don't make it fetch a token each time.
	for range 5 {
		rest.Search(background(t), question(t, callersNumber))
	}
	rest.Close() // waits for what is being said
	if said := told.all(); crm.given() != 2 || len(said) != 1 {
		t.Fatalf("%d tokens were given; said %q", crm.given(), said)
	}
	hears(t, told.all()[0], "crm legacy: 401 Unauthorized", "the CRM does not accept the token or session that it has just given")
}

// unplugged answers requests without a network, whose time can't be bent.
type unplugged struct{ crm http.Handler }

func (u unplugged) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	if served.Body == nil {
		served.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	u.crm.ServeHTTP(answer, served)
	return answer.Result(), nil
}

// Some CRMs refuse with 401 what a token may not do. A new token for each call
// would not help, and the CRM gives only so many.
func TestATokenThatMayNotDoEverythingIsKept(t *testing.T) {
	for name, change := range map[string]func(*Definition){
		"a follow": func(d *Definition) { withCompany(&d.Lookups[0]) },
		"a lookup": func(d *Definition) { d.Lookups = append(d.Lookups, leads()) },
	} {
		t.Run(name, func(t *testing.T) {
			crm := tokens(t)
			searched := crm.Config.Handler
			crm.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/leads", "/companies/3":
					answering(401, `{"code":"OAUTH_SCOPE_MISMATCH","message":"scope is missing"}`)(w, r)
				default:
					searched.ServeHTTP(w, r)
				}
			})
			options, told := withEnv()
			d := withToken(crm)
			change(&d)
			if name == "a follow" {
				d.Lookups[0].Follows[0].Path = "/companies/3?of={record.id}"
			}
			rest := opened(t, d, options)
			for range 10 {
				result := rest.Search(background(t), question(t, callersNumber))
				if !slices.Equal(ids(result), []string{"7"}) {
					t.Fatalf("found %q, %v", ids(result), result.Err)
				}
				hears(t, failure(t, result), "401 Unauthorized: scope is missing; the CRM ")
			}
			hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))),
				"401 Unauthorized: scope is missing; the CRM accepts the token or session, but not for this request: give its user or application the right to it")
			if crm.given() > 3 {
				t.Errorf("%d tokens were given", crm.given())
			}
			crm.expire() // and one that has ended is still replaced
			if result := rest.Search(background(t), question(t, callersNumber)); !slices.Equal(ids(result), []string{"7"}) {
				t.Errorf("found %q, %v", ids(result), result.Err)
			}
			rest.Close()
			if said := told.all(); len(said) != 1 || !strings.Contains(said[0], "crm legacy: 401 Unauthorized: scope is missing; the CRM ") {
				t.Errorf("said %q", said)
			}
		})
	}
}

func TestATokenIsRenewedAheadOfItsEndWithoutACallThatWaits(t *testing.T) {
	crm := tokens(t, func(c *tokenCRM) {
		c.more = `"expires_in":3600`
		c.grants = func(*http.Request, url.Values) (int, string) {
			time.Sleep(10 * time.Second / 2) // the clock of the bubble: the CRM is slow
			return 0, ""
		}
	})
	synctest.Test(t, func(t *testing.T) {
		options, _ := withEnv()
		options.Transport = unplugged{crm.Config.Handler}
		rest := compiled(t, withToken(crm), options)
		defer rest.Close()
		enter := func(wants time.Duration, given int) {
			t.Helper()
			began := time.Now()
			found(t, rest.Search(t.Context(), question(t, callersNumber)))
			if waited := time.Since(began); waited != wants || crm.given() != given {
				t.Errorf("waited %s, and %d tokens were given; want %s and %d", waited, crm.given(), wants, given)
			}
		}
		enter(5*time.Second, 1)
		time.Sleep(58 * time.Minute)
		enter(0, 1)
		time.Sleep(time.Minute + 30*time.Second) // less than a minute is left
		enter(0, 1)                              // with the old one, while the new one is fetched
		time.Sleep(10 * time.Second)
		enter(0, 2)
		time.Sleep(2 * time.Hour) // nobody called in time
		enter(5*time.Second, 3)
	})
}

func TestCredentialsThatAreRefusedForATokenAreSaidLoudlyAndNotTriedForEveryCall(t *testing.T) {
	crm := tokens(t, func(c *tokenCRM) {
		c.grants = func(_ *http.Request, params url.Values) (int, string) {
			return 401, quoted(`{"error":"invalid_client","error_description":%s}`, "no client with "+params.Get("client_secret"))
		}
	})
	options, told := withEnv()
	rest := opened(t, withToken(crm), options)
	for range 5 {
		text := failure(t, rest.Search(background(t), question(t, callersNumber)))
		hears(t, text, "crm legacy: lookup contact: not asked: no session or token: ", "invalid_client: no client with ***", "client secret is wrong")
		hidesEnv(t, text)
	}
	rest.Close()
	said := told.all()
	if len(said) != 1 || crm.askedFor("/oauth/token") != 1 || crm.askedFor("/contacts") != 0 {
		t.Fatalf("said %q, asked %q", said, crm.targets())
	}
	hears(t, said[0], "crm legacy: ", "invalid_client")
	hidesEnv(t, said[0])
}

func TestACallThatCanNotWaitForATokenIsUnreachableAndTheNextHasIt(t *testing.T) {
	asked, free := make(chan struct{}), make(chan struct{})
	crm := tokens(t, func(c *tokenCRM) {
		c.grants = func(*http.Request, url.Values) (int, string) {
			close(asked)
			<-free
			return 0, ""
		}
	})
	options, told := withEnv()
	rest := opened(t, withToken(crm), options)
	ctx, cancel := context.WithCancelCause(background(t))
	go func() {
		<-asked
		cancel(&DeadlineError{800 * time.Millisecond})
	}()
	hears(t, failure(t, rest.Search(ctx, question(t, callersNumber))), "not asked: no session or token: no answer within the deadline of 800ms")
	close(free)
	enters(t, rest)
	if said := told.all(); crm.given() != 1 || len(said) != 0 {
		t.Errorf("%d tokens, said %q", crm.given(), said)
	}
}

func TestTheTokenAnswerSaysWhereTheAPIIs(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access-token-1" || r.URL.Path != "/services/contacts" {
			answering(404, "")(w, r)
			return
		}
		answering(200, callers)(w, r)
	})
	crm := tokens(t, func(c *tokenCRM) { c.more = `"instance_url":"` + elsewhere.URL + `"` })
	options, _ := withEnv()
	enters(t, opened(t, withToken(crm, func(o *OAuth2) { o.BaseURL = "{token.instance_url}/services" }), options))
	if crm.askedFor("/contacts") != 0 || len(elsewhere.asked()) != 1 {
		t.Errorf("asked %q and %q", crm.targets(), elsewhere.targets())
	}
}

func TestATokenAnswerThatDoesNotSayWhereTheAPIIs(t *testing.T) {
	for name, test := range map[string]struct{ more, want string }{
		"nothing":             {``, "does not say where the API is (base_url)"},
		"no address":          {`"instance_url":"crm.example.com"`, "does not say where the API is (base_url)"},
		"one with a password": {`"instance_url":"https://a:b@crm.example.com"`, "does not say where the API is (base_url)"},
		"a file":              {`"instance_url":"file:///etc/passwd"`, "does not say where the API is (base_url)"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := tokens(t, func(c *tokenCRM) { c.more = test.more })
			options, _ := withEnv()
			rest := opened(t, withToken(crm, func(o *OAuth2) { o.BaseURL = "{token.instance_url}" }), options)
			hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "not asked: the token answer ", test.want)
			if crm.askedFor("/contacts") != 0 {
				t.Errorf("asked %q", crm.targets())
			}
		})
	}
}

func TestATokenAnswerCanNotTakeHTTPSAway(t *testing.T) {
	crm := unstarted(t, answering(200, `{"access_token":"t0ken-of-the-answer","instance_url":"http://127.0.0.1:1"}`))
	crm.StartTLS()
	options, _ := withEnv()
	options.Transport = crm.Client().Transport
	rest := opened(t, withAuth(crm.URL, Auth{OAuth2: &OAuth2{
		URL: "{crm.url}/token", ClientID: "a", ClientSecret: "b", BaseURL: "{token.instance_url}",
	}}), options)
	hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "names an address without https (base_url)")
}

func TestTheHeadersOfTheCRMGoWithATokenRequestButNotTheCall(t *testing.T) {
	crm := tokens(t)
	options, _ := withEnv()
	d := withToken(crm)
	d.Headers = []Param{{"X-Tenant", "a"}, {"X-Caller", "{number.e164}"}, {"X-Queue", "{call.queue.name}"}}
	enters(t, opened(t, d, options))
	token, search := crm.asked()[0], crm.asked()[1]
	if token.header.Get("X-Tenant") != "a" || token.header.Values("X-Caller") != nil || token.header.Values("X-Queue") != nil {
		t.Errorf("the token was asked for with %v", token.header)
	}
	if search.header.Get("X-Caller") != callersNumber {
		t.Errorf("searched with %v", search.header)
	}
}

// shelf is a storage that instances share.
type shelf struct {
	mutex sync.Mutex
	held  chan struct{}
	files map[string][]byte
}

func newShelf() *shelf { return &shelf{held: make(chan struct{}, 1), files: map[string][]byte{}} }

func (s *shelf) Lock(ctx context.Context, _ string) error {
	select {
	case s.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shelf) Unlock(context.Context, string) error {
	<-s.held
	return nil
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if value, ok := s.files[key]; ok {
		return value, nil
	}
	return nil, fs.ErrNotExist
}

func (s *shelf) Save(_ context.Context, key string, value []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.files[key] = value
	return nil
}

// rotates gives a new refresh token each time, and takes each only once.
func rotates(first string) func(*tokenCRM) {
	var mutex sync.Mutex
	good, used := first, 0
	return func(c *tokenCRM) {
		c.grants = func(_ *http.Request, params url.Values) (int, string) {
			mutex.Lock()
			defer mutex.Unlock()
			if params.Get("refresh_token") != good {
				return 400, `{"error":"invalid_grant","error_description":"used up"}`
			}
			used++
			good = fmt.Sprintf("refresh-token-%d", used)
			return 200, strings.TrimSuffix(c.give(), "}") + `,"refresh_token":"` + good + `"}`
		}
	}
}

func TestARotatedRefreshTokenOutlivesTheProcess(t *testing.T) {
	crm, store := tokens(t, rotates(env["env.TOKEN"])), newShelf()
	refreshing := func(o *OAuth2) { o.Grant, o.RefreshToken = "refresh_token", "{env.TOKEN}" }
	for range 3 {
		options, told := withEnv()
		options.Store = store
		rest := opened(t, withToken(crm, refreshing), options)
		enters(t, rest)
		rest.Close()
		if said := told.all(); len(said) != 0 {
			t.Errorf("said %q", said)
		}
	}
	var used []string
	for _, request := range crm.asked() {
		if request.path() == "/oauth/token" {
			params, err := url.ParseQuery(request.body)
			if err != nil {
				t.Fatal(err)
			}
			used = append(used, params.Get("refresh_token"))
		}
	}
	if want := []string{env["env.TOKEN"], "refresh-token-1", "refresh-token-2"}; !slices.Equal(used, want) {
		t.Errorf("used %q, want %q", used, want)
	}
}

func TestARefreshTokenThatIsUsedUpIsSaid(t *testing.T) {
	crm := tokens(t, rotates("another"))
	options, told := withEnv()
	options.Store = newShelf()
	rest := opened(t, withToken(crm, func(o *OAuth2) { o.Grant, o.RefreshToken = "refresh_token", "{env.TOKEN}" }), options)
	hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))), "invalid_grant: used up", "get a new one")
	rest.Close()
	if said := told.all(); len(said) != 1 || !strings.Contains(said[0], "crm legacy: ") {
		t.Errorf("said %q", said)
	}
}

func TestAGrantThatLacksSomething(t *testing.T) {
	for name, test := range map[string]struct {
		oauth2 OAuth2
		want   []string
	}{
		"an address":     {OAuth2{ClientID: "a", ClientSecret: "b"}, []string{"lacks the address where tokens are given", "auth oauth2 {crm.url}/oauth2/token"}},
		"a bad address":  {OAuth2{URL: "crm.example.com/token"}, []string{"url:", "crm.example.com/token"}},
		"a client":       {OAuth2{URL: "{crm.url}/token"}, []string{"client_id: missing; the grant client_credentials needs it"}},
		"a secret":       {OAuth2{URL: "{crm.url}/token", ClientID: "a"}, []string{"client_secret: missing; the grant client_credentials needs it"}},
		"a password":     {OAuth2{URL: "{crm.url}/token", Grant: "password", Username: "a"}, []string{"password: missing; the grant password needs it"}},
		"a first token":  {OAuth2{URL: "{crm.url}/token", Grant: "refresh_token"}, []string{"refresh_token: missing; the grant refresh_token needs it"}},
		"an assertion":   {OAuth2{URL: "{crm.url}/token", Grant: "jwt_bearer"}, []string{"assertion: missing; the grant jwt_bearer needs it"}},
		"a key":          {OAuth2{URL: "{crm.url}/token", Grant: "jwt_bearer", Assertion: &Assertion{}}, []string{"assertion: key: is required"}},
		"a good key":     {OAuth2{URL: "{crm.url}/token", Grant: "jwt_bearer", Assertion: &Assertion{Key: "k"}}, []string{"assertion: key: is no private key for RS256"}},
		"an algorithm":   {OAuth2{URL: "{crm.url}/token", Grant: "jwt_bearer", Assertion: &Assertion{Key: "k", Algorithm: "none"}}, []string{`unknown algorithm "none"`, "RS256"}},
		"a known grant":  {OAuth2{URL: "{crm.url}/token", Grant: "authorization_code"}, []string{`unknown grant "authorization_code"`, "jwt_bearer"}},
		"a known place":  {OAuth2{URL: "{crm.url}/token", ClientAuth: "query"}, []string{`unknown client_auth "query"`, "header, body"}},
		"a known form":   {OAuth2{URL: "{crm.url}/token", Encoding: "xml"}, []string{`unknown encoding "xml"`, "form, json"}},
		"a placeholder":  {OAuth2{URL: "{crm.url}/token", ClientID: "{token.x}"}, []string{"client_id: unknown placeholder {token.x}"}},
		"a good path":    {OAuth2{URL: "{crm.url}/token", ClientID: "a", ClientSecret: "b", BaseURL: "{token.a..b}"}, []string{"base_url: bad placeholder {token.a..b}"}},
		"a good sending": {OAuth2{URL: "{crm.url}/token", ClientID: "a", ClientSecret: "b", Token: Token{Headers: []Param{{"X", "{login.x}"}}}}, []string{"header X: unknown placeholder {login.x}"}},
		"a lifetime":     {OAuth2{URL: "{crm.url}/token", ClientID: "a", ClientSecret: "b", Token: Token{Lifetime: -1}}, []string{"lifetime:", "is negative"}},
		"an expression":  {OAuth2{URL: "{crm.url}/token", ClientID: "a", ClientSecret: "b", Token: Token{Expired: &Condition{Expression: "body."}}}, []string{"expired:"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(withAuth("https://crm.example.com", Auth{OAuth2: &test.oauth2}), Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), append(test.want, "auth: oauth2: ")...)
		})
	}
}

func TestALifetimeIsWrittenAsATextOrInNanoseconds(t *testing.T) {
	for text, want := range map[string]time.Duration{`"30m"`: 30 * time.Minute, `1000000000`: time.Second} {
		var token Token
		if err := json.Unmarshal([]byte(`{"lifetime":`+text+`}`), &token); err != nil || time.Duration(token.Lifetime) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(token.Lifetime), err)
		}
	}
	if err := json.Unmarshal([]byte(`{"lifetime":"soon"}`), new(Token)); err == nil {
		t.Error("soon is a duration")
	}
}

// A token endpoint that hangs up, or says nothing that can be read.
func TestATokenEndpointThatIsNone(t *testing.T) {
	for name, test := range map[string]struct {
		token http.HandlerFunc
		want  string
	}{
		"it breaks off":      {dropping(""), "the exchange with the token endpoint http://127.0.0.1:"},
		"it is a page":       {answering(200, "<html>", "Content-Type", "text/html"), "the token endpoint gave no token: the answer is no JSON (text/html); is the token url right?"},
		"it is not here":     {answering(404, ""), "the token endpoint says: 404 Not Found; is the token url right?"},
		"it redirects":       {answering(302, "", "Location", "https://login.example.com/x?y"), "redirects to https://login.example.com, where credentials are not sent"},
		"it fails":           {answering(503, `{"message":"maintenance"}`), "the token endpoint says: 503 Service Unavailable: maintenance"},
		"it says when again": {answering(429, ``, "Retry-After", "60"), "limits how often it may be asked for tokens; it says to wait for 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				test.token(w, r)
			})
			options, _ := withEnv()
			rest := opened(t, withAuth(crm.URL, Auth{OAuth2: &OAuth2{URL: "{crm.url}/t", ClientID: "{env.ID}", ClientSecret: "{env.SECRET}"}}), options)
			text := failure(t, rest.Search(background(t), question(t, callersNumber)))
			hears(t, text, "crm legacy: lookup contact: not asked: no session or token: ", test.want)
			hidesEnv(t, text)
		})
	}
	t.Run("it is not there", func(t *testing.T) {
		options, _ := withEnv()
		address := unused(t)
		rest := opened(t, withAuth("https://crm.example.com", Auth{OAuth2: &OAuth2{URL: address + "/t", ClientID: "a", ClientSecret: "b"}}), options)
		hears(t, failure(t, rest.Search(background(t), question(t, callersNumber))),
			"no session or token: can't connect to the token endpoint "+address)
	})
}

func TestTheHostThatWasAskedIsNamed(t *testing.T) {
	d := contacts("https://crm.example.com")
	d.API = unused(t)
	hears(t, failure(t, searched(t, d)), "can't connect to "+d.API)
}
