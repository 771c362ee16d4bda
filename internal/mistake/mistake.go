// Package mistake says where in a configuration something is wrong, so that
// whoever has the file can point at the line.
package mistake

import (
	"errors"
	"strings"
)

// Mistake is something wrong with an option.
type Mistake struct {
	// Where is the way to the option from the outside in: the blocks it stands
	// in and its own name, as in a Caddyfile: "crm rest", "lookup contact", "url".
	Where []string
	// Err says what is wrong, and what would be right.
	Err error
}

func (m *Mistake) Error() string { return strings.Join(m.Where, ": ") + ": " + m.Err.Error() }

// Unwrap returns what is wrong.
func (m *Mistake) Unwrap() error { return m.Err }

// In says that an error is about an option, or about something in a block of
// that name. It returns nil for nil.
func In(option string, err error) error {
	if err == nil {
		return nil
	}
	if inner, ok := errors.AsType[*Mistake](err); ok {
		return &Mistake{Where: append([]string{option}, inner.Where...), Err: inner.Err}
	}
	return &Mistake{Where: []string{option}, Err: err}
}
