package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// Protect keeps a CRM from being asked more than it bears, and calls from
// waiting for one that does not answer.
type Protect struct {
	// Leave all of it out. Default: false.
	Off bool `json:"off,omitempty"`

	// How many requests are made at the same time. Default: 16.
	Concurrent int `json:"concurrent,omitempty"`

	// How many more requests wait for their turn, as long as their call has time;
	// beyond that they fail at once. Default: 200.
	Queue int `json:"queue,omitempty"`

	// How many requests are made in a given time. Default: no limit.
	Rate *Rate `json:"rate,omitempty"`

	// When a CRM that fails is left alone.
	Breaker *Breaker `json:"breaker,omitempty"`

	// Do not make a request a second time when its connection broke. Default: false.
	RetryOff bool `json:"retry_off,omitempty"`

	// Make a request a second time, without giving the first one up, when it takes
	// longer than this percentile of the CRM's own times: `95`. Default: never.
	Hedge float64 `json:"hedge,omitempty"`
}

// Rate is a number of requests in a time.
type Rate struct {
	Requests int            `json:"requests"`
	Per      caddy.Duration `json:"per"`
}

// Breaker is when a CRM that fails is left alone.
type Breaker struct {
	// Never leave it alone. Default: false.
	Off bool `json:"off,omitempty"`
	// After how many failures in a row: no answer, a broken one, or a status of
	// 500 or above. Default: 5.
	Failures int `json:"failures,omitempty"`
	// For how long, before it is tried again. Default: `2s`.
	Pause caddy.Duration `json:"pause,omitempty"`
}

// options checks what is written.
func (p *Protect) options() (protect.Options, error) {
	if p == nil {
		return protect.Options{}, nil
	}
	o := protect.Options{Concurrent: p.Concurrent, Queue: p.Queue, NoRetry: p.RetryOff, Hedge: p.Hedge}
	switch {
	case p.Concurrent < 0:
		return o, mistake.In("concurrent", fmt.Errorf("%d is not a number of requests", p.Concurrent))
	case p.Queue < 0:
		return o, mistake.In("queue", fmt.Errorf("%d is not a number of requests", p.Queue))
	case p.Hedge != 0 && (p.Hedge < 50 || p.Hedge >= 100):
		return o, mistake.In("hedge", fmt.Errorf("%v is not a percentile from 50 to below 100; write for example: hedge 95", p.Hedge))
	}
	if r := p.Rate; r != nil {
		if r.Requests <= 0 || r.Per <= 0 {
			return o, mistake.In("rate", errors.New("is no number of requests in a time; write for example: rate 10 1s"))
		}
		o.Rate, o.Per = r.Requests, time.Duration(r.Per)
	}
	if b := p.Breaker; b != nil {
		if b.Failures < 0 || b.Pause < 0 {
			return o, mistake.In("breaker", errors.New("is no number of failures and a pause; write for example: breaker 5 2s"))
		}
		o.Failures, o.Pause = b.Failures, time.Duration(b.Pause)
		if b.Off {
			o.Failures = -1
		}
	}
	return o, nil
}

// overlayProtect changes what is written.
func overlayProtect(base, over *Protect) *Protect {
	if base == nil || over == nil || over.Off {
		if over != nil {
			return over
		}
		return base
	}
	laid := overlay(*base, *over)
	laid.Off = false
	return &laid
}

// newState returns what is known of the CRM; nil if it is not protected.
func (c *REST) newState() (*protect.State, error) {
	complete, err := c.withPreset()
	if err != nil {
		return nil, err
	}
	options, err := complete.Protect.options()
	if err != nil {
		return nil, mistake.In("protect", err)
	}
	if complete.Protect != nil && complete.Protect.Off {
		return nil, nil
	}
	return protect.New(options), nil
}

// protected puts the protection in front of a transport.
func (c *REST) protected(transport http.RoundTripper, state *protect.State) http.RoundTripper {
	if state == nil {
		return transport
	}
	c.guard = state.Transport(transport, crm.MaxAnswer)
	return c.guard
}

// watch logs when the CRM begins to be left alone, and when it answers again.
func (c *REST) watch(logger *zap.Logger) {
	if c.guard == nil {
		return
	}
	engine := c.engine
	c.guard.Listen(func(change protect.Change) {
		name := zap.String("crm", engine.Profile().Name)
		if change.Refusal != nil {
			logger.Error("a CRM fails and is left alone; it is tried again from time to time", name, zap.Error(engine.Explain(change.Refusal)))
			return
		}
		logger.Info("a CRM answers again", name)
	})
}
