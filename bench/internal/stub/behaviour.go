package stub

import (
	"net"
	"net/http"
	"strings"
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

// Hanging never answers.
func Hanging(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { <-r.Context().Done() }

// Resetting breaks the connection.
func Resetting(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // so that closing it is a reset
	}
	_ = connection.Close()
}

// Refusing answers with a status, and says when to come again; "": it does not.
func Refusing(status int, retryAfter string) Behaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
	}
}

// Saying answers with something else.
func Saying(contentType, text string) Behaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(text)) // as above
	}
}

// Endless begins an answer that never ends, as fast as a network of 100 Mbit/s:
// faster ones would only take the processors away from whoever is measured.
func Endless(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
	drip(w, r, strings.Repeat(" ", 64<<10), 5*time.Millisecond)
}

// Dripping answers byte by byte.
func Dripping(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
	drip(w, r, " ", 20*time.Millisecond)
}

// drip writes a part of an answer again and again, until nobody reads it.
func drip(w http.ResponseWriter, r *http.Request, part string, pause time.Duration) {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write([]byte(`{"items":[`))
	for err == nil && r.Context().Err() == nil {
		if _, err = w.Write([]byte(part)); err == nil {
			err = http.NewResponseController(w).Flush()
		}
		time.Sleep(pause)
	}
}
