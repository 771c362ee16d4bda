package crm

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// watched searches with a witness, and returns what it saw.
func watched(t testing.TB, rest *REST) *Witness {
	t.Helper()
	witness := &Witness{}
	rest.Watch(witness)
	rest.Search(background(t), question(t, callersNumber))
	return witness
}

// everything is all that a witness tells, as text.
func everything(w *Witness) string {
	var b strings.Builder
	for _, e := range w.Exchanges() {
		fmt.Fprintln(&b, e.Lookup, e.Method, e.URL, e.Header, e.Body, e.Status, e.Answer, e.Err)
	}
	fmt.Fprintln(&b, w.Dropped())
	return b.String()
}

func TestAWitnessSeesEveryExchangeWithItsNumbersAndWithoutCredentials(t *testing.T) {
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/contacts" {
			answering(200, quoted(`[{"id":"7","phone":"0199000001"},{"id":"8","phone":"0427466347","note":%s}]`, "key "+env["env.TOKEN"]))(w, r)
			return
		}
		answering(200, `{"phone":"0199000002"}`)(w, r)
	})
	d := contacts(crm.URL, withDetail, func(l *Lookup) {
		l.Method, l.JSON = http.MethodPost, `{"phone":"{number.e164}","key":"{env.TOKEN}"}`
		l.Query = []Param{{"key", "{env.TOKEN}"}, {"limit", "5"}}
	})
	d.Headers = []Param{{"Authorization", "Token {env.TOKEN}"}}
	options, _ := withEnv()
	witness := watched(t, compiled(t, d, options))

	seen := witness.Exchanges()
	if len(seen) != 2 {
		t.Fatalf("saw %+v", seen)
	}
	search, detail := seen[0], seen[1]
	if search.Lookup != "contact" || search.Method != http.MethodPost || search.URL != crm.URL+"/contacts?key=***&limit=5" || search.Status != 200 || search.Took <= 0 {
		t.Errorf("saw %+v", search)
	}
	if search.Header.Get("Authorization") != "Token ***" || search.Body != `{"phone":"+33427466347","key":"***"}` || !strings.Contains(search.Answer, `"note":"key ***"`) {
		t.Errorf("saw %+v", search)
	}
	if detail.Method != http.MethodGet || detail.URL != crm.URL+"/contacts/7" || detail.Body != "" || detail.Answer != `{"phone":"0199000002"}` {
		t.Errorf("saw %+v", detail)
	}
	if dropped := witness.Dropped(); len(dropped) != 1 || dropped[0].ID != "7" || !slices.Contains(dropped[0].Phones, "0199000002") {
		t.Errorf("dropped %+v", dropped)
	}
	hidesEnv(t, everything(witness))
}

func TestAWitnessSeesWhyThereWasNoAnswer(t *testing.T) {
	d, options := withSecret(unused(t))
	seen := watched(t, compiled(t, d, options)).Exchanges()
	if len(seen) != 1 || seen[0].Status != 0 || seen[0].Err == nil {
		t.Fatalf("saw %+v", seen)
	}
	hears(t, seen[0].Err.Error(), "can't connect to "+d.URL)
}

func TestAWitnessSeesOfATokenOnlyThatItWasAskedFor(t *testing.T) {
	crm := tokens(t, func(c *tokenCRM) {
		c.carries = func(r *http.Request) string { return r.URL.Query().Get("t") }
	})
	options, _ := withEnv()
	d := withToken(crm, func(o *OAuth2) {
		o.Token = Token{Query: []Param{{"t", "{token.access_token}"}}, Headers: []Param{{"X-Token", "v1 {token.access_token}"}}}
	})
	witness := watched(t, opened(t, d, options))
	seen := witness.Exchanges()
	if len(seen) != 2 {
		t.Fatalf("saw %+v", seen)
	}
	if token := seen[0]; token.Lookup != "token" || token.URL != crm.URL+"/oauth/token" || token.Status != 200 || token.Body+token.Answer != "" {
		t.Errorf("saw %+v", token)
	}
	if search := seen[1]; !strings.HasSuffix(search.URL, "&t=***") || search.Header.Get("X-Token") != "v1 ***" {
		t.Errorf("saw %+v", search)
	}
	if all := everything(witness); strings.Contains(all, "access-token") {
		t.Errorf("saw the token: %s", all)
	}
	hidesEnv(t, everything(witness))
}

// What a login takes and computes is as secret as what it is computed from.
func TestAWitnessSeesALoginWithoutItsSecrets(t *testing.T) {
	const challenge, session = "challenge-of-today", "session-of-today"
	crm := sessions(t, func(_ *sessionCRM, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/challenge":
			answering(200, `{"token":"`+challenge+`","expires":3600}`)(w, r)
		case "/login":
			answering(200, `{"session":"`+session+`","you":"`+gjson.GetBytes(body, "key").Str+`"}`)(w, r)
		default:
			answering(200, `[{"id":"8","phone":"0427466347","session":"`+session+`"}]`)(w, r)
		}
	})
	options, _ := withEnv()
	witness := watched(t, opened(t, withAuth(crm.URL, Auth{Login: &Login{
		Steps: []Step{
			step(LoginRequest{Ask: Ask{Path: "/challenge"}, Take: []Take{{Name: "challenge", Path: "token"}}}),
			derive(Derive{Name: "key", How: "base64", Text: "{env.USER}:{login.challenge}:{env.PASSWORD}"}),
			step(LoginRequest{
				Ask:  Ask{Method: http.MethodPost, Path: "/login", JSON: `{"key":"{login.key}"}`},
				Take: []Take{{Name: "session", Path: "session"}},
			}),
		},
		Token: Token{Headers: []Param{{"X-Session", "{login.session}"}}},
	}}), options))

	var lookups []string
	for _, e := range witness.Exchanges() {
		lookups = append(lookups, e.Lookup)
	}
	if want := []string{"login", "login", "contact"}; !slices.Equal(lookups, want) {
		t.Errorf("saw %q", lookups)
	}
	all := everything(witness)
	for _, secret := range []string{challenge, session, "Z2F0ZXdheTpj"} {
		if strings.Contains(all, secret) {
			t.Errorf("saw %s: %s", secret, all)
		}
	}
	hears(t, all, `{"token":"***","expires":3600}`, `{"key":"***"}`)
}

func TestAWitnessSeesOfALoginThatFailedNothingSecretEither(t *testing.T) {
	crm := sessions(t, func(_ *sessionCRM, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/challenge" {
			answering(200, `{"token":"challenge-of-today"}`)(w, r)
			return
		}
		answering(403, `{"message":"bad key for challenge-of-today"}`)(w, r)
	})
	options, _ := withEnv()
	rest := opened(t, withAuth(crm.URL, Auth{Login: &Login{Steps: []Step{
		step(LoginRequest{Ask: Ask{Path: "/challenge"}, Take: []Take{{Name: "challenge", Path: "token"}}}),
		step(LoginRequest{Ask: Ask{Path: "/login", Query: []Param{{"c", "{login.challenge}"}}}, Take: []Take{{Name: "session", Path: "session"}}}),
	}}}), options)
	witness := &Witness{}
	rest.Watch(witness)
	text := failure(t, rest.Search(background(t), question(t, callersNumber)))
	for _, all := range []string{everything(witness), text} {
		if strings.Contains(all, "challenge-of-today") {
			t.Errorf("saw the challenge: %s", all)
		}
	}
	hears(t, text, "403 Forbidden: bad key for ***")
}

func TestAWitnessSeesASignatureHidden(t *testing.T) {
	crm := guarded(t, staticAuth["sign"].admits, answering(200, callers))
	options, _ := withEnv()
	witness := watched(t, compiled(t, withAuth(crm.URL, staticAuth["sign"].auth), options))
	all := everything(witness)
	hears(t, all, "X-Signature:[v1 ***]", "&mac=***")
	if mac := signature("GET", "/contacts"); strings.Contains(all, mac) {
		t.Errorf("saw the signature: %s", all)
	}
}

// A password is hidden in the form that it has in a body.
func TestAWitnessSeesAPasswordInNoEncoding(t *testing.T) {
	const password = `p"a\s<w>&'é ord`
	crm := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests := r.URL.RawQuery
		answering(200, quoted(`{"login":%s}`, requests))(w, r)
	})
	for name, put := range map[string]func(*Lookup){
		"JSON":              func(l *Lookup) { l.Method, l.JSON = http.MethodPost, `{"p":"{env.P}"}` },
		"a form":            func(l *Lookup) { l.Method, l.Form = http.MethodPost, []Param{{"p", "{env.P}"}} },
		"XML":               func(l *Lookup) { l.Method, l.XML = http.MethodPost, `<p a="{env.P}">{env.P}</p>` },
		"JSON in a header":  func(l *Lookup) { l.Headers = []Param{{"X-P", `{"p":"{env.P}"}`}} },
		"JSON in the query": func(l *Lookup) { l.Query = append(l.Query, Param{"w", `{"p":"{env.P}"}`}) },
		"the query":         func(l *Lookup) { l.Query = append(l.Query, Param{"w", `{env.P}`}) },
	} {
		t.Run(name, func(t *testing.T) {
			rest := compiled(t, contacts(crm.URL, put), Options{Settings: map[string]func(string) (string, error){
				"env.": func(string) (string, error) { return password, nil },
			}})
			all := everything(watched(t, rest))
			if !strings.Contains(all, "***") || strings.Contains(all, "ord") {
				t.Errorf("saw %s", all)
			}
		})
	}
}
