// Package stub is a CRM that answers on loopback, and behaves as it is told to.
package stub

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// CRM is the stub.
type CRM struct {
	// Address is its scheme, host and port.
	Address string
	// Requests counts what it was asked.
	Requests atomic.Int64

	// contacts returns its answer to a search for a number.
	contacts  func(phone string) string
	behaviour atomic.Pointer[Behaviour]
}

// Behaviour is what the CRM does with a request: it answers for it, or lets it answer.
type Behaviour func(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc)

// passed is what XucMgt gets from all that only pass its request on.
const passed = `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/4711","title":"Rosa Marin"}` + "\n"

// Start starts a CRM that answers searches with contacts, until the process ends.
func Start(contacts func(phone string) string) (*CRM, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &CRM{Address: "http://" + listener.Addr().String(), contacts: contacts}
	c.Behave(Fine)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /contacts", c.behaving(c.search))
	mux.HandleFunc("POST /", c.behaving(pass))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return c, nil
}

// Behave changes what the CRM does with its next requests.
func (c *CRM) Behave(b Behaviour) { c.behaviour.Store(&b) }

func (c *CRM) behaving(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.Requests.Add(1)
		(*c.behaviour.Load())(w, r, answer)
	}
}

func (c *CRM) search(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(c.contacts(r.URL.Query().Get("phone")))) //nolint:gosec // it is JSON, for our own gateway
}

// pass answers what is only passed through.
func pass(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(passed)) // a client that went away has no use for an error
}
