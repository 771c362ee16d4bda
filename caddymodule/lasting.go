package caddymodule

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/fleet"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/protect"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// What outlives a configuration, under a fingerprint of the settings that it
// came about with: another configuration that has the same settings goes on with
// it.
var (
	// memories hold what CRMs said.
	memories = caddy.NewUsagePool()
	// credentials hold tokens and sessions.
	credentials = caddy.NewUsagePool()
	// guards hold what is known of CRMs that fail or limit us.
	guards = caddy.NewUsagePool()
	// stores are the connections to shared caches.
	stores = caddy.NewUsagePool()
)

type lastingMemory struct {
	*lookup.Memory

	// store is the key of the store that it uses; "" if it uses none.
	store string
}

// Destruct forgets everything, once no configuration uses it.
func (m lastingMemory) Destruct() error {
	m.Close()
	if m.store == "" {
		return nil
	}
	_, err := stores.Delete(m.store)
	return err
}

type lastingStore struct{ *fleet.Store }

// Destruct ends the connections.
func (s lastingStore) Destruct() error {
	s.Close()
	return nil
}

type lastingCredentials struct{ *credential.State }

// Destruct has nothing to do.
func (lastingCredentials) Destruct() error { return nil }

type lastingGuard struct{ *protect.State }

// Destruct has nothing to do.
func (lastingGuard) Destruct() error { return nil }

// prepareEngine makes the engine, which goes on with what is remembered.
func (h *Handler) prepareEngine(connectors []crm.Connector, written []json.RawMessage) error {
	var sources []*lookup.Source
	for i, connector := range connectors {
		memory, err := h.memoryOf(connector, written[i])
		if err != nil {
			return err
		}
		sources = append(sources, lookup.NewSource(connector, lookup.Options{Memory: memory, Behind: h.logBehind}))
	}
	h.engine = lookup.New(sources...)
	return nil
}

// memoryOf returns what is remembered of a CRM; nil if nothing is to be.
func (h *Handler) memoryOf(connector crm.Connector, written json.RawMessage) (*lookup.Memory, error) {
	if h.Cache != nil && h.Cache.Off {
		return nil, nil
	}
	print := string(written)
	if rest, ok := connector.(*REST); ok {
		print = rest.print
	}
	settings := h.Cache.settings()
	identity := []string{print, h.region.String(), fmt.Sprint(settings)}
	var address, secret string
	if h.Cache != nil && h.Cache.Shared != nil {
		var err error
		if address, secret, err = h.Cache.Shared.resolve(loadedSettings()); err != nil {
			return nil, err // was found before
		}
		identity = append(identity, address, secret)
	}
	key := fingerprint(identity...)
	memory, _, err := memories.LoadOrNew(key, func() (caddy.Destructor, error) {
		if address == "" {
			return lastingMemory{lookup.NewMemory(settings), ""}, nil
		}
		return sharedMemory(settings, address, fingerprint(print, h.region.String(), secret))
	})
	if err != nil {
		return nil, err
	}
	h.memories = append(h.memories, key)
	return memory.(lastingMemory).Memory, nil
}

// sharedMemory makes a memory that remembers together with others that have the
// same secret.
func sharedMemory(settings lookup.Settings, address, secret string) (caddy.Destructor, error) {
	key := fingerprint(address)
	store, _, err := stores.LoadOrNew(key, func() (caddy.Destructor, error) {
		opened, err := fleet.Open(address, logStore)
		return lastingStore{opened}, err
	})
	if err != nil {
		return nil, err
	}
	shelf, err := fleet.On(store.(lastingStore).Store, []byte(secret))
	if err != nil {
		return nil, err
	}
	settings.Shelf = shelf
	return lastingMemory{lookup.NewMemory(settings), key}, nil
}

// logStore tells when a shared cache is lost, and when it is found. It outlives
// the configuration that it was opened for, and that one's logger.
func logStore(err error) {
	logger := caddy.Log().Named("http.handlers.screen_pop")
	if err != nil {
		logger.Warn("the shared cache can't be reached; each gateway goes on by itself", zap.String("error", oneLine(err)))
		return
	}
	logger.Info("the shared cache can be reached")
}

// forget gives back what was taken from the pool.
func (h *Handler) forget() error {
	for _, key := range h.memories {
		if _, err := memories.Delete(key); err != nil {
			return err
		}
	}
	h.memories = nil
	return nil
}

// resume goes on with the token or session that there is, and with what is known
// of the CRM's health.
func (c *REST) resume(fresh *protect.State) error {
	state, _, err := credentials.LoadOrNew(c.print, func() (caddy.Destructor, error) {
		return lastingCredentials{credential.NewState()}, nil
	})
	if err != nil {
		return err
	}
	c.credentials = c.print
	c.engine.Resume(state.(lastingCredentials).State)
	if c.guard == nil {
		return nil
	}
	guard, _, err := guards.LoadOrNew(c.print, func() (caddy.Destructor, error) { return lastingGuard{fresh}, nil })
	if err != nil {
		return err
	}
	c.guarded = true
	c.guard.Adopt(guard.(lastingGuard).State)
	return nil
}

// release gives it back.
func (c *REST) release() error {
	if c.credentials == "" {
		return nil
	}
	_, err := credentials.Delete(c.credentials)
	c.credentials = ""
	if c.guarded {
		_, guardErr := guards.Delete(c.print)
		c.guarded = false
		err = errors.Join(err, guardErr)
	}
	return err
}

// fingerprint is the same for connectors that ask the same CRM for the same with
// the same credentials. Where in a file they are written does not matter.
func (c *REST) fingerprint(known *notedSettings, transport json.RawMessage) (string, error) {
	complete, err := c.withPreset()
	if err != nil {
		return "", err
	}
	compared := *complete
	compared.Sources, compared.TransportRaw = nil, transport
	text, err := json.Marshal(compared)
	return fingerprint(string(text), known.String()), err
}

// fingerprint is a digest of texts. They hold secrets.
func fingerprint(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(sum, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// notedSettings are the values that settings had.
type notedSettings struct{ values map[string]string }

// noting returns settings whose values are noted when they are read.
func (n *notedSettings) noting(settings template.Settings) template.Settings {
	n.values = map[string]string{}
	noting := template.Settings{}
	for prefix, load := range settings {
		noting[prefix] = func(name string) (string, error) {
			value, err := load(name)
			n.values[name] = value
			return value, err
		}
	}
	return noting
}

func (n *notedSettings) String() string {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(n.values)) {
		fmt.Fprintf(&b, "%q=%q\n", name, n.values[name])
	}
	return b.String()
}

// logBehind tells of a lookup that ended when no call waited for it.
func (h *Handler) logBehind(report lookup.Report) {
	fields := []zap.Field{zap.Object("lookup", loggedReport(report))}
	if err := report.Result.Err; err != nil {
		h.logger.Warn("a lookup failed after its call was answered", append(fields, zap.String("error", oneLine(err)))...)
		return
	}
	h.logger.Info("a lookup ended after its call was answered", fields...)
}
