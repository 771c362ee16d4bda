// Package crm asks CRMs who is calling: what a connector and a record are, and
// the rest engine, which asks any CRM that has an HTTP API in the way that a
// [Definition] describes.
package crm

import (
	"context"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// Connector asks one CRM. Implementations are used by many calls at once and
// must stop when the context ends.
type Connector interface {
	// Profile says which CRM this is. It never changes.
	Profile() Profile
	// Key names all that the result of a search depends on. Queries of one key
	// share a search and what came of it: mostly query.Number.E164() says it.
	Key(query Query) string
	// Search looks for the records that have the query's number.
	Search(ctx context.Context, query Query) Result
	// Links returns the CRM's pages for a query, without asking the CRM.
	Links(query Query) Links
}

// Profile is what is known of a CRM before it is asked.
type Profile struct {
	// Name is the CRM's name in rules, logs and {crm.name}.
	Name string
	// URL is where the CRM lives, for {crm.url}.
	URL string
	// Fields are the connector's own fields of a record, besides the ones that
	// every record has; {contact.<field>} can name them.
	Fields []string
	// Window is how long this CRM's answer is waited for while a less preferred
	// one has a match. Default: half of the call's deadline.
	Window time.Duration
	// Limit is how long a search may go on, also when its call has long been
	// answered. Default: [DefaultLimit].
	Limit time.Duration
}

// DefaultLimit is how long a search may go on.
const DefaultLimit = 10 * time.Second

// Query is one question: who has this number?
type Query struct {
	Call   xucmgt.Call
	Number phone.Number
	// Region is the country whose national numbers the CRM holds.
	Region phone.Region
	// Interim, if set, can be told what is known while the rest is still being
	// asked: it counts if the call has to be answered then. It may be called from
	// several goroutines, and does not wait.
	Interim func(Result)
}

// Matches reports whether one of a record's numbers is the caller's.
func (q Query) Matches(numbers []string) bool {
	for _, text := range numbers {
		if q.Region.Same(q.Number, text) {
			return true
		}
	}
	return false
}

// Links are pages of a CRM for one query; "" where it has none.
type Links struct {
	// Search shows the CRM's own search for the number.
	Search string
	// Create is the form for a new contact.
	Create string
}

// Result is what one CRM said.
type Result struct {
	// Records are those that the CRM returned and that match, in its order.
	Records []Record
	// Requests tell what was asked, in the order of the answers.
	Requests []Request
	// Pending are the lookups that have not answered yet, of an interim result.
	Pending []string
	// Err is why the CRM, or a part of it, could not be asked. Records that
	// were found nevertheless are true.
	Err error
}

// AskedFollow is how [Request.Asked] begins of a request that brings no records
// but what belongs to one.
const AskedFollow = "follow "

// MaxAge is how long the CRM itself calls its answers fresh; 0 when it does not
// say.
func (r Result) MaxAge() time.Duration {
	var shortest time.Duration
	for _, request := range r.Requests {
		if request.MaxAge > 0 && (shortest == 0 || request.MaxAge < shortest) {
			shortest = request.MaxAge
		}
	}
	return shortest
}

// Request is the story of one HTTP exchange, for the trace. It holds neither
// the number nor a credential.
type Request struct {
	// Lookup is the kind of record that was looked for.
	Lookup string
	// Asked says how: the spelling, "filter", "detail", [AskedFollow] with a
	// name, or "" for a plain one.
	Asked string
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// Took is the time from the request to the end of the answer.
	Took time.Duration
	// Waited is the part of it before the request's turn came.
	Waited time.Duration
	// Tries is how often it was made.
	Tries int
	// Returned counts the records in the answer, Kept those that are the
	// caller's, Dropped those that are not. The rest was asked for in detail.
	Returned, Kept, Dropped int
	// MaxAge is how long the CRM calls its answer fresh (Cache-Control); 0 when it
	// does not say.
	MaxAge time.Duration
	// Err is why the exchange failed.
	Err error
	// Doubt is why the exchange, which did not fail, may not mean what it seems
	// to mean.
	Doubt error
}

func (r *Request) exchanged(x *exchange) {
	r.Status, r.Took, r.MaxAge = x.status, x.took, x.maxAge()
	r.Waited, r.Tries = x.note.Waited(), x.note.Tries()
}
