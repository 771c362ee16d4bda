package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
)

// result is what a part brought.
type result struct {
	title   string
	figures []figure
	// details tell more of what was missed.
	details []string
}

// figure is something that was measured.
type figure struct {
	what, measured string
	// target is what it was to be; "" if nothing in particular.
	target string
	missed bool
}

// note adds a figure that only informs.
func (r *result) note(what, measured string) {
	r.figures = append(r.figures, figure{what: what, measured: measured})
}

// demand adds a figure that has to be met.
func (r *result) demand(what, measured, target string, met bool) {
	r.figures = append(r.figures, figure{what, measured, target, !met})
}

// atMost adds one that has to be that low.
func (r *result) atMost(what string, measured, most time.Duration) {
	r.demand(what, millis(measured), "at most "+millis(most), measured <= most)
}

// answered demands that every call of a round was answered as it should.
func (r *result) answered(round load.Round, target string) {
	r.demand("calls", number(round.Calls), target, round.Errors == 0)
	if round.Errors > 0 {
		r.details = append(r.details, fmt.Sprintf("%d agents got no answer, or a wrong one; the last: %v", round.Errors, round.FirstErr))
	}
}

// missed counts the figures that were not met.
func (r *result) missed() (count int) {
	for _, f := range r.figures {
		if f.missed {
			count++
		}
	}
	return count
}

// table is the result in Markdown.
func (r *result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n| | measured | target |\n| --- | --: | --- |\n", r.title)
	for _, f := range r.figures {
		target := f.target
		if f.missed {
			target += " (**missed**)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.what, f.measured, target)
	}
	return b.String()
}

func millis(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return millis(d)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// megabytes are 10^6 bytes.
func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// number writes thousands apart.
func number[T ~int | ~int64](n T) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", number(n/1000), n%1000)
}
