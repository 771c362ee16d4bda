package pop

import (
	"errors"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

const payload = `{
	"user": {"userId": 54, "agentId": 29, "fullName": "James Bond", "token": "s3cret"},
	"callee": "1000", "caller": "0427466347",
	"userData": {"XIVO_DSTNUM": "0123053012", "USR_LEVEL": "gold", "USR_AGE": "42", "USR_BLANK": " ", "COUNT": 7},
	"queue": {"id": 2, "name": "bluesky", "displayName": "Blue sky", "number": "3001"}
}`

func region(t *testing.T) phone.Region {
	t.Helper()
	r, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func call(t *testing.T, body string) xucmgt.Call {
	t.Helper()
	c, err := xucmgt.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func siteOptions(t *testing.T) Options {
	t.Helper()
	return Options{
		Profiles: []crm.Profile{{Name: "espo", Fields: []string{"vip"}}, {Name: "legacy", Fields: []string{"branch"}}},
		Region:   region(t),
		Settings: map[string]func(string) (string, error){
			"env.": func(string) (string, error) { return "https://set.example", nil },
		},
	}
}

// rosa is the record that the tests find.
var rosa = crm.Record{
	Kind: "contact", ID: "7", Name: "Rosa Marín", Company: "ACME", Email: "rosa@acme.example",
	URL: "https://crm.example/c/7", Fields: map[string]string{"vip": "yes"},
}

// situation is the call with an outcome and what belongs to it.
func situation(t *testing.T, outcome Outcome) Situation {
	t.Helper()
	s := Situation{
		Call: call(t, payload), Outcome: outcome, CRM: crm.Profile{Name: "espo", URL: "https://crm.example"},
		Links: crm.Links{Search: "https://crm.example/search?q=04", Create: "https://crm.example/new"},
	}
	var err error
	if s.Number, err = region(t).Parse(s.Call.Caller); err != nil {
		t.Fatal(err)
	}
	s.Records = map[Outcome][]crm.Record{One: {rosa}, Many: {rosa, {Name: "Camille"}, {Name: "Lou"}}}[outcome]
	return s
}

func rules(t *testing.T, definition Definition) *Rules {
	t.Helper()
	compiled, err := Compile(definition, siteOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// answered is the answer of a definition's rule for the call, as it is sent.
func answered(t *testing.T, definition Definition, s Situation) (string, error) {
	t.Helper()
	answer, failed := rules(t, definition).For(&s.Call).Answer(&s)
	text, err := answer.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), failed
}

// expect checks the answer to an outcome.
func expect(t *testing.T, definition Definition, outcome Outcome, want string) {
	t.Helper()
	if got, err := answered(t, definition, situation(t, outcome)); got != want || err != nil {
		t.Errorf("on %s\n got %s, %v\nwant %s", outcome, got, err, want)
	}
}

// refuse checks what is wrong with a definition, and that it says where.
func refuse(t *testing.T, definition Definition, want string) {
	t.Helper()
	_, err := Compile(definition, siteOptions(t))
	var found *mistake.Mistake
	if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &found) {
		t.Errorf("err = %v\nwant %s", err, want)
	}
}

func on(outcome Outcome, response Response) Definition {
	return Definition{On: map[Outcome]Response{outcome: response}}
}

// also makes a definition with one rule for every call over another one.
func (d Definition) also(outcome Outcome, response Response) Definition {
	d.When = []When{{Match: Match{Expression: "true"}, On: map[Outcome]Response{outcome: response}}}
	return d
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }
