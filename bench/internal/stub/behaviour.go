package stub

import (
	"net/http"
	"time"
)

// Fine answers at once.
func Fine(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) { answer(w, r) }

// Slow answers after a delay.
func Slow(delay time.Duration) Behaviour {
	if delay <= 0 {
		return Fine
	}
	return func(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
		time.Sleep(delay)
		answer(w, r)
	}
}
