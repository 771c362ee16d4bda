package caddymodule

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// warmer opens the connections that the first call needs, and fetches the token
// or session that the CRM wants, once the configuration serves. It has no
// exported part: Caddy logs whom it tells of events.
type warmer struct {
	engine    *crm.REST
	most      int // connections
	transport http.RoundTripper
	life      context.Context
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// newWarmer returns one that is told when the configuration has started. A
// configuration that is only checked never does.
func newWarmer(ctx caddy.Context, engine *crm.REST, transport http.RoundTripper, state *protect.State) (*warmer, error) {
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	w := &warmer{engine: engine, most: engine.Parallel(), transport: transport}
	if state != nil {
		w.most = min(w.most, state.Options().Concurrent)
	}
	w.life, w.cancel = context.WithCancel(context.Background())
	return w, events.(*caddyevents.App).On("started", w)
}

// Handle begins to open connections, and waits for nothing.
func (w *warmer) Handle(context.Context, caddy.Event) error {
	w.running.Go(w.warm)
	return nil
}

// end stops what is still being opened.
func (w *warmer) end() {
	if w == nil {
		return
	}
	w.cancel()
	w.running.Wait()
}

// longestWarming is how long connections are opened for. A CRM that does not
// answer then will be asked by a call.
const longestWarming = 10 * time.Second

func (w *warmer) warm() {
	ctx, cancel := context.WithTimeout(w.life, longestWarming)
	defer cancel()
	here := w.engine.Base()
	openAhead(ctx, w.transport, here, w.most)
	there, err := w.engine.Enter(ctx)
	if err == nil && there != here {
		openAhead(ctx, w.transport, there, w.most)
	}
}

// openAhead opens connections to an address without sending anything, if they
// are encrypted. Others cost a call next to nothing, and are those of small
// servers, where each connection may hold one of few workers until something
// comes: four to a Request Tracker with four, and it serves nobody.
//
// A transport goes on opening one for a request that has given up, for the next
// request: so as many requests as connections are made, which all give up while
// their connections are held back. One that gets the connection of a call that
// was faster can't be written: its body is shorter than it says.
func openAhead(ctx context.Context, transport http.RoundTripper, address string, count int) {
	if !strings.HasPrefix(address, "https://") {
		return
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	given := make(chan struct{})
	var opening, asking sync.WaitGroup
	for range count {
		opening.Add(1)
		begun := sync.OnceFunc(opening.Done)
		trace := &httptrace.ClientTrace{ConnectStart: func(string, string) { begun(); <-given }}
		asking.Go(func() {
			defer begun() // also when it comes to nothing
			request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, address, io.NopCloser(strings.NewReader("")))
			if err != nil {
				return
			}
			request.ContentLength = 1
			if response, err := transport.RoundTrip(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	allBegun := make(chan struct{})
	go func() { opening.Wait(); close(allBegun) }()
	select {
	case <-allBegun:
	case <-ctx.Done():
	}
	giveUp()
	asking.Wait()
	close(given)
}

// Interface guards
var _ caddyevents.Handler = (*warmer)(nil)
