// Package credential gets the tokens and sessions with which a CRM lets us in,
// and keeps each one for all who ask.
package credential

import "time"

// Token is a CRM's answer to a log-in.
type Token struct {
	// Answer is the answer as a JSON object, to be read by gjson paths:
	// access_token, instance_url. It holds secrets.
	Answer string
	// Expiry is from when on the token is not to be used any more. The zero
	// time: it is used until the CRM refuses it.
	Expiry time.Time

	// serial tells the tokens of one Keeper apart; two may have equal answers.
	serial uint64
}

// String keeps the token out of whatever prints it.
func (Token) String() string { return "token(***)" }

// GoString keeps the token out of whatever prints it.
func (Token) GoString() string { return "token(***)" }

// expired goes by both clocks: the one that can be set, because a machine that
// slept has no other, and the one that can't, because setting a clock back must
// not prolong a token.
func (t Token) expired(now time.Time) bool {
	return !t.Expiry.IsZero() && (!now.Before(t.Expiry) || !now.Round(0).Before(t.Expiry))
}
