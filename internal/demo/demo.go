// Package demo is what a newcomer needs to try the gateway without a telephone
// system and without a CRM: a small CRM with contacts in it, an agent simulator
// that behaves as XiVO's CC Agent application does, and the Caddyfile that puts
// the gateway between the two.
//
// Nothing in here is used by the gateway itself.
package demo

import _ "embed"

// Caddyfile is the configuration that the demo's gateway runs with. It reads
// DEMO_GATEWAY, DEMO_GATEWAY_HOST, DEMO_CRM, DEMO_SIMULATOR, DEMO_CRM_KEY and
// DEMO_PANE_KEY from the environment.
//
//go:embed Caddyfile
var Caddyfile string
