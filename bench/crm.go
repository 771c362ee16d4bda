package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// stub is a CRM that knows everybody, after a settable delay.
type stub struct {
	delay    atomic.Int64
	hangs    atomic.Bool
	requests atomic.Int64
	address  string
}

// answer is what XucMgt gets from all that only pass its request on.
const answer = `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/4711","title":"Rosa Marin"}` + "\n"

func startStub() (*stub, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stub{address: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /contacts", s.contacts)
	mux.HandleFunc("POST /", s.pass)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return s, nil
}

// contacts answers with one record that has the number that was asked for.
func (s *stub) contacts(w http.ResponseWriter, r *http.Request) {
	s.wait(r)
	w.Header().Set("Content-Type", "application/json")
	//nolint:gosec // it is JSON, for our own gateway
	fmt.Fprintf(w, `{"total":1,"items":[{"id":"4711","name":"Rosa Marin","company":"Quai Nord","email":"rosa@example.org","phone":%q,"mobile":"06 39 98 00 01"}]}`,
		r.URL.Query().Get("phone"))
}

// pass answers what is only passed through.
func (s *stub) pass(w http.ResponseWriter, r *http.Request) {
	s.wait(r)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(answer)) // a client that went away has no use for an error
}

func (s *stub) wait(r *http.Request) {
	s.requests.Add(1)
	if s.hangs.Load() {
		<-r.Context().Done()
		return
	}
	if delay := time.Duration(s.delay.Load()); delay > 0 {
		time.Sleep(delay)
	}
}
