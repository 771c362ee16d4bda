package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/fleet"
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

	// Where the gateways of a fleet remember together, so that a CRM is asked once
	// for all of them. Default: nowhere.
	Shared *SharedCache `json:"shared,omitempty"`
}

// SharedCache is a Redis or Valkey. What is stored there is encrypted, and
// numbers are hashed. When it is down, each gateway goes on by itself.
type SharedCache struct {
	// Its address: `redis://redis.example.com:6379/0`, `rediss://` for TLS, with
	// user and password if it wants them. Required.
	URL string `json:"url"`

	// What is stored is encrypted with this secret, of 16 characters or more,
	// together with the CRM's configuration. Default: with that alone; the
	// credentials in it make it secret.
	Key string `json:"key,omitempty"`
}

// Defaults and bounds of a [Cache].
const (
	defaultTTL      = 5 * time.Minute
	defaultNotFound = 30 * time.Second
	defaultStale    = time.Hour
	defaultSize     = 100_000

	longestTTL  = 24 * time.Hour
	largestSize = 10_000_000
	shortestKey = 16
)

// check finds what is wrong with the options.
func (c *Cache) check(known template.Settings) error {
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
	if c.Shared == nil {
		return nil
	}
	_, _, err := c.Shared.resolve(known)
	return mistake.In("shared", err)
}

// resolve returns the address and the key, as far as they are known, and says
// what is wrong with them.
func (s *SharedCache) resolve(known template.Settings) (address, key string, err error) {
	address, resolved, err := resolve(s.URL, known)
	if err == nil && resolved {
		err = fleet.Check(address)
	}
	if err != nil {
		return "", "", err
	}
	key, resolved, err = resolve(s.Key, known)
	if err == nil && resolved && key != "" && len(key) < shortestKey {
		err = fmt.Errorf("the key has fewer than %d characters; make one with: openssl rand -base64 32", shortestKey)
	}
	return address, key, err
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
