package protect

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Why a request was not made.
type Why int

const (
	// Failing is a CRM that failed again and again and is left alone for a while.
	Failing Why = iota
	// Limited is a CRM that said that it was asked too often.
	Limited
	// TooFast is more requests than the configured rate.
	TooFast
	// QueueFull is more requests that wait than may.
	QueueFull
	// Crowded is a request whose time was over before its turn came.
	Crowded
	// TooLate is a request that could not be answered in the time that is left.
	TooLate
)

// Refusal is why the CRM was not asked.
type Refusal struct {
	Why Why
	// Count is how many it was: failures in a row, requests at once, in the queue,
	// or in each time of Per.
	Count int
	Per   time.Duration
	// Wait is for how long the CRM is not asked; 0 while it is being tried again.
	Wait time.Duration
	// Left is the time that is left for the request, and Quickest what the CRM has
	// taken at least of late.
	Left, Quickest time.Duration
	// Last is the failure that was the last straw.
	Last error
}

func (r *Refusal) Error() string {
	switch r.Why {
	case Failing:
		return fmt.Sprintf("%d failures in a row (%v), left alone for %s", r.Count, r.Last, r.Wait)
	case Limited:
		return fmt.Sprintf("limited for %s", r.Wait)
	case TooFast:
		return fmt.Sprintf("more than %d requests in %s", r.Count, r.Per)
	case QueueFull:
		return fmt.Sprintf("%d requests wait already", r.Count)
	case TooLate:
		return fmt.Sprintf("%s left, of at least %s", r.Left, r.Quickest)
	default:
		return fmt.Sprintf("%d requests at once left no place in time", r.Count)
	}
}

// ErrTooLong is an answer that is longer than any may be.
var ErrTooLong = errors.New("the answer is too long")

// StatusError is an answer whose status says that the CRM failed.
type StatusError struct{ Status int }

func (s *StatusError) Error() string {
	return fmt.Sprintf("%d %s", s.Status, http.StatusText(s.Status))
}
