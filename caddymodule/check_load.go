package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/screenpop/caddy-screenpop/internal/lookup"
)

// loadHandlers provisions the screen_pop handlers of a configuration, without
// listening anywhere and without the rest of the site.
func loadHandlers(file, adapter string) (handlers []*Handler, done func(), err error) {
	text, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, nil, err
	}
	if len(text) == 0 {
		return nil, nil, errors.New("there is no Caddyfile in this directory; name the configuration with --config")
	}
	var config caddy.Config
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	found, err := findHandlers(config.AppsRaw["http"])
	if err != nil {
		return nil, nil, err
	}
	delete(config.AppsRaw, "http")
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "ERROR"}}}}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		for _, handler := range handlers {
			handler.close()
			_ = handler.Cleanup() // never fails
		}
	}
	for _, raw := range found {
		loaded, err := ctx.LoadModuleByID("http.handlers.screen_pop", raw)
		if err != nil {
			return nil, done, err
		}
		handlers = append(handlers, loaded.(*Handler))
	}
	return handlers, done, nil
}

// close ends what the handler and its connectors do in the background.
func (h *Handler) close() {
	_ = h.Cleanup() // what it gives back was taken
	for _, connector := range h.engine.Connectors() {
		if rest, ok := connector.(*REST); ok {
			_ = rest.Cleanup()
		}
	}
}

// askOnce lets the next call ask the CRMs whatever is remembered, and leave
// nothing behind that goes on.
func (h *Handler) askOnce() {
	connectors := h.engine.Connectors()
	h.engine.Retire()
	h.engine = lookup.Once(h.deadline, connectors...)
}

// findHandlers takes the screen_pop handlers out of a configuration.
func findHandlers(raw json.RawMessage) ([]json.RawMessage, error) {
	var found []json.RawMessage
	var look func(raw json.RawMessage)
	look = func(raw json.RawMessage) {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) == nil {
			for _, member := range list {
				look(member)
			}
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return
		}
		if string(object["handler"]) == `"screen_pop"` {
			found = append(found, raw)
			return
		}
		for _, name := range sortedKeys(object) {
			look(object[name])
		}
	}
	look(raw)
	if len(found) == 0 {
		return nil, errors.New("the configuration has no screen_pop directive; name another with --config")
	}
	return withoutHandlerName(found)
}

// withoutHandlerName removes the key by which Caddy finds a handler's module.
func withoutHandlerName(handlers []json.RawMessage) ([]json.RawMessage, error) {
	for i, raw := range handlers {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, err
		}
		delete(object, "handler")
		stripped, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		handlers[i] = stripped
	}
	return handlers, nil
}
