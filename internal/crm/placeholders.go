package crm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// payloadNames are the members of the documented payload (XiVO 2024.05).
var payloadNames = map[string][]string{
	"":      {"user", "callee", "caller", "queue", "userData", "callDataCallId", "did"},
	"user":  {"userId", "agentId", "firstName", "lastName", "fullName"},
	"queue": {"id", "name", "displayName", "number"},
}

// AddCall declares {call.<gjson path>} and {call.did}.
func AddCall[T any](scope *template.Scope[T], call func(T) xucmgt.Call) {
	known := []string{"did", "caller", "callee", "callDataCallId", "userData.XIVO_DSTNUM", "userData.XIVO_SRCNUM"}
	for _, parent := range []string{"user", "queue"} {
		for _, name := range payloadNames[parent] {
			known = append(known, parent+"."+name)
		}
	}
	scope.AddFamily("call.", known, func(path string) (template.Placeholder[T], error) {
		if path == "did" {
			return template.Placeholder[T]{Get: func(v T) string { return call(v).DID() }}, nil
		}
		if err := checkCallPath(path); err != nil {
			return template.Placeholder[T]{}, err
		}
		return template.Placeholder[T]{Get: func(v T) string { return call(v).Get(path) }}, nil
	})
}

// checkCallPath refuses paths that find nothing in any payload. A name that is
// not documented may come with a later release; a near miss of one that is, is
// a typing error.
func checkCallPath(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	parent, rest, nested := strings.Cut(path, ".")
	if err := checkName(parent, "", payloadNames[""]); err != nil {
		return err
	}
	if !nested || len(payloadNames[parent]) == 0 {
		return nil
	}
	name, _, _ := strings.Cut(rest, ".")
	if parent == "user" && strings.EqualFold(name, "token") {
		return errors.New("the agent's token is a live credential and can't be used")
	}
	return checkName(name, parent+".", payloadNames[parent])
}

func checkName(name, prefix string, documented []string) error {
	if slices.Contains(documented, name) {
		return nil
	}
	if nearest := template.Nearest(name, documented); nearest != "" {
		return fmt.Errorf("the payload has no %s%s; did you mean {call.%s%s}?", prefix, name, prefix, nearest)
	}
	return nil
}

// AddNumber declares {number.<spelling>}.
func AddNumber[T any](scope *template.Scope[T], number func(T) phone.Number) {
	scope.AddFamily("number.", phone.SpellingNames(), func(name string) (template.Placeholder[T], error) {
		spelling, err := phone.ParseSpelling(name)
		if err != nil {
			if nearest := template.Nearest(name, phone.SpellingNames()); nearest != "" {
				err = fmt.Errorf("unknown spelling %q; did you mean {number.%s}?", name, nearest)
			}
			return template.Placeholder[T]{}, err
		}
		return template.Placeholder[T]{
			Kind: template.Spelled,
			Get:  func(v T) string { return spelling.Of(number(v)) },
		}, nil
	})
}

// values are what the placeholders of a definition stand for.
type values struct {
	query    Query
	spelling phone.Spelling
	filter   string
	// record is one record of an answer, and detail what was asked for it
	// afterwards.
	record, detail string
}

// scope returns the placeholders of every text of a definition.
func (c *compiler) scope() *template.Scope[values] {
	scope := template.NewScope[values](c.settings)
	AddCall(scope, func(v values) xucmgt.Call { return v.query.Call })
	AddNumber(scope, func(v values) phone.Number { return v.query.Number })
	scope.Add("crm.url", template.Placeholder[values]{Kind: template.Address, Get: func(values) string { return c.rest.profile.URL }})
	scope.Add("crm.name", template.Placeholder[values]{Get: func(values) string { return c.rest.profile.Name }})
	return scope
}

// requestScope adds what only a request has.
func (c *compiler) requestScope(filter bool) *template.Scope[values] {
	scope := c.scope()
	scope.Add("number", template.Placeholder[values]{
		Kind: template.Spelled,
		Get:  func(v values) string { return v.spelling.Of(v.query.Number) },
	})
	if filter {
		scope.Add("filter", template.Placeholder[values]{Kind: template.Composed, Get: func(v values) string { return v.filter }})
	}
	return scope
}

// recordScope adds what only a record of an answer has.
func (c *compiler) recordScope() *template.Scope[values] {
	scope := c.scope()
	addRecord(scope)
	return scope
}

// phonesScope has nothing but the record: a record is not the caller's because
// the caller's number was put into it.
func phonesScope() *template.Scope[values] {
	scope := template.NewScope[values](nil)
	addRecord(scope)
	return scope
}

func addRecord(scope *template.Scope[values]) {
	scope.AddFamily("record.", nil, func(path string) (template.Placeholder[values], error) {
		if err := CheckPath(path); err != nil {
			return template.Placeholder[values]{}, err
		}
		return template.Placeholder[values]{
			Kind: template.Address,
			Get:  func(v values) string { return text(find(v, path)) },
			List: func(v values) []string { return texts(find(v, path)) },
		}, nil
	})
}

// text is what a value says. null and false say nothing: some CRMs write false
// for a field that has no value. Nor do lists and objects, as a whole.
func text(found gjson.Result) string {
	if found.Type == gjson.False || found.IsObject() || found.IsArray() {
		return ""
	}
	return found.String()
}

// find looks in the detail first: it has more than the list's record.
func find(v values, path string) gjson.Result {
	if v.detail != "" {
		if found := gjson.Get(v.detail, path); found.Exists() && found.Type != gjson.Null {
			return found
		}
	}
	return gjson.Get(v.record, path)
}

func texts(found gjson.Result) []string {
	if !found.IsArray() {
		if said := text(found); said != "" {
			return []string{said}
		}
		return nil
	}
	var list []string
	for _, member := range found.Array() {
		list = append(list, texts(member)...)
	}
	return list
}
