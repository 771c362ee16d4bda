package caddymodule

import "github.com/screenpop/caddy-screenpop/internal/crm"

// Connector asks one kind of CRM who is calling. Caddy modules in the
// namespace `screen_pop.connectors` implement it; the directive's
// `crm <name> [<url>] { ... }` loads them, handing what stands behind `crm` to
// the module's UnmarshalCaddyfile. [REST] is one.
type Connector = crm.Connector

// The types that a [Connector] deals in.
type (
	// Profile says which CRM a connector asks.
	Profile = crm.Profile
	// Query is what is asked: a call and its number. A connector can tell its
	// Interim what it has found while it goes on.
	Query = crm.Query
	// Result is what the CRM said.
	Result = crm.Result
	// Record is one thing that a CRM keeps under the caller's number.
	Record = crm.Record
	// Links are a CRM's pages for a query.
	Links = crm.Links
	// Request is the story of one exchange, for the log.
	Request = crm.Request
)
