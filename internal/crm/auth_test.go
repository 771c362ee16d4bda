package crm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// guarded is a CRM that lets in only what its door admits. It answers anything
// else as real ones do.
func guarded(t testing.TB, admits func(*http.Request) bool, answer http.HandlerFunc) *fakeCRM {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !admits(r) {
			answering(401, `{"message":"Who are you?"}`)(w, r)
			return
		}
		answer(w, r)
	})
}

// withAuth is a CRM with one lookup and a way in.
func withAuth(address string, auth Auth, changes ...func(*Lookup)) Definition {
	d := contacts(address, changes...)
	d.Auth = &auth
	return d
}

// env is what the environment holds in tests of credentials.
var env = map[string]string{
	"env.USER": "gateway", "env.PASSWORD": "p4ssw0rd é:+", "env.TOKEN": "t0ken-of-the-gateway", "env.ID": "client-7", "env.SECRET": "cl13nt-s3cret+/=",
}

// withEnv are options that know the environment, and collect what they are told
// of credentials that are no longer accepted.
func withEnv() (Options, *alarms) {
	told := &alarms{}
	return Options{
		Settings: map[string]func(string) (string, error){"env.": func(name string) (string, error) { return env[name], nil }},
		Lost:     told.add,
	}, told
}

// alarms collects loud lines.
type alarms struct {
	mutex sync.Mutex
	said  []string
}

func (a *alarms) add(err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.said = append(a.said, err.Error())
}

func (a *alarms) all() []string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Clone(a.said)
}

// hidesEnv fails if a text has a credential of the environment.
func hidesEnv(t testing.TB, text string) {
	t.Helper()
	for _, name := range []string{"env.PASSWORD", "env.TOKEN", "env.SECRET"} {
		if strings.Contains(text, env[name]) {
			t.Errorf("%q has %s", text, name)
		}
	}
}

func signature(method, path string) string {
	mac := hmac.New(sha256.New, []byte(env["env.SECRET"]))
	mac.Write([]byte(method + " " + path))
	return hex.EncodeToString(mac.Sum(nil))
}

// staticAuth are the ways in which a credential goes with every request, each
// with the door that it opens.
var staticAuth = map[string]struct {
	auth   Auth
	admits func(*http.Request) bool
}{
	"basic": {
		Auth{Basic: &Basic{"{env.USER}", "{env.PASSWORD}"}},
		func(r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == env["env.USER"] && password == env["env.PASSWORD"]
		},
	},
	"basic without a password": {
		Auth{Basic: &Basic{User: "{env.TOKEN}"}},
		func(r *http.Request) bool {
			user, password, ok := r.BasicAuth()
			return ok && user == env["env.TOKEN"] && password == ""
		},
	},
	"bearer": {
		Auth{Bearer: "{env.TOKEN}"},
		func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+env["env.TOKEN"] },
	},
	"header": {
		Auth{Header: &Param{"Authorization", "Token token={env.TOKEN}"}},
		func(r *http.Request) bool { return r.Header.Get("Authorization") == "Token token="+env["env.TOKEN"] },
	},
	"query": {
		Auth{Query: &Param{"api[key]", "{env.SECRET}"}},
		func(r *http.Request) bool { return r.URL.Query().Get("api[key]") == env["env.SECRET"] },
	},
	"sign": {
		Auth{Sign: &Sign{
			Derive: []Derive{
				{Name: "mac", How: "hmac-sha256", Key: "{env.SECRET}", Text: "{request.method} {request.path}"},
				{Name: "both", How: "base64", Text: "{env.USER}:{sign.mac}"},
			},
			Headers: []Param{{"X-Signature", "v1 {sign.both}"}},
			Query:   []Param{{"mac", "{sign.mac}"}},
		}},
		func(r *http.Request) bool {
			mac := signature(r.Method, r.URL.Path)
			both := base64.StdEncoding.EncodeToString([]byte(env["env.USER"] + ":" + mac))
			return r.Header.Get("X-Signature") == "v1 "+both && r.URL.Query().Get("mac") == mac
		},
	},
}

func TestAWayInGoesWithEveryRequest(t *testing.T) {
	for name, way := range staticAuth {
		t.Run(name, func(t *testing.T) {
			crm := guarded(t, way.admits, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/contacts":
					answering(200, `[{"id":"7","phone":"0199000001","company_id":"3"}]`)(w, r)
				case "/contacts/7":
					answering(200, `{"phone":"0427466347","name":"Camille"}`)(w, r)
				default:
					answering(200, `{"name":"Cuisines Moreau"}`)(w, r)
				}
			})
			options, told := withEnv()
			record := found(t, compiled(t, withAuth(crm.URL, way.auth, withDetail, func(l *Lookup) {
				l.Follows = []Follow{{Name: "company", Ask: Ask{Path: "/companies/{record.company_id}"}}}
				l.Company = []string{"{follow.company.name}"}
			}), options).Search(t.Context(), question(t, callersNumber)))

			if record.Name != "Camille" || record.Company != "Cuisines Moreau" || len(crm.asked()) != 3 {
				t.Errorf("found %+v by asking %q", record, crm.targets())
			}
			if said := told.all(); len(said) != 0 {
				t.Errorf("said %q", said)
			}
		})
	}
}

// A path below the CRM's address is what some products sign, however long the
// address itself is.
func TestASignatureIsOfThePathBelowTheAPI(t *testing.T) {
	crm := guarded(t, func(r *http.Request) bool {
		path := strings.TrimPrefix(r.URL.EscapedPath(), "/shop/api")
		return r.Header.Get("X-Mac") == signature(r.Method, path) && path == "/contacts%20of/%2B33427466347"
	}, answering(200, callers))
	d := withAuth(crm.URL+"/shop", Auth{Sign: &Sign{
		Derive:  []Derive{{Name: "mac", How: "hmac-sha256", Key: "{env.SECRET}", Text: "{request.method} {request.path}"}},
		Headers: []Param{{"X-Mac", "{sign.mac}"}},
	}}, func(l *Lookup) {
		l.Path, l.Method, l.Form = "/contacts%20of/{number.e164}", http.MethodPost, []Param{{"a", "b"}}
	})
	d.API = "{crm.url}/api"
	options, _ := withEnv()
	found(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
}

func TestAWayInReplacesAHeaderOfTheSameName(t *testing.T) {
	crm := guarded(t, staticAuth["bearer"].admits, answering(200, callers))
	d := withAuth(crm.URL, staticAuth["bearer"].auth)
	d.Headers = []Param{{"authorization", "Basic of-the-crm"}}
	options, _ := withEnv()
	found(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
	if got := crm.only(t).header.Values("Authorization"); len(got) != 1 {
		t.Errorf("Authorization = %q", got)
	}
}

func TestCredentialsThatAreRefusedAreSaidLoudlyAndNotForEveryCall(t *testing.T) {
	ways := map[string]Auth{}
	for name, way := range staticAuth {
		ways[name] = way.auth
	}
	for name, auth := range ways {
		t.Run(name, func(t *testing.T) {
			crm := guarded(t, func(*http.Request) bool { return false }, answering(200, callers))
			options, told := withEnv()
			rest := compiled(t, withAuth(crm.URL, auth), options)
			for range 3 {
				result := rest.Search(t.Context(), question(t, callersNumber))
				hears(t, failure(t, result), "crm legacy: lookup contact: 401 Unauthorized: Who are you?")
				hidesEnv(t, failure(t, result))
			}
			said := told.all()
			if len(said) != 1 {
				t.Fatalf("said %q, want one line", said)
			}
			hears(t, said[0], "crm legacy: 401 Unauthorized: Who are you?", "does not accept the credentials")
			hidesEnv(t, said[0])
		})
	}
}

// A credential in a header field is one too, though it is not written as auth.
func TestCredentialsInAHeaderAreSaidLoudlyWhenTheyAreRefused(t *testing.T) {
	crm := guarded(t, func(*http.Request) bool { return false }, answering(200, callers))
	d := contacts(crm.URL)
	d.Headers = []Param{{"X-Api-Key", "{env.TOKEN}"}}
	options, told := withEnv()
	compiled(t, d, options).Search(t.Context(), question(t, callersNumber))
	if said := told.all(); len(said) != 1 || !strings.Contains(said[0], "crm legacy: 401 Unauthorized") {
		t.Errorf("said %q", said)
	}
}

func TestCredentialsThatWorkedInBetweenAreSaidAgain(t *testing.T) {
	crm := guarded(t, func(r *http.Request) bool { return r.URL.Query().Get("q") == "+33427466347" }, answering(200, callers))
	options, told := withEnv()
	rest := compiled(t, withAuth(crm.URL, staticAuth["bearer"].auth), options)
	for _, caller := range []string{"0199000001", callersNumber, "0199000001", "0199000002"} {
		rest.Search(t.Context(), question(t, caller))
	}
	if said := told.all(); len(said) != 2 {
		t.Errorf("said %q, want two lines: it worked in between", said)
	}
}

// Credentials that may read contacts, and no companies, are said once too.
func TestARefusalOfOneOfSeveralRequestsIsNotSaidForEveryCall(t *testing.T) {
	crm := guarded(t, func(r *http.Request) bool { return r.URL.Path == "/contacts" }, answering(200, `[`+camille+`]`))
	options, told := withEnv()
	rest := compiled(t, withAuth(crm.URL, staticAuth["bearer"].auth, withCompany), options)
	for range 5 {
		result := rest.Search(t.Context(), question(t, callersNumber))
		hears(t, failure(t, result), "follow company: 401 Unauthorized")
	}
	if said := told.all(); len(said) != 1 {
		t.Errorf("said %q, want one line", said)
	}
}

func TestAnyOtherFailureIsNoLossOfCredentials(t *testing.T) {
	for _, status := range []int{400, 403, 404, 429, 500, 503} {
		crm := serve(t, answering(status, ""))
		options, told := withEnv()
		compiled(t, withAuth(crm.URL, staticAuth["bearer"].auth), options).Search(t.Context(), question(t, callersNumber))
		if said := told.all(); len(said) != 0 {
			t.Errorf("%d: said %q", status, said)
		}
	}
}

func TestAWayInThatCanNotBe(t *testing.T) {
	for name, test := range map[string]struct {
		auth Auth
		want []string
	}{
		"none":                      {Auth{}, []string{"auth: says nothing", "auth bearer {env.CRM_TOKEN}"}},
		"two":                       {Auth{Bearer: "a", Header: &Param{"b", "c"}}, []string{"auth: is there as bearer and as header"}},
		"a user name with a colon":  {Auth{Basic: &Basic{"a:b", "c"}}, []string{"auth: basic: the user name has a colon"}},
		"a token of the call":       {Auth{Bearer: "{call.userData.TOKEN}"}, []string{"auth: bearer: unknown placeholder {call.userData.TOKEN}"}},
		"a header with a bad name":  {Auth{Header: &Param{"X Key", "c"}}, []string{`"X Key" is not the name of a header field`}},
		"a header with a bad value": {Auth{Header: &Param{"X-Key", "c\nd"}}, []string{"header X-Key", "line break"}},
		"a signature that is not sent": {
			Auth{Sign: &Sign{Derive: []Derive{{Name: "mac", How: "md5", Text: "{request.path}"}}}},
			[]string{"auth: sign: sends nothing", "header X-Signature {sign.mac}"},
		},
		"a signature of what was not derived": {
			Auth{Sign: &Sign{Headers: []Param{{"X-Mac", "{sign.mac}"}}}},
			[]string{"auth: sign: header X-Mac", "nothing of that name was derived"},
		},
		"a key that is missing": {
			Auth{Sign: &Sign{Derive: []Derive{{Name: "mac", How: "hmac-sha256", Text: "x"}}}},
			[]string{"auth: sign: derive mac", "derive mac hmac-sha256 <key> <text>"},
		},
		"a key too many": {
			Auth{Sign: &Sign{Derive: []Derive{{Name: "mac", How: "sha256", Key: "k", Text: "x"}}}},
			[]string{"auth: sign: derive mac", "derive mac sha256 <text>"},
		},
		"a derivation that there is not": {
			Auth{Sign: &Sign{Derive: []Derive{{Name: "mac", How: "sha1", Text: "x"}}}},
			[]string{`unknown derivation "sha1"; there are md5, sha256, hmac-sha256, base64`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := withAuth("https://crm.example.com", test.auth)
			_, err := Compile(d, Options{})
			if err == nil {
				t.Fatal("it compiled")
			}
			hears(t, err.Error(), test.want...)
		})
	}
}
