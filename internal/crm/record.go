package crm

import "slices"

// Record is one thing that a CRM keeps under the caller's number.
type Record struct {
	// CRM is the name of the CRM that it came from.
	CRM string
	// Kind is the lookup that found it: contact, account, lead, ...
	Kind    string
	ID      string
	Name    string
	Company string
	Email   string
	// Phones are all the numbers that the record has, as the CRM writes them.
	Phones []string
	// URL is the record's page in the CRM; "" when it has none.
	URL string
	// Fields are the connector's own, by name.
	Fields map[string]string
	// Unverified records were returned by a lookup that is configured to trust
	// the CRM's search; the program could not check their numbers.
	Unverified bool
}

// fixedFields are the names that {contact.*} has whatever the connector.
var fixedFields = []string{"kind", "id", "name", "company", "email", "url"}

// FieldNames returns the names that {contact.*} has for records of a CRM.
func FieldNames(profiles ...Profile) []string {
	names := slices.Clone(fixedFields)
	for _, profile := range profiles {
		for _, field := range profile.Fields {
			if !slices.Contains(names, field) {
				names = append(names, field)
			}
		}
	}
	return names
}

// Field returns a field by its name in {contact.<name>}, or "".
func (r Record) Field(name string) string {
	switch name {
	case "kind":
		return r.Kind
	case "id":
		return r.ID
	case "name":
		return r.Name
	case "company":
		return r.Company
	case "email":
		return r.Email
	case "url":
		return r.URL
	default:
		return r.Fields[name]
	}
}

// Same reports whether two records are the same thing in the same CRM.
func (r Record) Same(other Record) bool {
	return r.ID != "" && r.ID == other.ID && r.Kind == other.Kind && r.CRM == other.CRM
}
