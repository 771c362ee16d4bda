package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// What only shows when a configuration loads names the line all the same.
func TestAnEmptySettingFailsAtLoadWithItsLine(t *testing.T) {
	t.Setenv("SCREENPOP_TEST_KEY", "no key")
	book := newPhonebook(t)
	g := serve(t, book.site(""))
	for name, test := range map[string]struct{ site, want string }{
		"a credential": {
			site: "screen_pop {\n\torigins " + agentOrigin + "\n\tregion FR\n\tcrm espocrm https://crm.example.com {\n\t\tapi_key {env.SCREENPOP_TEST_UNSET}\n\t}\n}",
			want: "crm espocrm: api_key: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:21",
		},
		"a file": {
			site: "screen_pop {\n\torigins " + agentOrigin + "\n\tregion FR\n\tcrm espocrm https://crm.example.com {\n\t\tapi_key {file./nonexistent/key}\n\t}\n}",
			want: "api_key: {file./nonexistent/key} is empty or can't be read; the file must exist and be readable by Caddy, at Caddyfile:21",
		},
		"the url": {
			site: "screen_pop {\n\torigins " + agentOrigin + "\n\tregion FR\n\tcrm espocrm {env.SCREENPOP_TEST_UNSET} {\n\t\tapi_key k\n\t}\n}",
			want: "url: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:20",
		},
		"a header": {
			site: strings.Replace(book.site(""), "name phonebook", "name phonebook\n\t\t\theader Authorization \"Bearer {env.SCREENPOP_TEST_UNSET}\"", 1),
			want: "header Authorization: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:23",
		},
		"a token": {
			site: unset(book, "auth bearer $"),
			want: "auth: bearer: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:23",
		},
		"a client's secret": {
			site: unset(book, "auth oauth2 {crm.url}/token {\nclient_id a\nclient_secret $\n}"),
			want: "auth: oauth2: client_secret: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:25",
		},
		"a key": {
			site: unset(book, "auth oauth2 {crm.url}/token {\ngrant jwt_bearer\nassertion {\nkey {file./nonexistent/key}\n}\n}"),
			want: "assertion: key: {file./nonexistent/key} is empty or can't be read; the file must exist and be readable by Caddy, at Caddyfile:26",
		},
		"a key that is none": {
			site: unset(book, "auth oauth2 {crm.url}/token {\ngrant jwt_bearer\nassertion {\nkey {env.SCREENPOP_TEST_KEY}\n}\n}"),
			want: "assertion: key: is no private key for RS256 in PEM without a passphrase (-----BEGIN PRIVATE KEY-----)",
		},
		"a field of a login": {
			site: unset(book, "auth login {\nrequest {\nPOST /login\nform a b\nform p $\ntake t t\n}\n}"),
			want: "auth: login: request 1: form p: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:27",
		},
		"what a login derives": {
			site: unset(book, "auth login {\nrequest {\nGET /login\ntake t t\n}\nderive k md5 {login.t}$\n}"),
			want: "auth: login: derive k: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:28",
		},
		"a signature": {
			site: unset(book, "auth sign {\nderive m hmac-sha256 $ x\nheader X {sign.m}\n}"),
			want: "auth: sign: derive m: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:24",
		},
		"the api": {
			site: unset(book, "api $"),
			want: "api: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:23",
		},
		"a setting": {
			site: unset(book, "setting tenant $"),
			want: "tenant: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:23",
		},
		"a follow": {
			site: strings.Replace(book.site(""), "records items", "records items\n\t\t\tfollow company {\nGET /companies/{record.id}\nheader X {env.SCREENPOP_TEST_UNSET}\n}", 1),
			want: "lookup contact: follow company: header X: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:29",
		},
		"a second search": {
			site: strings.Replace(book.site(""), "records items", "records items\n\t\t\totherwise {\nGET /scan/{number}\nquery k {env.SCREENPOP_TEST_UNSET}\n}", 1),
			want: "lookup contact: otherwise: query k: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:29",
		},
		"origins": {
			site: strings.Replace(book.site(""), "origins "+agentOrigin, "origins {env.SCREENPOP_TEST_UNSET}", 1),
			want: "origins: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:18",
		},
		"a transport": {
			site: strings.Replace(book.site(""), "name phonebook", "name phonebook\n\t\t\ttransport http {\n\t\t\t\ttls_trust_pool file /nonexistent.pem\n\t\t\t}", 1),
			want: "no such file or directory, at Caddyfile:23",
		},
		"a title": {
			site: book.site("on one popup {contact.url} {\n\t\ttitle {env.SCREENPOP_TEST_UNSET}\n\t}"),
			want: "on one: title: {env.SCREENPOP_TEST_UNSET} is empty; set the environment variable SCREENPOP_TEST_UNSET for Caddy, at Caddyfile:35",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := g.load(test.site)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error:\n%v\nwant:\n%s", err, test.want)
			}
			g.ring("0427466347").want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`)
		})
	}
}

func TestSettingsAreResolvedWhenTheConfigurationLoads(t *testing.T) {
	book := newPhonebook(t)
	t.Setenv("SCREENPOP_TEST_ORIGIN", agentOrigin)
	t.Setenv("SCREENPOP_TEST_CRM", book.URL+"/")
	t.Setenv("SCREENPOP_TEST_TOKEN", "braces {call.caller} stay text")
	site := strings.Replace(book.site(""), "origins "+agentOrigin, "origins {env.SCREENPOP_TEST_ORIGIN}", 1)
	site = strings.Replace(site, "crm rest "+book.URL, "crm rest {env.SCREENPOP_TEST_CRM}", 1)
	site = strings.Replace(site, "name phonebook", "name phonebook\n\t\t\theader Authorization \"Bearer {env.SCREENPOP_TEST_TOKEN}\"", 1)
	g := serve(t, site)
	if got := g.ring("0427466347"); got.field("action") != "popup" || got.header.Get("Access-Control-Allow-Origin") != agentOrigin {
		t.Errorf("answered %s", got.body)
	}
	if got := book.requests()[0].Header.Get("Authorization"); got != "Bearer braces {call.caller} stay text" {
		t.Errorf("the CRM got %q", got)
	}
}

func TestAReloadWithAMistakeKeepsTheOldConfigurationServing(t *testing.T) {
	book := newPhonebook(t)
	g := serve(t, book.site(""))
	good := `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`
	for range 3 {
		if err := g.load(book.site("on one opne {contact.url}")); err == nil {
			t.Fatal("a mistake was loaded")
		}
		if err := g.load(strings.Replace(book.site(""), "name phonebook", "name phonebook\n\t\t\theader X {env.SCREENPOP_TEST_UNSET}", 1)); err == nil {
			t.Fatal("an empty setting was loaded")
		}
		g.ring("0427466347").want(t, http.StatusOK, good)
	}
	if err := g.load(book.site("on one open {contact.url}\n\tpane {\n\t\tframed https://crm.example.com\n\t}")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	g.ring("0427466347").want(t, http.StatusOK, strings.Replace(good, "popup", "open", 1))
}

func TestTheDirectiveNeedsNoOrderAndComposes(t *testing.T) {
	directive := strings.TrimSuffix(newPhonebook(t).site(""), "\n\trespond \"not ours\" 404")
	for name, site := range map[string]string{
		"above a fallback":   directive + "\n\trespond \"not ours\" 404",
		"below a fallback":   "\trespond \"not ours\" 404\n" + directive,
		"inside handle":      "\thandle {\n" + directive + "\n\t}\n\thandle /other {\n\t\trespond \"not ours\" 404\n\t}",
		"inside route":       "\troute {\n" + directive + "\n\trespond \"not ours\" 404\n\t}",
		"behind a matcher":   strings.Replace(directive, "screen_pop {", "screen_pop / {", 1) + "\n\trespond \"not ours\" 404",
		"with encode":        "\tencode\n" + directive + "\n\trespond \"not ours\" 404",
		"inside handle_path": "\thandle_path /x/* {\n" + directive + "\n\t}\n" + directive + "\n\trespond \"not ours\" 404",
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, site)
			g.ring("0427466347").want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`)
			g.request(http.MethodGet, "/other", "", nil).want(t, http.StatusNotFound, "not ours")
		})
	}
}

func TestTheEndpointIsWhereCallsAreAnswered(t *testing.T) {
	g := serve(t, newPhonebook(t).site("endpoint /xivo/pop"))
	header := http.Header{"Content-Type": {"application/json"}, "Origin": {agentOrigin}}
	if got := g.request(http.MethodPost, "/xivo/pop", payload(nil), header); got.field("action") != "popup" {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	for _, path := range []string{"/", "/xivo", "/xivo/pop/", "/xivo/pop2"} {
		g.request(http.MethodPost, path, payload(nil), header).want(t, http.StatusNotFound, "not ours")
	}
}

// unset is the phonebook's site with an option in which a variable of the
// environment is not set.
func unset(book *phonebook, option string) string {
	option = strings.ReplaceAll(option, "$", "{env.SCREENPOP_TEST_UNSET}")
	return strings.Replace(book.site(""), "name phonebook", "name phonebook\n\t\t\t"+option, 1)
}
