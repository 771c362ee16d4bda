package crm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// session opens sessions as a [Login] says.
type session struct {
	crm      *REST
	steps    []loginStep
	lifetime time.Duration
}

// open runs the steps. The token's answer has what they took and derived.
func (s *session) open(ctx context.Context) (credential.Token, error) {
	opened := time.Now()
	taken := map[string]json.RawMessage{}
	for _, step := range s.steps {
		access, err := json.Marshal(taken)
		if err != nil {
			return credential.Token{}, err
		}
		v := ofNobody()
		v.access = string(access)
		if err := s.run(ctx, step, v, taken); err != nil {
			return credential.Token{}, err
		}
	}
	access, err := json.Marshal(taken)
	token := credential.Token{Answer: string(access)}
	if s.lifetime > 0 {
		token.Expiry = opened.Add(s.lifetime)
	}
	return token, err
}

// run does one step and adds what it took.
func (s *session) run(ctx context.Context, step loginStep, v values, taken map[string]json.RawMessage) error {
	if step.derive != nil {
		derived, err := step.derive.of(v)
		if err != nil {
			return &refused{fmt.Errorf("login: derive %s: %w", step.derive.name, err)}
		}
		taken[step.derive.name], err = json.Marshal(derived)
		s.keepSecret(taken)
		return err
	}
	x, err := s.crm.attempt(protect.Exempt(ctx), step.ask, v, s.crm.api, nil)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return failf("%s", s.crm.describe(err))
	}
	if err := step.check(x); err != nil {
		return err
	}
	for _, t := range step.take {
		value, err := x.take(t)
		if err != nil {
			return err
		}
		taken[t.Name] = value
	}
	s.keepSecret(taken)
	return nil
}

// keepSecret hides what the steps so far brought in the errors of the next.
func (s *session) keepSecret(taken map[string]json.RawMessage) {
	if access, err := json.Marshal(taken); err == nil {
		s.crm.secrets.give(string(access))
	}
}

// check tells a session that was opened from one that was refused.
func (l loginStep) check(x *exchange) error {
	if !l.readsBody() && x.status >= 200 && x.status <= 299 && !slices.Contains(l.fail.statuses, x.status) {
		return nil // whatever the body is
	}
	err := x.check(l.fail)
	if err == nil {
		return nil
	}
	if x.status == http.StatusBadRequest || x.status == http.StatusUnauthorized || x.status == http.StatusForbidden || x.status < 300 && l.fail.holds(x) {
		return &credential.Rejected{Status: x.status, Description: x.reason()}
	}
	if seconds, wrong := strconv.Atoi(x.header.Get("Retry-After")); wrong == nil && seconds > 0 {
		return &credential.Later{After: time.Duration(seconds) * time.Second, Err: err}
	}
	return err
}

// readsBody reports whether the answer's body says anything that is wanted.
func (l loginStep) readsBody() bool {
	return l.fail.expression != nil || slices.ContainsFunc(l.take, func(t Take) bool { return t.Path != "" })
}

// take takes a value out of an answer.
func (x *exchange) take(t Take) (json.RawMessage, error) {
	switch {
	case t.Header != "":
		return x.taken(t.Name, x.header.Get(t.Header))
	case t.Cookie != "":
		response := http.Response{Header: x.header}
		for _, cookie := range response.Cookies() {
			if cookie.Name == t.Cookie {
				return x.taken(t.Name, cookie.Value)
			}
		}
		return x.taken(t.Name, "")
	}
	found := gjson.Get(x.body, t.Path)
	if !found.Exists() || found.Type == gjson.Null || found.Type == gjson.False || found.Raw == `""` {
		return x.taken(t.Name, "")
	}
	return json.RawMessage(found.Raw), nil
}

const notTaken = "it does not accept the credentials, or take names another place than where it stands"

// taken is a value that was found, or the error that it was not: a CRM that
// gives no session has not accepted the credentials.
func (x *exchange) taken(name, value string) (json.RawMessage, error) {
	if value == "" {
		return nil, &credential.Rejected{Status: x.status, Description: fmt.Sprintf("the answer has nothing to take as %s%s", name, behind(": ", x.reason())), Advice: notTaken}
	}
	return json.Marshal(value)
}
