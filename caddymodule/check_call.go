package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// callReport tells everything about one call's decision.
type callReport struct {
	check

	handler *Handler
}

// write rings the number, prints what happened and returns the exit status.
func (r callReport) write() int {
	if r.deadline > 0 {
		r.handler.deadline = r.deadline
	}
	var refusals []error
	if err := r.handler.pages.rehearse(func(err error) { refusals = append(refusals, err) }); err != nil {
		fmt.Fprintln(r.out, err)
		return exitNotAsked
	}
	r.handler.askOnce()
	witnesses := map[string]*crm.Witness{}
	for _, connector := range r.handler.engine.Connectors() {
		witness := &crm.Witness{}
		witnesses[connector.Profile().Name] = witness
		if rest, ok := connector.(*REST); ok {
			rest.engine.Watch(witness)
		}
	}
	t := r.handler.decide(context.Background(), xucmgt.Call{Caller: r.number}, time.Now(), r.handler.visitorHere())
	r.caller(t)
	for _, report := range t.finding.Reports {
		r.crm(report, witnesses[report.CRM], r.handler.query(&t.situation))
	}
	r.conclusion(t)
	for _, err := range refusals {
		fmt.Fprintf(r.out, "pane      %s\n", err)
	}
	switch {
	case len(t.situation.Records) > 0:
		return exitFound
	case t.situation.Outcome == pop.Unreachable:
		return exitNotAsked
	default:
		return exitNotFound
	}
}

// caller tells what the number was read as.
func (r callReport) caller(t *trace) {
	switch {
	case t.caller.colleague:
		fmt.Fprintf(r.out, "caller    %s is a colleague (internal), and is not looked up\n", r.number)
	case t.caller.notANumber != nil:
		fmt.Fprintf(r.out, "caller    %q is not looked up: %v\n", r.number, t.caller.notANumber)
	default:
		fmt.Fprintf(r.out, "caller    %s, read as %s\n", r.number, t.caller.number.E164())
	}
}

// crm tells of one CRM.
func (r callReport) crm(report lookup.Report, witness *crm.Witness, query crm.Query) {
	fmt.Fprintf(r.out, "\ncrm %s: %s\n", report.CRM, took(report.Took))
	for _, exchange := range witness.Exchanges() {
		r.exchange(exchange)
	}
	for _, request := range report.Result.Requests {
		r.request(request)
	}
	for _, record := range witness.Dropped() {
		fmt.Fprintf(r.out, "  dropped %s: %s\n", described(record), whyDropped(record, query))
	}
	for _, record := range report.Result.Records {
		fmt.Fprintf(r.out, "  kept    %s: %s\n", described(record), whyKept(record, query))
	}
	if err := report.Result.Err; err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(r.out, "  problem %s\n", strings.TrimSpace(line))
		}
	}
}

// exchange shows a request and its answer.
func (r callReport) exchange(e crm.Exchange) {
	fmt.Fprintf(r.out, "  %s: %s %s\n", e.Lookup, e.Method, template.OneLine(e.URL)) // whole: it is what one tries by hand
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		if name != "User-Agent" {
			fmt.Fprintf(r.out, "      %s: %s\n", name, excerpt(strings.Join(e.Header[name], ", ")))
		}
	}
	if e.Body != "" {
		fmt.Fprintf(r.out, "      %s\n", excerpt(e.Body))
	}
	switch {
	case e.Err != nil:
		fmt.Fprintf(r.out, "    no answer after %s: %s\n", took(e.Took), e.Err)
	case e.Answer == "":
		fmt.Fprintf(r.out, "    %d after %s\n", e.Status, took(e.Took))
	default:
		fmt.Fprintf(r.out, "    %d after %s: %s\n", e.Status, took(e.Took), excerpt(e.Answer))
	}
}

// request counts what came of one request.
func (r callReport) request(q crm.Request) {
	name := strings.TrimSpace(q.Lookup + " " + q.Asked)
	if q.Err != nil {
		fmt.Fprintf(r.out, "  %s: %s\n", name, q.Err)
		return
	}
	if strings.HasPrefix(q.Asked, crm.AskedFollow) {
		return // brings no records
	}
	fmt.Fprintf(r.out, "  %s: %d returned, %d kept, %d dropped\n", name, q.Returned, q.Kept, q.Dropped)
	if q.Doubt != nil {
		fmt.Fprintf(r.out, "  problem %s\n", q.Doubt)
	}
}

// ownPage is the address of a page of ours; the rest of it says nothing.
var ownPage = regexp.MustCompile(`(/pane/\w+/)[\w-]+`)

// conclusion tells the outcome and the answer.
func (r callReport) conclusion(t *trace) {
	fmt.Fprintf(r.out, "\noutcome   %s (%s), in %s of %s\n", t.situation.Outcome, t.ruleName(), took(t.took), r.handler.deadline)
	answer, err := t.answer.MarshalJSON()
	if err != nil {
		answer = []byte(err.Error())
	}
	fmt.Fprintf(r.out, "answer    %s\n", ownPage.ReplaceAll(answer, []byte("$1...")))
	if t.unanswered != nil {
		fmt.Fprintf(r.out, "problem   %s\n", t.unanswered)
	}
}

// described names a record for people.
func described(r crm.Record) string {
	parts := []string{r.Kind, r.ID, r.Name, r.Company}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	return printable(strings.Join(slices.Compact(parts), ", "))
}

func whyDropped(r crm.Record, query crm.Query) string {
	if len(r.Phones) == 0 {
		return "no number was found in it where phones says that they are"
	}
	return fmt.Sprintf("none of its numbers is %s: %s", query.Number.E164(), numbers(r.Phones))
}

func whyKept(r crm.Record, query crm.Query) string {
	for _, text := range r.Phones {
		if query.Region.Same(query.Number, text) {
			return fmt.Sprintf("%q is %s", printable(text), query.Number.E164())
		}
	}
	return "not checked (phones unverified)"
}

func numbers(phones []string) string {
	var quoted []string
	for _, text := range phones {
		quoted = append(quoted, fmt.Sprintf("%q", printable(text)))
	}
	return strings.Join(quoted, ", ")
}

// maxExcerpt bounds what is shown of a body, in characters.
const maxExcerpt = 1000

func excerpt(text string) string {
	text = template.OneLine(text)
	if runes := []rune(text); len(runes) > maxExcerpt {
		return fmt.Sprintf("%s... (%d bytes)", string(runes[:maxExcerpt]), len(text))
	}
	return text
}

func took(d time.Duration) string { return d.Round(time.Millisecond / 10).String() }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
