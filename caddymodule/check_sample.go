package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
)

// sampleReport tells in which spellings the CRMs hold numbers, and which of
// them the configured search finds again.
type sampleReport struct {
	check

	handler *Handler
}

// samplePatience is for one search of a sample: the point is what is found,
// not how fast.
const samplePatience = 30 * time.Second

// write samples each CRM and returns the exit status.
func (r sampleReport) write() int {
	worst := exitFound
	for _, connector := range r.handler.engine.Connectors() {
		name := connector.Profile().Name
		rest, ok := connector.(*REST)
		if !ok {
			fmt.Fprintf(r.out, "crm %s: its connector has no samples\n", name)
			continue
		}
		sampled := rest.engine.Sample(context.Background(), r.sample)
		if len(sampled) == 0 {
			fmt.Fprintf(r.out, "crm %s: no lookup says how to list some records; write a sample in one, for example: sample { GET /contacts }\n", name)
		}
		listed := 0
		for _, one := range sampled {
			listed += len(one.Records)
			worst = max(worst, r.lookup(name, rest, one))
		}
		if listed == 0 {
			worst = exitNotAsked // what lists nobody shows nothing
		}
	}
	return worst
}

// tally counts the numbers that are stored in one spelling.
type tally struct {
	spelling       string
	example        string
	numbers, found int
	problem        error
}

// lookup reports one lookup's records.
func (r sampleReport) lookup(name string, rest *REST, sampled crm.Sampled) int {
	if sampled.Err != nil {
		fmt.Fprintf(r.out, "crm %s: %s: no records could be listed (sample): %v\n", name, sampled.Kind, sampled.Err)
		return exitNotAsked
	}
	if len(sampled.Records) == 0 {
		fmt.Fprintf(r.out, "crm %s: %s: 0 records; there are none, or the credentials may not read them, or the lookup's sample is not how to list some\n", name, sampled.Kind)
		return exitFound // a CRM may have no leads
	}
	tallies := map[string]*tally{}
	others := 0
	for _, record := range sampled.Records {
		for _, text := range record.Phones {
			number, err := r.handler.region.Parse(text)
			if err != nil {
				others++
				continue
			}
			r.count(tallies, rest, record, text, number)
		}
	}
	return r.table(fmt.Sprintf("crm %s: %s", name, sampled.Kind), len(sampled.Records), tallies, others)
}

// count asks for one number and adds what came of it.
func (r sampleReport) count(tallies map[string]*tally, rest *REST, record crm.Record, text string, number phone.Number) {
	spelling := phone.SpellingOf(number, text)
	t, ok := tallies[spelling]
	if !ok {
		t = &tally{spelling: spelling, example: text}
		tallies[spelling] = t
	}
	t.numbers++
	ctx, cancel := context.WithTimeoutCause(context.Background(), samplePatience, &crm.DeadlineError{Deadline: samplePatience})
	defer cancel()
	result := rest.engine.Search(ctx, crm.Query{Number: number, Region: r.handler.region})
	if slices.ContainsFunc(result.Records, record.Same) {
		t.found++
		return
	}
	if result.Err != nil {
		t.problem = result.Err
	}
}

// table prints the spellings, the most frequent first.
func (r sampleReport) table(title string, records int, tallies map[string]*tally, others int) int {
	fmt.Fprintf(r.out, "%s: %d records\n", title, records)
	list := make([]*tally, 0, len(tallies))
	for _, spelling := range sortedKeys(tallies) {
		list = append(list, tallies[spelling])
	}
	slices.SortStableFunc(list, func(a, b *tally) int { return cmp.Compare(b.numbers, a.numbers) })
	columns := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "  spelling\tnumbers\tfound again\texample")
	status := exitFound
	for _, t := range list {
		fmt.Fprintf(columns, "  %s\t%d\t%d\t%s\n", t.spelling, t.numbers, t.found, printable(t.example))
		if t.found < t.numbers {
			status = max(status, exitNotFound)
		}
	}
	if others > 0 {
		fmt.Fprintf(columns, "  no number\t%d\t\t\n", others)
	}
	_ = columns.Flush()       // to the same place as everything
	told := map[string]bool{} // most often all have the same
	for _, t := range list {
		if t.problem == nil {
			continue
		}
		status = exitNotAsked
		if text := strings.ReplaceAll(t.problem.Error(), "\n", "; "); !told[text] {
			told[text] = true
			fmt.Fprintf(r.out, "  problem: %s\n", text)
		}
	}
	fmt.Fprintln(r.out)
	return status
}
