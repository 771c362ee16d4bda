package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Cache is for how long what CRMs said is remembered, in memory.
type Cache struct {
	// Remember nothing. Default: false.
	Off bool `json:"off,omitempty"`

	// How long a caller who was found is answered without asking again. A CRM that
	// calls its answer fresh for less long (`Cache-Control: max-age`) is asked
	// again then. Default: `5m`.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The same for a caller who was not found; -1: they are always asked for.
	// Default: `30s`.
	NotFound caddy.Duration `json:"not_found,omitempty"`

	// For how long after that a caller who was found is still answered at once,
	// while the CRM is asked again behind the call; -1: not at all. Default: `1h`.
	Stale caddy.Duration `json:"stale,omitempty"`

	// How many callers are remembered, for each CRM. One of whom it said more than
	// a kibibyte counts as several. Default: 100000.
	Size int `json:"size,omitempty"`
}

// Defaults and bounds of a [Cache].
const (
	defaultTTL      = 5 * time.Minute
	defaultNotFound = 30 * time.Second
	defaultStale    = time.Hour
	defaultSize     = 100_000

	longestTTL  = 24 * time.Hour
	largestSize = 10_000_000
)

// check finds what is wrong with the options.
func (c *Cache) check(template.Settings) error {
	if c == nil {
		return nil
	}
	if c.Off && *c != (Cache{Off: true}) {
		return errors.New("is off, and has options beside")
	}
	for _, option := range []struct {
		name   string
		time   caddy.Duration
		canOff bool
	}{{"ttl", c.TTL, false}, {"not_found", c.NotFound, true}, {"stale", c.Stale, true}} {
		switch lasting := time.Duration(option.time); {
		case option.time == off && option.canOff:
		case lasting < 0:
			return mistake.In(option.name, fmt.Errorf("%s is negative", lasting))
		case lasting > longestTTL:
			return mistake.In(option.name, fmt.Errorf("%s is longer than %s", lasting, longestTTL))
		}
	}
	if c.Size < 0 || c.Size > largestSize {
		return mistake.In("size", fmt.Errorf("%d is not between 1 and %d", c.Size, largestSize))
	}
	return nil
}

// off is the time of an option that is switched off.
const off caddy.Duration = -1

// settings are the options with their defaults.
func (c *Cache) settings() lookup.Settings {
	if c == nil {
		c = &Cache{}
	}
	size := c.Size
	if size == 0 {
		size = defaultSize
	}
	return lookup.Settings{
		TTL: lasting(c.TTL, defaultTTL), NotFound: lasting(c.NotFound, defaultNotFound), Stale: lasting(c.Stale, defaultStale), Size: size,
	}
}

func lasting(configured caddy.Duration, otherwise time.Duration) time.Duration {
	switch configured {
	case off:
		return 0
	case 0:
		return otherwise
	default:
		return time.Duration(configured)
	}
}
