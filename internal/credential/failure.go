package credential

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrClosed is what is returned by a Keeper that was closed and holds no token.
var ErrClosed = errors.New("no token: this configuration has ended")

// Rejected says that the CRM does not accept the credentials. It will not
// accept them a second later either, and may lock the account: a Keeper lets
// pass much time before it tries again.
type Rejected struct {
	// Status is the HTTP status of the answer.
	Status int
	// Code is what kind of mistake the CRM says it is: "invalid_client". It may be "".
	Code string
	// Description is what the CRM says about it, as one short line without
	// secrets. It may be "".
	Description string

	// Advice says what to mend. Default: that the credentials are not accepted.
	Advice string
}

func (r *Rejected) Error() string {
	text := "the CRM gives no token: "
	if r.Status != 0 {
		text += fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))
	}
	text += behind(": ", r.Code) + behind(": ", r.Description)
	if r.Advice == "" {
		return text + "; it does not accept the credentials"
	}
	return text + "; " + r.Advice
}

// Later is a failure that says when to try again, as of a CRM that limits how
// often it may be asked.
type Later struct {
	// After is how long not to try again. A Keeper obeys up to an hour.
	After time.Duration
	// Err is what failed.
	Err error
}

func (l *Later) Error() string {
	return fmt.Sprintf("%s; it says to wait for %s", l.Err, l.After.Round(time.Second))
}

// Unwrap returns what failed.
func (l *Later) Unwrap() error { return l.Err }

// Unsaved comes together with a token that is good: the refresh token that
// came with it is only in memory.
type Unsaved struct {
	// Err is why it could not be saved.
	Err error
}

func (u *Unsaved) Error() string {
	return fmt.Sprintf("the CRM gave a new refresh token, and it could not be saved (%v); "+
		"it goes on in memory, but if the program ends before it can be saved, a new refresh token must be got and configured", u.Err)
}

// Unwrap returns why it could not be saved.
func (u *Unsaved) Unwrap() error { return u.Err }

// behind puts a separator in front of a text that is there.
func behind(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
