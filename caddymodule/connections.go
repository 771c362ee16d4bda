package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

const (
	// caddysIdle is how many idle connections Caddy's transport keeps if nothing
	// is configured. Those of a burst that is larger are closed and opened anew
	// with each burst.
	caddysIdle = 32
	// unprotectedIdle is what is kept of a CRM that may be asked without limit.
	unprotectedIdle = 256
	// handshake is how long a TLS handshake may take. It goes on when its request
	// has given up, and without a limit it would for ever with a CRM that hangs.
	handshake = 5 * time.Second
)

// pool sizes Caddy's transport for as many requests as are made at once.
func pool(transport http.RoundTripper, state *protect.State) {
	caddys, ok := transport.(*reverseproxy.HTTPTransport)
	if !ok || caddys.Transport == nil {
		return
	}
	connections := caddys.Transport
	if connections.TLSHandshakeTimeout == 0 {
		connections.TLSHandshakeTimeout = handshake
	}
	wanted := unprotectedIdle
	if state != nil {
		wanted = state.Options().Concurrent
	}
	if connections.MaxIdleConnsPerHost == caddysIdle {
		connections.MaxIdleConnsPerHost = max(caddysIdle, wanted)
	}
}
