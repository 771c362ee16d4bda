package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

const answered = `{"access_token":"t0ken","token_type":"Bearer","expires_in":3600,"instance_url":"https://eu1.example.com","id":12345678901234567890}`

func TestTheApplicationIsNamedWhereTheEndpointWantsIt(t *testing.T) {
	tests := []struct {
		name             string
		inHeader, inJSON bool
		change           func(*OAuth2)
		rejected         string
	}{
		{"in the form, which is the default", false, false, nil, ""},
		{"in the header", true, false, func(o *OAuth2) { o.ClientAuth = Header }, ""},
		{"in JSON", false, true, func(o *OAuth2) { o.Encoding = JSON }, ""},
		{"in the header, with JSON", true, true, func(o *OAuth2) { o.Encoding, o.ClientAuth = JSON, Header }, ""},
		{"in the form instead of the header", true, false, nil, "client_auth header"},
		{"in the header instead of the form", false, false, func(o *OAuth2) { o.ClientAuth = Header }, "client_auth body"},
		{"in the form instead of JSON", false, true, nil, "encoding"},
		{"in JSON instead of the form", false, false, func(o *OAuth2) { o.Encoding = JSON }, "encoding"},
		{"with a wrong secret", false, false, func(o *OAuth2) { o.ClientSecret = "passw0rd" }, "the client secret is wrong"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := serve(t, gives(answered))
			e.inHeader, e.inJSON = test.inHeader, test.inJSON
			token, err := fetch(t, e.client(test.change))
			if test.rejected == "" {
				if err != nil || token.Answer != answered {
					t.Errorf("got %s, %v", token.Answer, err)
				}
				return
			}
			if _, ok := errors.AsType[*Rejected](err); !ok {
				t.Errorf("got %v, want a rejection", err)
			}
			says(t, err, test.rejected)
		})
	}
}

func TestATokenRequestHasWhatIsConfigured(t *testing.T) {
	e := serve(t, gives(answered))
	o := e.client(func(o *OAuth2) {
		o.Scopes = []string{"read", "api.contacts"}
		o.Params = []Param{{"platform", "custom"}, {"resource", "https://a.example"}, {"resource", "https://b.example"}}
		o.Header = http.Header{"X-Tenant": {"acme"}, "Host": {"login.example.com"}}
	})
	if _, err := fetch(t, o); err != nil {
		t.Fatal(err)
	}
	request := e.asked()[0]
	want := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}, "scope": {"read api.contacts"},
		"platform": {"custom"}, "resource": {"https://a.example", "https://b.example"},
	}
	if request.params.Encode() != want.Encode() {
		t.Errorf("asked with %v", request.params)
	}
	if request.header.Get("X-Tenant") != "acme" || request.host != "login.example.com" || request.header.Get("User-Agent") != "caddy-screenpop" {
		t.Errorf("asked with %v of %s", request.header, request.host)
	}

	t.Run("a parameter replaces the grant's own", func(t *testing.T) {
		_, err := fetch(t, e.client(func(o *OAuth2) { o.Params = []Param{{"grant_type", "account_credentials"}} }))
		if got := e.asked()[1].params["grant_type"]; err != nil || len(got) != 1 || got[0] != "account_credentials" {
			t.Errorf("asked with %v, %v", got, err)
		}
	})
}

func TestAPasswordIsSentWithItsGrant(t *testing.T) {
	e := serve(t, func(p url.Values) (int, string) {
		if p.Get("grant_type") != "password" || p.Get("username") != "rosa" || p.Get("password") != "passw0rd" {
			return http.StatusBadRequest, `{"error":"invalid_grant","error_description":"wrong password passw0rd"}`
		}
		return http.StatusOK, answered
	})
	o := e.client(func(o *OAuth2) { o.Grant, o.Username, o.Password = Password, "rosa", "passw0rd" })
	if _, err := fetch(t, o); err != nil {
		t.Error(err)
	}
	o = e.client(func(o *OAuth2) { o.Grant, o.Username, o.Password = Password, "anna", "passw0rd" })
	_, err := fetch(t, o)
	says(t, err, "400 Bad Request", "invalid_grant", "wrong password ***", "user name or the password is wrong")
}

// pemOf writes a private key.
func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// verifies is a grant for who signs with a key.
func verifies(algorithm string, public any) func(url.Values) (int, string) {
	used := map[string]bool{}
	return func(p url.Values) (int, string) {
		token, err := jwt.Parse(p.Get("assertion"), func(*jwt.Token) (any, error) { return public, nil },
			jwt.WithValidMethods([]string{algorithm}), jwt.WithAudience("https://login.example.com"), jwt.WithIssuer(clientID),
			jwt.WithSubject("rosa@example.com"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
		if err != nil || p.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			return http.StatusBadRequest, fmt.Sprintf(`{"error":"invalid_grant","error_description":%q}`, err)
		}
		claims, _ := token.Claims.(jwt.MapClaims)
		id, _ := claims["jti"].(string)
		scopes, _ := claims["scopes"].([]any)
		if id == "" || used[id] || token.Header["kid"] != "k1" || len(scopes) != 2 || claims["site"] != "42" {
			return http.StatusBadRequest, `{"error":"invalid_grant","error_description":"claims"}`
		}
		used[id] = true
		return http.StatusOK, answered
	}
}

func TestAnAssertionIsSignedSoThatItsPublicKeyVerifiesIt(t *testing.T) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, _ := ed25519.GenerateKey(rand.Reader)
	shared := "a shared secret of the two, with \\n in it"
	tests := []struct {
		algorithm, key string
		public         any
	}{
		{"RS256", pemOf(t, rsaKey), rsaKey.Public()},
		{"RS256", strings.ReplaceAll(pemOf(t, rsaKey), "\n", `\n`), rsaKey.Public()},
		{"PS512", pemOf(t, rsaKey), rsaKey.Public()},
		{"ES256", pemOf(t, ecKey), ecKey.Public()},
		{"EdDSA", pemOf(t, edKey), edPublic},
		{"HS256", shared, []byte(shared)},
	}
	for _, test := range tests {
		t.Run(test.algorithm, func(t *testing.T) {
			e := serve(t, verifies(test.algorithm, test.public))
			o := e.client(func(o *OAuth2) {
				o.Grant = JWTBearer
				o.Assertion = &Assertion{
					Key: test.key, Algorithm: test.algorithm, Issuer: clientID, Subject: "rosa@example.com",
					Audience: "https://login.example.com", KeyID: "k1", Claims: []Param{{"scopes", `["a","b"]`}, {"site", "42"}},
				}
			})
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one must not repeat the first
				if _, err := fetch(t, o); err != nil {
					t.Error(err)
				}
			}
			expired := e.client(func(e *OAuth2) {
				assertion := *o.Assertion
				assertion.Claims = append([]Param{}, assertion.Claims...)
				e.Grant, e.Assertion = JWTBearer, &assertion
				e.Assertion.Lifetime = time.Nanosecond // whole seconds are sent: over at once
			})
			_, err := fetch(t, expired)
			says(t, err, "invalid_grant", "expired", "this machine's clock")
		})
	}
}

func TestAnswersAreReadInAllTheirForms(t *testing.T) {
	tests := []struct {
		name, contentType, answer string
		lifetime, want            time.Duration
	}{
		{"seconds as a number", "application/json", `{"access_token":"t","expires_in":3600}`, 0, time.Hour},
		{"seconds as a string", "application/json", `{"access_token":"t","expires_in":"3600"}`, time.Minute, time.Hour},
		{"seconds with a fraction", "application/json", `{"access_token":"t","expires_in":90.0}`, 0, 90 * time.Second},
		{"no seconds", "application/json", `{"access_token":"t"}`, 0, 0},
		{"no seconds, but a configured lifetime", "application/json", `{"access_token":"t"}`, time.Hour, time.Hour},
		{"no seconds as 0", "application/json", `{"access_token":"t","expires_in":0}`, 0, 0},
		{"no seconds as an empty string", "application/json", `{"access_token":"t","expires_in":""}`, time.Hour, time.Hour},
		{"no seconds as null", "application/json", `{"access_token":"t","expires_in":null,"error":null}`, 0, 0},
		{"seconds before now", "application/json", `{"access_token":"t","expires_in":-1}`, 0, 0},
		{"more seconds than there are", "application/json", `{"access_token":"t","expires_in":1e300}`, 0, longestLifetime},
		{"JSON that says it is text", "text/plain", "\ufeff\n" + `{"access_token":"t","expires_in":60}` + "\n", 0, time.Minute},
		{"JSON that says it is HTML", "text/html", `{"access_token":"t","expires_in":60,"error":""}`, 0, time.Minute},
		{"a form", "application/x-www-form-urlencoded", `access_token=t&expires_in=60`, 0, time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				fmt.Fprint(w, test.answer)
			}))
			defer server.Close()
			before := time.Now()
			token, err := fetch(t, &OAuth2{TokenURL: server.URL, ClientID: clientID, Lifetime: test.lifetime})
			after := time.Now()
			if err != nil || token.member("access_token") != "t" {
				t.Fatalf("got %s, %v", token.Answer, err)
			}
			if test.want == 0 {
				if !token.Expiry.IsZero() {
					t.Errorf("expires %s", token.Expiry)
				}
				return
			}
			if token.Expiry.Before(before.Add(test.want)) || token.Expiry.After(after.Add(test.want)) {
				t.Errorf("expires in %s", token.Expiry.Sub(before))
			}
		})
	}
}

func TestAnswersWithoutATokenAreExplained(t *testing.T) {
	endless := strings.Repeat(" ", maxAnswer) + "{}"
	tests := []struct {
		name, header, answer string
		status               int
		rejected             bool
		words                []string
	}{
		{"a wrong client", "", `{"error":"invalid_client"}`, 401, true, []string{"401 Unauthorized", "invalid_client", "client_auth"}},
		{"a wrong client by 200", "", `{"error":"invalid_client"}`, 200, true, []string{"200 OK", "client id"}},
		{"a wrong client by 500", "", `{"error":"invalid_client"}`, 500, true, []string{"500", "client id"}},
		{"an error of its own by 200", "", `{"error":{"message":"no such tenant"}}`, 200, true, []string{"no such tenant", "does not accept"}},
		{"a rejection in HTML", "Content-Type: text/html", "<h1>Forbidden s3cr3t</h1>", 403, true, []string{"403 Forbidden", "does not accept"}},
		{"a rejection of few words", "", "", 400, true, []string{"400 Bad Request"}},
		{"a rejection with a wait", "Retry-After: 120", `{"error":"access_denied"}`, 403, true, []string{"wait for 2m0s"}},
		{"a repeated secret", "", `{"error":"invalid_request","error_description":"bad\nclient_secret=` + url.QueryEscape(clientSecret) + ` ` + clientSecret + `"}`, 400, true, []string{"bad client_secret=*** ***"}},
		{"an unknown token", "", `{"error":"x","error_description":"` + strings.Repeat("aB3", 20) + `"}`, 400, true, []string{"x: ***;"}},
		{"a long story", "", `{"error_description":"` + strings.Repeat("no ", 400) + `"}`, 400, true, []string{"no no..."}},
		{"a moment of weakness", "", `{"error":"temporarily_unavailable"}`, 400, false, []string{"temporarily_unavailable", "in a moment"}},
		{"too many requests", "Retry-After: 60", "", 429, false, []string{"429", "limits", "wait for 1m0s"}},
		{"a server's failure", "", "<html>s3cr3t</html>", 502, false, []string{"502 Bad Gateway", "its own log"}},
		{"no endpoint", "", "<html>", 404, false, []string{"404", "token url"}},
		{"a redirect", "Location: https://login.example.com/x?client_secret=s3cr3t", "", 307, false, []string{"307", "to https://login.example.com,"}},
		{"HTML", "Content-Type: text/html; charset=utf-8", "<html>s3cr3t</html>", 200, false, []string{"no JSON (text/html)", "token url"}},
		{"nothing", "", "", 200, false, []string{"empty"}},
		{"a list", "", `[{"access_token":"t"}]`, 200, false, []string{"no object"}},
		{"another object", "", `{"access_token":null,"message":"welcome"}`, 200, false, []string{"no access_token: welcome"}},
		{"half an object", "", `{"access_token":"t","expi`, 200, false, []string{"no JSON"}},
		{"a deep object", "", strings.Repeat(`{"a":`, 1<<17), 200, false, []string{"no JSON"}},
		{"more than is read", "", endless, 200, false, []string{"larger than 1 MiB"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if name, value, ok := strings.Cut(test.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.answer)
			}))
			defer server.Close()
			token, err := fetch(t, &OAuth2{TokenURL: server.URL + "/?key=s3cr3t", ClientID: clientID, ClientSecret: clientSecret})
			says(t, err, test.words...)
			if _, rejected := errors.AsType[*Rejected](err); rejected != test.rejected {
				t.Errorf("%v: rejected %t", err, rejected)
			}
			if token.Answer != "" || requests != 1 || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\r\n<") {
				t.Errorf("%d requests: %s, %q", requests, token.Answer, err)
			}
		})
	}
}

func TestARedirectGetsNoCredentials(t *testing.T) {
	asked := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusPermanentRedirect))
	defer server.Close()
	follows := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	_, err := fetch(t, &OAuth2{TokenURL: server.URL, ClientID: clientID, ClientSecret: clientSecret, Client: follows})
	says(t, err, "308", "token url")
	if asked != 0 {
		t.Error("the request was redirected")
	}
}

func TestANetworkThatFailsIsExplainedWithoutTheAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"access_token":`)
	}))
	defer cut.Close()
	for _, test := range []struct{ name, url, want string }{
		{"nobody listens", "http://" + listener.Addr().String(), "can't connect"},
		{"an unknown host", "http://crm.invalid", "can't be resolved"},
		{"a certificate of nobody", untrusted.URL, "is not trusted"},
		{"an answer that breaks off", cut.URL, "broke off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := fetch(t, &OAuth2{TokenURL: test.url + "/s3cr3t?x=passw0rd", ClientID: clientID})
			says(t, err, test.want)
		})
	}
	t.Run("a caller's context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := (&OAuth2{TokenURL: cut.URL, ClientID: clientID}).Fetch(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMistakesAreSaidBeforeTheFirstRequest(t *testing.T) {
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	tests := []struct {
		name   string
		change func(*OAuth2)
		where  string
		words  string
	}{
		{"no address", func(o *OAuth2) { o.TokenURL = "crm/s3cr3t" }, "", "https://crm.example.com/oauth2/token"},
		{"no client", func(o *OAuth2) { o.ClientID = "" }, "client_id", "required"},
		{"no refresh token", func(o *OAuth2) { o.Grant = RefreshToken }, "refresh_token", "required"},
		{"no password", func(o *OAuth2) { o.Grant, o.Username = Password, "rosa" }, "password", "required"},
		{"no assertion", func(o *OAuth2) { o.Grant = JWTBearer }, "assertion", "needs one"},
		{"an unknown grant", func(o *OAuth2) { o.Grant = "implicit" }, "grant", "client_credentials"},
		{"an unsigned assertion", func(o *OAuth2) { o.Grant, o.Assertion = JWTBearer, &Assertion{Algorithm: "none", Key: "s3cr3t"} }, "assertion algorithm", "RS256"},
		{"no key", func(o *OAuth2) { o.Grant, o.Assertion = JWTBearer, &Assertion{Algorithm: "HS256"} }, "assertion key", "required"},
		{"a key that is none", func(o *OAuth2) { o.Grant, o.Assertion = JWTBearer, &Assertion{Algorithm: "RS256", Key: "s3cr3t"} }, "assertion key", "PEM"},
		{"a key for something else", func(o *OAuth2) {
			o.Grant, o.Assertion = JWTBearer, &Assertion{Algorithm: "ES256", Key: pemOf(t, rsaKey)}
		}, "assertion key", "private key for ES256"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &OAuth2{TokenURL: "https://crm.example.com/token", ClientID: clientID}
			test.change(o)
			err := o.Check()
			if err == nil || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "s3cr3t") {
				t.Fatalf("got %v", err)
			}
			where := ""
			if m, ok := errors.AsType[*mistake.Mistake](err); ok {
				where = strings.Join(m.Where, " ")
			}
			if where != test.where {
				t.Errorf("it is about %q", where)
			}
		})
	}
}
