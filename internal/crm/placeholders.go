package crm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	addCall(scope, call, func(string) {})
}

// addCall does so, and notes each path that a text uses.
func addCall[T any](scope *template.Scope[T], call func(T) xucmgt.Call, note func(path string)) {
	known := []string{"did", "caller", "callee", "callDataCallId", "userData.XIVO_DSTNUM", "userData.XIVO_SRCNUM"}
	for _, parent := range []string{"user", "queue"} {
		for _, name := range payloadNames[parent] {
			known = append(known, parent+"."+name)
		}
	}
	scope.AddFamily("call.", known, func(path string) (template.Placeholder[T], error) {
		if path != "did" {
			if err := checkCallPath(path); err != nil {
				return template.Placeholder[T]{}, err
			}
		}
		note(path)
		return template.Placeholder[T]{Get: func(v T) string { return callValue(call(v), path) }}, nil
	})
}

// callValue is what {call.<path>} stands for.
func callValue(call xucmgt.Call, path string) string {
	if path == "did" {
		return call.DID()
	}
	return call.Get(path)
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
	// lookup is the kind of record that is looked for.
	lookup   string
	query    *Query // never nil, never changed
	spelling phone.Spelling
	filter   string
	// each is one of the texts of a search's each, and eachOf where it came from.
	each   string
	eachOf *text
	// limit is how many records are wanted.
	limit int
	// access is what the CRM gave for credentials, as JSON.
	access string
	// signed is the request that is being signed, and what was derived from it.
	signed *signed
	// record is one record of an answer, and detail what was asked for it
	// afterwards.
	record, detail string
	// id is the record's, as mapped.
	id string
	// follows are the answers of requests about the record, by name.
	follows map[string]string
}

// ofNobody are the values of a request that is for no call.
func ofNobody() values { return values{query: &nobody} }

var nobody Query

// callPlaceholders are those that make a request depend on the call; of a name
// that ends with a dot, all that begin with it.
var callPlaceholders = []string{"call.", "number", "number.", "filter"}

// addressScope has what the address of an API can hold.
func (c *compiler) addressScope() *template.Scope[values] {
	scope := template.NewScope[values](c.settings)
	scope.Add("crm.url", template.Placeholder[values]{Kind: template.Address, Get: func(values) string { return c.rest.profile.URL }})
	return scope
}

// scope returns the placeholders of every text that an answer depends on. What
// they take from the call is noted.
func (c *compiler) scope() *template.Scope[values] {
	return c.scopeNoting(func(path string) { c.rest.callData.add(path) })
}

// linkScope has the same placeholders, for pages that no answer depends on.
func (c *compiler) linkScope() *template.Scope[values] { return c.scopeNoting(func(string) {}) }

func (c *compiler) scopeNoting(note func(path string)) *template.Scope[values] {
	scope := c.addressScope()
	addCall(scope, func(v values) xucmgt.Call { return v.query.Call }, note)
	AddNumber(scope, func(v values) phone.Number { return v.query.Number })
	scope.Add("crm.name", template.Placeholder[values]{Get: func(values) string { return c.rest.profile.Name }})
	return scope
}

// requestScope adds what the CRM gave for credentials. Only requests may hold
// it: in the address of a page it would be seen.
func (c *compiler) requestScope() *template.Scope[values] {
	scope := c.scope()
	c.addAccess(scope)
	return scope
}

// searchPlaceholders are those that not every search has.
type searchPlaceholders struct{ filter, each, limit bool }

// searchScope adds what only a search has.
func (c *compiler) searchScope(available searchPlaceholders) *template.Scope[values] {
	scope := c.requestScope()
	scope.Add("number", template.Placeholder[values]{
		Kind: template.Spelled,
		Get:  func(v values) string { return v.spelling.Of(v.query.Number) },
	})
	if available.limit {
		scope.Add("limit", template.Placeholder[values]{
			Get:  func(v values) string { return strconv.Itoa(v.limit) },
			JSON: func(v values) string { return strconv.Itoa(v.limit) },
		})
	}
	if available.filter {
		scope.Add("filter", template.Placeholder[values]{Kind: template.Composed, Get: func(v values) string { return v.filter }})
	}
	if available.each {
		// Words of the administrator and numbers: they may be anything, as literals are.
		scope.Add("each", template.Placeholder[values]{Kind: template.Composed, Get: func(v values) string { return v.each }})
	}
	return scope
}

// eachScope is for the texts of each: the administrator's own words, and the
// number.
func (c *compiler) eachScope() *template.Scope[values] {
	scope := template.NewScope[values](c.settings)
	AddNumber(scope, func(v values) phone.Number { return v.query.Number })
	return scope
}

// aboutScope is for requests about one record that a search found.
func (c *compiler) aboutScope(available searchPlaceholders) *template.Scope[values] {
	scope := c.searchScope(available)
	addRecord(scope)
	scope.Add("contact.id", template.Placeholder[values]{Get: func(v values) string { return v.id }})
	return scope
}

// mappingScope is for reading a record.
func (c *compiler) mappingScope(follows []follow) *template.Scope[values] {
	scope := c.scope()
	addRecord(scope)
	var known []string
	for _, f := range follows {
		known = append(known, f.name)
	}
	scope.AddFamily("follow.", known, func(rest string) (template.Placeholder[values], error) {
		name, path, _ := strings.Cut(rest, ".")
		if !slices.Contains(known, name) {
			return template.Placeholder[values]{}, unknownFollow(name, known)
		}
		if err := CheckPath(path); err != nil {
			return template.Placeholder[values]{}, err
		}
		return fromAnswer(func(v values) gjson.Result { return gjson.Get(v.follows[name], path) }), nil
	})
	return scope
}

func unknownFollow(name string, known []string) error {
	if nearest := template.Nearest(name, known); nearest != "" {
		return fmt.Errorf("there is no follow %s; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("there is no follow %s in this lookup; write follow %s <path>", name, name)
}

// fromAnswer is a placeholder for what stands somewhere in an answer.
func fromAnswer(find func(values) gjson.Result) template.Placeholder[values] {
	return template.Placeholder[values]{
		Kind: template.Address,
		Get:  func(v values) string { return said(find(v)) },
		List: func(v values) []string { return texts(find(v)) },
		JSON: func(v values) string { return find(v).Raw },
	}
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
		return fromAnswer(func(v values) gjson.Result { return find(v, path) }), nil
	})
}

// said is what a value says. null and false say nothing: some CRMs write false
// for a field that has no value. Nor do lists and objects, as a whole.
func said(found gjson.Result) string {
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
		if text := said(found); text != "" {
			return []string{text}
		}
		return nil
	}
	var list []string
	for _, member := range found.Array() {
		list = append(list, texts(member)...)
	}
	return list
}
