package pop

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/expression"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// view is a call as matchers look at it. The document for expressions is made
// when the first one wants it.
type view struct {
	call     *xucmgt.Call
	document map[string]any
}

func (v *view) payload() map[string]any {
	if v.document == nil {
		payload := v.call.Payload()
		payload["did"] = v.call.DID()
		v.document = map[string]any{"call": payload}
	}
	return v.document
}

// match is a compiled [Match]: all conditions must hold.
type match []func(*view) bool

func (m match) holds(v *view) bool {
	for _, condition := range m {
		if !condition(v) {
			return false
		}
	}
	return true
}

func (m Match) compile(region phone.Region) (match, error) {
	var all match
	if len(m.Queue) > 0 {
		all = append(all, func(v *view) bool {
			return oneOf(m.Queue, v.call.Queue.Name) || oneOf(m.Queue, v.call.Queue.DisplayName)
		})
	}
	if len(m.Agent) > 0 {
		if err := checkAgents(m.Agent); err != nil {
			return nil, mistake.In("agent", err)
		}
		all = append(all, func(v *view) bool { return oneOf(m.Agent, v.call.User.AgentID) })
	}
	if m.Data != nil {
		if m.Data.Key == "" {
			return nil, mistake.In("data", errors.New("lacks its key; write for example: data USR_LEVEL gold"))
		}
		all = append(all, m.Data.holds)
	}
	for _, numbers := range []struct {
		option string
		globs  []string
		of     func(xucmgt.Call) string
	}{
		{"did", m.DID, xucmgt.Call.DID},
		{"caller", m.Caller, func(c xucmgt.Call) string { return c.Caller }},
	} {
		if len(numbers.globs) == 0 {
			continue
		}
		condition, err := globs(region, numbers.globs, numbers.of)
		if err != nil {
			return nil, mistake.In(numbers.option, err)
		}
		all = append(all, condition)
	}
	if m.Expression != "" {
		compiled, err := expression.Compile(m.Expression, "call")
		if err != nil {
			return nil, mistake.In("expression", err)
		}
		all = append(all, func(v *view) bool { return compiled.Holds(v.payload()) })
	}
	if len(all) == 0 {
		return nil, errors.New("has no condition; write one of queue, did, caller, agent, data, expression")
	}
	return all, nil
}

func oneOf(names []string, name string) bool { return name != "" && slices.Contains(names, name) }

func checkAgents(ids []string) error {
	for _, id := range ids {
		if id == "" || strings.Trim(id, "0123456789") != "" {
			return fmt.Errorf("%q is not an agent id; write the number that XiVO gave the agent", id)
		}
	}
	return nil
}

func (d *Data) holds(v *view) bool {
	value := v.call.UserData[d.Key]
	if len(d.Values) == 0 {
		return strings.TrimSpace(value) != ""
	}
	return oneOf(d.Values, value)
}

func globs(region phone.Region, texts []string, of func(xucmgt.Call) string) (func(*view) bool, error) {
	var patterns []phone.Pattern
	for _, text := range texts {
		pattern, err := phone.ParseGlob(text)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, pattern)
	}
	return func(v *view) bool {
		number := of(*v.call)
		return slices.ContainsFunc(patterns, func(p phone.Pattern) bool { return p.Match(region, number) })
	}, nil
}
