package lookup

import (
	"errors"
	"slices"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// guestError is an error of a connector that is not the rest engine. It may
// repeat the request, so its text comes without numbers.
type guestError struct{ error }

func (g guestError) Error() string { return phone.MaskText(template.OneLine(g.error.Error())) }

func (g guestError) Unwrap() error { return g.error }

// loggable makes an error fit for the log. A [crm.Failure] is.
func loggable(err error) error {
	if _, ok := errors.AsType[*crm.Failure](err); ok || err == nil {
		return err
	}
	return guestError{err}
}

// verified keeps the records that are the caller's: the promise that no
// stranger's record opens does not rest on connectors.
func verified(records []crm.Record, query crm.Query) []crm.Record {
	isStrange := func(r crm.Record) bool { return !r.Unverified && !query.Matches(r.Phones) }
	if !slices.ContainsFunc(records, isStrange) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), isStrange) // the connector may keep what it returned
}

// distinct keeps each thing once, and leaves out a company that stands there
// only because one of its people does: it is that person who calls.
func distinct(records []crm.Record) []crm.Record {
	if len(records) < 2 {
		return records
	}
	var kept []crm.Record
	for _, record := range records {
		if !slices.ContainsFunc(kept, record.Same) {
			kept = append(kept, record)
		}
	}
	return slices.DeleteFunc(kept, func(company crm.Record) bool {
		return slices.ContainsFunc(kept, func(person crm.Record) bool { return isCompanyOf(company, person) })
	})
}

// isCompanyOf reports whether one record is the company that another belongs
// to. A company's own record has its own name as its company, or none.
func isCompanyOf(company, person crm.Record) bool {
	return company.Kind != person.Kind && company.Name != "" && company.Name != person.Name &&
		company.Name == person.Company && (company.Company == "" || company.Company == company.Name)
}
