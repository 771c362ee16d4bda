package crm

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

func TestARefusalSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		refusal protect.Refusal
		want    string
	}{
		{
			protect.Refusal{Why: protect.Failing, Count: 5, Wait: 1900 * time.Millisecond, Last: &protect.StatusError{Status: 502}},
			"not asked: the CRM failed 5 times in a row and is left alone for 2s; the last time: 502 Bad Gateway; the CRM itself failed: see its own log",
		},
		{
			protect.Refusal{Why: protect.Failing, Count: 5, Last: &ConnectError{"connection refused"}},
			"not asked: the CRM failed 5 times in a row and is being tried again; the last time: can't connect to https://crm.example.com (connection refused); is the url right and the CRM running?",
		},
		{
			protect.Refusal{Why: protect.Failing, Count: 5, Wait: 140 * time.Millisecond, Last: &tooSlow{2 * time.Second}},
			"is left alone for 200ms; the last time: no answer within 2s (timeout); the CRM is slow or hangs",
		},
		{
			protect.Refusal{Why: protect.Limited, Wait: 12 * time.Second},
			"not asked: the CRM limits how often it may be asked, and wants to be left alone for another 12s",
		},
		{
			protect.Refusal{Why: protect.TooFast, Count: 10, Per: time.Second},
			"not asked: more than 10 requests in 1s, and the next turn would come too late (protect rate)",
		},
		{
			protect.Refusal{Why: protect.QueueFull, Count: 200},
			"not asked: 200 requests wait already (protect queue); the CRM is slow, or concurrent too low",
		},
		{
			protect.Refusal{Why: protect.Crowded, Count: 16},
			"not asked: 16 requests at once left no place in time (protect concurrent); the CRM is slow, or concurrent too low",
		},
		{
			protect.Refusal{Why: protect.TooLate, Left: 80*time.Millisecond + 1, Quickest: 420 * time.Millisecond},
			"not asked: 80ms of the lookup's time are left, and the CRM has not answered in less than 420ms of late",
		},
	} {
		d, options := withSecret("https://crm.example.com")
		options.Transport = brokenTransport{&test.refusal}
		text := failure(t, compiled(t, d, options).Search(t.Context(), question(t, callersNumber)))
		hears(t, text, "crm legacy: lookup contact: ", test.want)
		leaksNothing(t, text)
	}
}

// What was wrong the last time may repeat the request.
func TestARefusalRepeatsNeitherNumberNorCredential(t *testing.T) {
	d, options := withSecret("https://crm.example.com")
	last := errors.New("no luck with q=+33427466347 and key " + secret)
	options.Transport = brokenTransport{&protect.Refusal{Why: protect.Failing, Count: 5, Last: last}}
	rest := compiled(t, d, options)
	text := failure(t, rest.Search(t.Context(), question(t, callersNumber)))
	hears(t, text, "the last time: the exchange with https://crm.example.com broke off (no luck with ")
	leaksNothing(t, text)
	leaksNothing(t, rest.Explain(&protect.Refusal{Last: last}).Error())
}

// Some CRMs say "not found" with a status that is another's failure.
func TestAMissIsNoFailureOfTheCRM(t *testing.T) {
	for name, test := range map[string]struct {
		miss   *Condition
		breaks bool
	}{
		"a status":                     {&Condition{Status: []int{404, 500}}, false},
		"an expression about statuses": {&Condition{Expression: "status == 500"}, false},
		"another status":               {&Condition{Status: []int{404}}, true},
		"an expression about bodies":   {&Condition{Expression: "body.code == 7"}, true},
		"nothing":                      {nil, true},
	} {
		crm := serve(t, answering(500, `{"code":7}`))
		state := protect.New(protect.Options{Failures: 1})
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		rest := compiled(t, contacts(crm.URL, func(l *Lookup) { l.Miss = test.miss }), Options{Transport: state.Transport(transport, MaxAnswer)})
		result := rest.Search(t.Context(), question(t, callersNumber))
		if broken := state.Status().Breaker == "open"; broken != test.breaks || broken != (result.Err != nil) {
			t.Errorf("%s: left alone: %t, %v", name, broken, result.Err)
		}
	}
}

// Log-ins have a back-off of their own, and none of them is made twice.
func TestALoginGoesAroundTheProtection(t *testing.T) {
	for name, auth := range map[string]Auth{
		"log-in": {Login: &Login{Steps: []Step{step(LoginRequest{
			Ask:  Ask{Method: http.MethodPost, Path: "/login"},
			Take: []Take{{Name: "key", Path: "key"}},
		})}, Token: Token{Headers: []Param{{"X-Key", "{login.key}"}}}}},
		"token": {OAuth2: &OAuth2{URL: "{crm.url}/token", ClientID: "screenpop", ClientSecret: "{env.PASSWORD}"}},
	} {
		crm := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		state := protect.New(protect.Options{Failures: 1})
		transport := &http.Transport{DisableKeepAlives: true}
		options, _ := withEnv()
		options.Transport = state.Transport(transport, MaxAnswer)
		rest := compiled(t, withAuth(crm.URL, auth), options)
		text := failure(t, rest.Search(t.Context(), question(t, callersNumber)))
		rest.Close()
		hears(t, text, "no session or token")
		if asked := len(crm.asked()); asked != 1 || state.Status().Breaker != "closed" {
			t.Errorf("%s: asked %d times, and the breaker is %s", name, asked, state.Status().Breaker)
		}
	}
}

// slowTransport answers after a time, and notes what was asked.
type slowTransport struct {
	takes  time.Duration
	answer answeredTransport
	asked  []string
}

func (s *slowTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r.URL.RequestURI())
	select {
	case <-time.After(s.takes):
		return s.answer.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func TestALaterStepThatCanNotFinishIsNotStarted(t *testing.T) {
	detailed := func(l *Lookup) { l.Detail = &Detail{Ask: Ask{Path: "/contacts/{record.id}"}} }
	for name, test := range map[string]struct {
		change func(*Lookup)
		body   string
	}{
		"the next spelling": {func(l *Lookup) { l.Query = []Param{{"q", "{number}"}} }, `[]`},
		"the second search": {withSecond(), `[]`},
		"the whole record":  {detailed, `[{"id":"8"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &slowTransport{takes: 300 * time.Millisecond, answer: answeredTransport{test.body}}
				rest := compiled(t, contacts("https://crm.example.com", test.change), Options{Transport: protect.New(protect.Options{}).Transport(slow, MaxAnswer)})
				query := question(t, callersNumber)
				for range 40 { // now it is known how quick the CRM is
					_ = rest.Search(t.Context(), query)
				}
				slow.asked = nil
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				hears(t, failure(t, rest.Search(ctx, query)), "not asked: 200ms of the lookup's time are left", "not answered in less than 300ms")
				if len(slow.asked) != 1 {
					t.Errorf("asked %q", slow.asked)
				}
			})
		})
	}
}
