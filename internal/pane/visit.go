// Package pane is the pages that the agent sees: in the pane beside the agent
// application, or in a window of their own. Whatever a page shows of a call and
// of a CRM is text; what it needs travels sealed inside its address.
package pane

import (
	"encoding/json"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Page is one of the pages, by its name in addresses and in {pane.<name>}.
type Page string

// The pages.
const (
	// Chooser lets the agent pick one of several records.
	Chooser Page = "chooser"
	// Card shows one record.
	Card Page = "card"
	// Frame shows the CRM's own page, with a bar that has Done.
	Frame Page = "frame"
	// Unknown is for callers whom no CRM knows.
	Unknown Page = "unknown"
	// Waiting is for callers who could not be looked up in time.
	Waiting Page = "waiting"
)

// Pages lists every [Page].
func Pages() []Page { return []Page{Chooser, Card, Frame, Unknown, Waiting} }

// Visit is what the pages about one call need to know. It is sealed into their
// addresses, so its names are short.
type Visit struct {
	// Origin is where the agent application is, which is told when the agent has
	// finished. "" is any: the message is no secret.
	Origin string `json:"o,omitempty"`
	// Gateway is where the agent's browser reaches us.
	Gateway string `json:"g,omitempty"`
	// Number is the caller's, in E.164; "" if there is none.
	Number string `json:"n,omitempty"`
	// Caller is what was delivered, if it is no number.
	Caller string `json:"c,omitempty"`
	// Queue is the queue's name, as people call it.
	Queue string `json:"q,omitempty"`
	// Records are the matches.
	Records []Record `json:"r,omitempty"`
	// More counts the matches that are not among them.
	More int `json:"m,omitempty"`
	// CRM is the name of the CRM, and Search and Create are its pages.
	CRM    string `json:"crm,omitempty"`
	Search string `json:"s,omitempty"`
	Create string `json:"a,omitempty"`
	// Rule is the rule that counts for the call, and Call the call itself, to look
	// it up again.
	Rule string          `json:"w,omitempty"`
	Call json.RawMessage `json:"p,omitempty"`
}

// Record is one match, as far as pages show it.
type Record struct {
	CRM     string `json:"crm,omitempty"`
	Kind    string `json:"k,omitempty"`
	Name    string `json:"n,omitempty"`
	Company string `json:"c,omitempty"`
	Email   string `json:"e,omitempty"`
	// Matched is the number because of which it is here, as the CRM writes it.
	Matched string `json:"m,omitempty"`
	// Phones are its other numbers.
	Phones []string `json:"p,omitempty"`
	URL    string   `json:"u,omitempty"`
	// MayFrame is set if the agent application may frame its page.
	MayFrame bool    `json:"f,omitempty"`
	Fields   []Field `json:"x,omitempty"`
}

// Field is one of a connector's own.
type Field struct {
	Name  string `json:"n"`
	Value string `json:"v"`
}

// bounds are how much of what a CRM returned a page shows.
type bounds struct {
	records, phones, fields int
	// text is how long a text is, in characters, and address one of a web page,
	// in bytes.
	text, address int
}

// allBounds are tried in turn until a page is small enough.
var allBounds = []bounds{
	{records: 25, phones: 8, fields: 12, text: 200, address: 2000},
	{records: 25, phones: 4, fields: 8, text: 100, address: 1000},
	{records: 25, phones: 2, fields: 2, text: 60, address: 300},
	{records: 15, phones: 1, fields: 0, text: 40, address: 200},
	{records: 5, phones: 0, fields: 0, text: 40, address: 200},
}

const (
	// maxWeight is how much of a page is what a CRM and a caller wrote, in bytes of
	// HTML.
	maxWeight = 6000
	// maxFailed is how many CRMs that could not be asked are named.
	maxFailed = 10
	// maxCall is the longest call that an address carries, in bytes.
	maxCall = 4 << 10
)

// bounded returns a visit that fits into an address and into a page, whatever
// the CRM and the caller wrote.
func (v Visit) bounded() Visit {
	if len(v.Call) > maxCall {
		v.Call = nil
	}
	for _, most := range allBounds {
		fitting := v.within(most)
		if fitting.weight() <= maxWeight || most == allBounds[len(allBounds)-1] {
			return fitting
		}
	}
	return v
}

func (v Visit) within(most bounds) Visit {
	v.Caller, v.Queue, v.CRM = most.cut(v.Caller), most.cut(v.Queue), most.cut(v.CRM)
	v.Search, v.Create = most.page(v.Search), most.page(v.Create)
	kept := min(len(v.Records), most.records)
	v.More += len(v.Records) - kept
	records := make([]Record, kept)
	for i, r := range v.Records[:kept] {
		records[i] = r.within(most)
	}
	v.Records = records
	return v
}

func (r Record) within(most bounds) Record {
	for _, text := range []*string{&r.CRM, &r.Kind, &r.Name, &r.Company, &r.Email, &r.Matched} {
		*text = most.cut(*text)
	}
	r.URL = most.page(r.URL)
	phones := make([]string, min(len(r.Phones), most.phones))
	for i := range phones {
		phones[i] = most.cut(r.Phones[i])
	}
	fields := make([]Field, min(len(r.Fields), most.fields))
	for i := range fields {
		fields[i] = Field{most.cut(r.Fields[i].Name), most.cut(r.Fields[i].Value)}
	}
	r.Phones, r.Fields = phones, fields
	return r
}

// weight is how much of a page the visit's texts are.
func (v Visit) weight() int {
	texts := []string{v.Caller, v.Queue, v.CRM, v.Search, v.Create}
	for _, r := range v.Records {
		texts = append(texts, r.CRM, r.Kind, r.Name, r.Company, r.Email, r.Matched, r.URL)
		texts = append(texts, r.Phones...)
		for _, f := range r.Fields {
			texts = append(texts, f.Name, f.Value)
		}
	}
	sum := 0
	for _, text := range texts {
		sum += len(html.EscapeString(text))
	}
	return sum
}

// cut shortens a text, and makes one line of it that nothing reorders.
func (b bounds) cut(text string) string {
	// What is far too long is not read to its end: a caller is waiting.
	text = template.OneLine(strings.ToValidUTF8(text[:min(len(text), 2*utf8.UTFMax*b.text)], "\uFFFD"))
	if utf8.RuneCountInString(text) <= b.text {
		return text
	}
	return string([]rune(text)[:b.text-1]) + "…"
}

// shortened makes a few short texts of them.
func shortened(texts []string) []string {
	most := allBounds[len(allBounds)-1]
	var short []string
	for _, text := range texts[:min(len(texts), maxFailed)] {
		short = append(short, most.cut(text))
	}
	return short
}

// page leaves out what is no web page's address, or too long: one that is cut
// is another's.
func (b bounds) page(address string) string {
	if len(address) > b.address || !isWeb(address) {
		return ""
	}
	return address
}
