// Package pane is the pages that the agent sees: in the pane beside the agent
// application, or in a window of their own. Whatever a page shows of a call and
// of a CRM is text; what it needs travels sealed inside its address.
package pane

import (
	"encoding/json"
	"unicode/utf8"
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

const (
	// maxRecords is how many records a chooser shows.
	maxRecords = 25
	// maxText is how much of a text is shown, in characters.
	maxText = 200
	// maxPhones and maxFields are how many of a record's are.
	maxPhones = 8
	maxFields = 12
	// maxCall is the longest call that an address carries, in bytes.
	maxCall = 8 << 10
	// maxAddress is the longest address of a record, in bytes: one that is cut is
	// another's.
	maxAddress = 2000
)

// bounded returns a visit that fits into an address, whatever the CRM and the
// caller wrote.
func (v Visit) bounded() Visit {
	v.Caller, v.Queue, v.CRM = cut(v.Caller), cut(v.Queue), cut(v.CRM)
	if len(v.Records) > maxRecords {
		v.More += len(v.Records) - maxRecords
		v.Records = v.Records[:maxRecords]
	}
	records := make([]Record, len(v.Records))
	for i, r := range v.Records {
		records[i] = r.bounded()
	}
	v.Records = records
	v.Search, v.Create = whole(v.Search), whole(v.Create)
	if len(v.Call) > maxCall {
		v.Call = nil
	}
	return v
}

func (r Record) bounded() Record {
	r.CRM, r.Kind, r.Name, r.Company, r.Email, r.Matched = cut(r.CRM), cut(r.Kind), cut(r.Name), cut(r.Company), cut(r.Email), cut(r.Matched)
	r.URL = whole(r.URL)
	var phones []string
	for _, text := range r.Phones[:min(len(r.Phones), maxPhones)] {
		phones = append(phones, cut(text))
	}
	r.Phones = phones
	var fields []Field
	for _, f := range r.Fields[:min(len(r.Fields), maxFields)] {
		fields = append(fields, Field{cut(f.Name), cut(f.Value)})
	}
	r.Fields = fields
	return r
}

// cut shortens a text.
func cut(text string) string {
	if utf8.RuneCountInString(text) <= maxText {
		return text
	}
	return string([]rune(text)[:maxText]) + "…"
}

// whole leaves an address out that is too long.
func whole(address string) string {
	if len(address) > maxAddress {
		return ""
	}
	return address
}
