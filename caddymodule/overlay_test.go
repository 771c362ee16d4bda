package caddymodule

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// product of these tests: a preset with one of everything.
const sampler = `
credential token
setting region eu
setting tenant
api https://{setting.region}.api.example.com/{setting.tenant}
header X-Client screenpop
header X-Version 1
timeout 3s
dialect sql
miss status 404
fail ` + "`body.ok == false`" + `
spellings e164
search_url {crm.url}/search
create_url {crm.url}/new
auth oauth2 https://login.example.com/{setting.tenant} {
	client_id screenpop
	client_secret {credential.token}
	scope read
	param audience crm
	param resource a
	header Authorization "Zoho {token.access_token}"
	lifetime 30m
}
lookup contact {
	POST /contacts
	query limit 10
	query fields a
	query fields b
	form q {number.e164}
	form mode exact
	header X-Scope contacts
	header X-Deep 1
	records data
	miss status 204
	otherwise {
		GET /scan
		query q {number.like}
	}
	sample {
		GET /all
	}
	detail /contacts/{record.id}
	follow company /companies/{record.company}
	follow tickets /tickets?of={record.id}
	name {record.name}
	company {follow.company.name}
	phones {record.phone}
	url {crm.url}/contacts/{record.id}
	field vip {record.vip}
	field open {follow.tickets.#}
}
lookup lead {
	GET /leads
	query q {number.e164}
	phones {record.phone}
}
`

// withSampler makes a preset of a text known for a test.
func withSampler(t *testing.T, name, text string) {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte("rest {\n"+text+"\n}"), "preset "+name)
	if err != nil {
		t.Fatal(err)
	}
	var parsed REST
	p := restParser{rest: &parsed}
	if err := p.parse(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	parsedPresets.Store(name, &parsed)
	t.Cleanup(func() { parsedPresets.Delete(name) })
}

// laidOver reads `crm sampler` with options beside it, and lays them over.
func laidOver(t *testing.T, options string) (*REST, error) {
	t.Helper()
	withSampler(t, "sampler", sampler)
	var c REST
	p := restParser{rest: &c}
	tokens, err := caddyfile.Tokenize([]byte("sampler https://crm.example.com {\n"+options+"\n}"), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.parse(caddyfile.NewDispenser(tokens)); err != nil {
		return nil, err
	}
	return c.withPreset()
}

// read is what a text of the grammar means alone.
func read(t *testing.T, text string) *REST {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte("rest https://crm.example.com {\n"+text+"\n}"), "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	var c REST
	p := restParser{rest: &c}
	if err := p.parse(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	return &c
}

// An option that is laid over a preset gives what the preset with the change
// in it would.
func TestAnOptionBesideAPresetReplacesThePresets(t *testing.T) {
	for name, test := range map[string]struct {
		options string
		// changes are texts of the preset and what stands there instead.
		changes []string
	}{
		"nothing":                             {``, nil},
		"the api":                             {`api https://other.example.com`, []string{"api https://{setting.region}.api.example.com/{setting.tenant}", "api https://other.example.com"}},
		"the timeout":                         {`timeout 1s`, []string{"timeout 3s", "timeout 1s"}},
		"the dialect":                         {`dialect odata`, []string{"dialect sql", "dialect odata"}},
		"what is not found":                   {`miss status 410`, []string{"miss status 404", "miss status 410"}},
		"what is a failure":                   {"fail `body.error`", []string{"body.ok == false", "body.error"}},
		"the spellings":                       {`spellings national digits`, []string{"spellings e164", "spellings national digits"}},
		"the pages":                           {"search_url {crm.url}/s\ncreate_url {crm.url}/c", []string{"{crm.url}/search", "{crm.url}/s", "{crm.url}/new", "{crm.url}/c"}},
		"second searches are left out":        {`otherwise off`, []string{"dialect sql", "dialect sql\notherwise off"}},
		"a header of the same name":           {`header x-client other`, []string{"header X-Client screenpop\nheader X-Version 1", "header X-Version 1\nheader x-client other"}},
		"another header":                      {`header X-More 2`, []string{"header X-Version 1", "header X-Version 1\nheader X-More 2"}},
		"a query of the same name":            {"lookup contact {\nquery fields c\n}", []string{"\tquery fields a\n\tquery fields b\n", "\tquery fields c\n"}},
		"another query":                       {"lookup contact {\nquery deleted 0\n}", []string{"query fields b", "query fields b\n\tquery deleted 0"}},
		"a form field":                        {"lookup contact {\nform mode fuzzy\n}", []string{"form mode exact", "form mode fuzzy"}},
		"a header of a lookup":                {"lookup contact {\nheader x-scope all\n}", []string{"\theader X-Scope contacts\n\theader X-Deep 1", "\theader X-Deep 1\n\theader x-scope all"}},
		"the records":                         {"lookup contact {\nrecords list\n}", []string{"records data", "records list"}},
		"what is not found in a lookup":       {"lookup contact {\nmiss status 404\n}", []string{"miss status 204", "miss status 404"}},
		"the second search":                   {"lookup contact {\notherwise {\nGET /slow\nquery n {number.nsn}\n}\n}", []string{"GET /scan\n\t\tquery q {number.like}", "GET /slow\nquery n {number.nsn}"}},
		"the sample":                          {"lookup contact {\nsample {\nGET /some\n}\n}", []string{"GET /all", "GET /some"}},
		"the detail":                          {"lookup contact {\ndetail /c/{record.id}\n}", []string{"detail /contacts/{record.id}", "detail /c/{record.id}"}},
		"a follow of the same name":           {"lookup contact {\nfollow company /orgs/{record.org}\n}", []string{"\tfollow company /companies/{record.company}\n\tfollow tickets /tickets?of={record.id}", "\tfollow tickets /tickets?of={record.id}\n\tfollow company /orgs/{record.org}"}},
		"another follow":                      {"lookup contact {\nfollow owner /users/{record.owner}\n}", []string{"?of={record.id}", "?of={record.id}\n\tfollow owner /users/{record.owner}"}},
		"a field of the same name":            {"lookup contact {\nfield vip {record.gold}\n}", []string{"\tfield vip {record.vip}\n\tfield open {follow.tickets.#}", "\tfield open {follow.tickets.#}\n\tfield vip {record.gold}"}},
		"another field":                       {"lookup contact {\nfield city {record.city}\n}", []string{"{follow.tickets.#}", "{follow.tickets.#}\n\tfield city {record.city}"}},
		"how a record is read":                {"lookup contact {\nname {record.a}\ncompany {record.b}\nurl https://x.example.com/\n}", []string{"name {record.name}", "name {record.a}", "company {follow.company.name}", "company {record.b}", "url {crm.url}/contacts/{record.id}", "url https://x.example.com/"}},
		"the numbers":                         {"lookup lead {\nphones {record.a} {record.b}\n}", []string{"\tquery q {number.e164}\n\tphones {record.phone}", "\tquery q {number.e164}\n\tphones {record.a} {record.b}"}},
		"the numbers are taken for granted":   {"lookup lead {\nphones unverified\n}", []string{"\tquery q {number.e164}\n\tphones {record.phone}", "\tquery q {number.e164}\n\tphones unverified"}},
		"a lookup is left out":                {"lookup lead off", []string{"lookup lead {\n\tGET /leads\n\tquery q {number.e164}\n\tphones {record.phone}\n}\n", ""}},
		"a lookup is added":                   {"lookup account {\nGET /a\nquery q {number}\nphones {record.p}\n}", []string{"lookup lead {", "lookup lead {", "\tphones {record.phone}\n}\n", "\tphones {record.phone}\n}\nlookup account {\nGET /a\nquery q {number}\nphones {record.p}\n}\n"}},
		"a setting":                           {"region us", []string{"setting region eu", "setting region us"}},
		"of oauth2 the scope":                 {"auth oauth2 {\nscope all\n}", []string{"scope read", "scope all"}},
		"of oauth2 where tokens are given":    {"auth oauth2 {crm.url}/t", []string{"auth oauth2 https://login.example.com/{setting.tenant}", "auth oauth2 {crm.url}/t"}},
		"of oauth2 a parameter":               {"auth oauth2 {\nparam resource b\n}", []string{"param resource a", "param resource b"}},
		"of oauth2 a header":                  {"auth oauth2 {\nheader authorization \"Bearer {token.access_token}\"\n}", []string{"header Authorization \"Zoho {token.access_token}\"", "header authorization \"Bearer {token.access_token}\""}},
		"of oauth2 the lifetime":              {"auth oauth2 {\nlifetime 1h\n}", []string{"lifetime 30m", "lifetime 1h"}},
		"of oauth2 where the API is":          {"auth oauth2 {\nbase_url {token.url}\n}", []string{"api https://{setting.region}.api.example.com/{setting.tenant}\n", "", "lifetime 30m", "lifetime 30m\n\tbase_url {token.url}"}},
		"of oauth2 where, and the api":        {"api https://a.example.com\nauth oauth2 {\nbase_url {token.url}\n}", []string{"api https://{setting.region}.api.example.com/{setting.tenant}\n", "api https://a.example.com\n", "lifetime 30m", "lifetime 30m\n\tbase_url {token.url}"}},
		"of oauth2 the grant":                 {"auth oauth2 {\ngrant refresh_token\nrefresh_token r\n}", []string{"client_secret {credential.token}", "grant refresh_token\n\trefresh_token r"}},
		"of oauth2 the grant, to what it is":  {"auth oauth2 {\ngrant client_credentials\n}", []string{"client_secret {credential.token}", "client_secret {credential.token}\n\tgrant client_credentials"}},
		"the way in":                          {"auth bearer {credential.token}", []string{sampler[strings.Index(sampler, "auth oauth2"):strings.Index(sampler, "lookup contact")], "auth bearer {credential.token}\n"}},
		"the way in, to a login of their own": {"auth login {\nrequest {\nGET /login\ntake token t\n}\nheader X {login.token}\n}", []string{sampler[strings.Index(sampler, "auth oauth2"):strings.Index(sampler, "lookup contact")], "auth login {\nrequest {\nGET /login\ntake token t\n}\nheader X {login.token}\n}\n"}},
		"a request, and with it what belongs": {
			"lookup contact {\nGET /find\nquery n {number.nsn}\n}",
			[]string{
				sampler[strings.Index(sampler, "\tPOST /contacts"):strings.Index(sampler, "\trecords data")], "\tGET /find\n\tquery n {number.nsn}\n",
				sampler[strings.Index(sampler, "\totherwise {"):strings.Index(sampler, "\tdetail")], "",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := laidOver(t, test.options)
			if err != nil {
				t.Fatal(err)
			}
			want := sampler
			for i := 0; i+1 < len(test.changes); i += 2 {
				if !strings.Contains(want, test.changes[i]) {
					t.Fatalf("the preset has no %q", test.changes[i])
				}
				at := strings.LastIndex(want, test.changes[i])
				want = want[:at] + test.changes[i+1] + want[at+len(test.changes[i]):]
			}
			expected := read(t, want)
			expected.Name = "sampler"
			if g, w := definitionOf(t, got), definitionOf(t, expected); !reflect.DeepEqual(g, w) {
				t.Errorf("it is\n%s\nwant\n%s", asText(t, g), asText(t, w))
			}
		})
	}
}

// definitionOf is what is asked, without where it was written.
func definitionOf(t *testing.T, c *REST) any {
	t.Helper()
	encoded, err := json.Marshal(struct {
		Definition crm.Definition
		Timeout    any
		Settings   map[string]string
	}{c.Definition, c.Timeout, c.Settings})
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func asText(t *testing.T, value any) string {
	t.Helper()
	encoded, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// A preset is shared by all who use it.
func TestLayingOverAPresetDoesNotChangeIt(t *testing.T) {
	withSampler(t, "sampler", sampler)
	loaded, _ := parsedPresets.Load("sampler")
	preset := loaded.(*REST)
	before := asText(t, definitionOf(t, preset))
	for _, options := range []string{
		"header X-Client a\nregion us\nauth oauth2 {\nscope all\nheader X a\nparam resource b\nbase_url {token.u}\n}",
		"lookup contact {\nquery fields c\nform mode x\nheader X-Scope y\nfollow company /o/{record.o}\nfield vip {record.g}\nmiss `body.x`\notherwise {\nGET /x/{number}\n}\n}\nlookup lead off",
	} {
		if _, err := laidOver(t, options); err != nil {
			t.Fatal(err)
		}
	}
	if after := asText(t, definitionOf(t, preset)); after != before {
		t.Errorf("the preset was\n%s\nand is\n%s", before, after)
	}
}

// What only the preset's api needs is not missed where the token says where
// the API is.
func TestSettingsThatNothingNeedsAreNotMissed(t *testing.T) {
	withSampler(t, "sampler", sampler)
	site := func(options string) string {
		return "crm-pop.example.com {\n\tscreen_pop {\n\t\torigins https://xuc.example.com\n\t\tregion FR\n\t\tcrm sampler https://crm.example.com {\n" + options + "\n\t\t}\n\t}\n}"
	}
	for name, test := range map[string]struct{ options, want string }{
		"all are given":                   {"token t\ntenant acme", ""},
		"the tenant is missed":            {"token t", "crm sampler: tenant: missing; the CRM wants it: write for example tenant <tenant>, at Caddyfile:5"},
		"the token is missed":             {"tenant acme", "crm sampler: token: missing; the CRM wants it: write for example token {env.TOKEN}, at Caddyfile:5"},
		"the api is given":                {"token t\napi https://x.example.com\nauth oauth2 {crm.url}/t", ""},
		"the token says it":               {"token t\nauth oauth2 {crm.url}/t {\nbase_url {token.instance_url}\n}", ""},
		"another way in needs no token":   {"tenant acme\nauth bearer {env.TOKEN}", ""},
		"another grant needs no secret":   {"tenant acme\nauth oauth2 {\ngrant refresh_token\nrefresh_token {env.R}\n}", ""},
		"a setting is not one of its own": {"token t\ntenant acme\ntenent x", "unrecognized subdirective 'tenent'; did you mean tenant?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adapt(site(test.options))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
}

func TestTheProtectionIsLaidOverOptionByOption(t *testing.T) {
	base := read(t, "protect {\n\tconcurrent 4\n\trate 5 1s\n}").Protect
	for options, want := range map[string]Protect{
		"":                             {Concurrent: 4, Rate: &Rate{5, 1e9}},
		"protect {\n\tconcurrent 2\n}": {Concurrent: 2, Rate: &Rate{5, 1e9}},
		"protect {\n\trate 50 1s\n}":   {Concurrent: 4, Rate: &Rate{50, 1e9}},
		"protect {\n\tbreaker off\n}":  {Concurrent: 4, Rate: &Rate{5, 1e9}, Breaker: &Breaker{Off: true}},
		"protect off":                  {Off: true},
	} {
		if got := overlayProtect(base, read(t, options).Protect); !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %+v", options, *got)
		}
	}
	if alone := read(t, "protect off").Protect; overlayProtect(nil, alone) != alone {
		t.Error("what only the user writes is lost")
	}
}
