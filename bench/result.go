package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/document"
	"github.com/screenpop/caddy-screenpop/bench/internal/load"
	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

// result is what all rounds of a scenario brought.
type result struct {
	scenario scenario
	rows     []row
	// beside is the gateway beside respond, where that takes part.
	beside string
}

// row is one program's medians.
type row struct {
	name     string
	perSec   float64
	p50, p99 time.Duration
	// cpu is the CPU time of the program for one call, and crm how many requests
	// a call caused at the CRM.
	cpu time.Duration
	crm float64
	// ratio is of calls per second to those of reverse_proxy, in the same rounds.
	ratio float64
	// cpuRatio and p50Ratio are the same of CPU time and of the median time.
	cpuRatio, p50Ratio float64
}

// sample is one round of one program.
type sample struct {
	load.Round

	cpu time.Duration
	crm float64
}

// measure runs the rounds of a scenario, the programs in turns.
func (s scenario) measure(subjects []subject, crm *stub.CRM, rounds int, duration time.Duration, next func() int64) (result, error) {
	samples := map[string][]sample{}
	for range rounds {
		for _, one := range subjects {
			warm := load.Load{Address: one.address, Connections: s.connections, Duration: duration / 10, Caller: s.caller}
			if got := warm.Run(next); got.Errors > 0 {
				return result{}, fmt.Errorf("%s: %w\n%s", one.name, got.FirstErr, one.log)
			}
			cpu, asked := one.CPU(), crm.Requests.Load()
			got := load.Load{Address: one.address, Connections: s.connections, Duration: duration, Caller: s.caller}.Run(next)
			if got.Errors > 0 {
				return result{}, fmt.Errorf("%s: %w\n%s", one.name, got.FirstErr, one.log)
			}
			samples[one.name] = append(samples[one.name], sample{
				got, (one.CPU() - cpu) / time.Duration(got.Calls), float64(crm.Requests.Load()-asked) / float64(got.Calls),
			})
		}
	}
	r := result{scenario: s}
	for _, one := range subjects {
		r.rows = append(r.rows, rowOf(one.name, samples[one.name], samples[proxy]))
	}
	if static := samples[respond]; len(static) > 0 {
		r.beside = fmt.Sprintf("The gateway answers %.2f times as many calls as respond; its p99 is %.2f times as long.",
			ratio(samples[gateway], static, func(s sample) float64 { return s.PerSec }),
			ratio(samples[gateway], static, func(s sample) float64 { return float64(s.P99) }))
	}
	return r, nil
}

// ratio is the median of the ratios within each round.
func ratio(samples, reference []sample, of func(sample) float64) float64 {
	var all []float64
	for i := range samples {
		all = append(all, of(samples[i])/of(reference[i]))
	}
	return median(all)
}

// rowOf takes the medians.
func rowOf(name string, samples, reference []sample) row {
	return row{
		name:     name,
		perSec:   median(each(samples, func(s sample) float64 { return s.PerSec })),
		p50:      median(each(samples, func(s sample) time.Duration { return s.P50 })),
		p99:      median(each(samples, func(s sample) time.Duration { return s.P99 })),
		cpu:      median(each(samples, func(s sample) time.Duration { return s.cpu })),
		crm:      median(each(samples, func(s sample) float64 { return s.crm })),
		ratio:    ratio(samples, reference, func(s sample) float64 { return s.PerSec }),
		cpuRatio: ratio(samples, reference, func(s sample) float64 { return float64(s.cpu) }),
		p50Ratio: ratio(samples, reference, func(s sample) float64 { return float64(s.P50) }),
	}
}

func each[T any](samples []sample, of func(sample) T) []T {
	var all []T
	for _, s := range samples {
		all = append(all, of(s))
	}
	return all
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// table is a result in Markdown.
func (r result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n", r.scenario.name)
	b.WriteString("| | calls/s | to reverse_proxy | p50 | to reverse_proxy | p99 | CPU per call | to reverse_proxy | requests at the CRM per call |\n")
	b.WriteString("| --- | --: | --: | --: | --: | --: | --: | --: | --: |\n")
	for _, one := range r.rows {
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %s | %.2f | %s | %s | %.2f | %.3f |\n",
			one.name, one.perSec, one.ratio, micros(one.p50), one.p50Ratio, micros(one.p99), micros(one.cpu), one.cpuRatio, one.crm)
	}
	if r.beside != "" {
		b.WriteString("\n" + r.beside + "\n")
	}
	return b.String()
}

func micros(d time.Duration) string {
	if d >= 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}

// write puts the tables into docs/performance.md and draws the plot beside it.
func write(folder string, results []result) error {
	var tables strings.Builder
	fmt.Fprintf(&tables, "\n%s, %d processors, %s.\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version())
	for _, r := range results {
		tables.WriteString(r.table())
	}
	if err := os.WriteFile(filepath.Join(folder, "performance.svg"), []byte(plot(results)), 0o644); err != nil { //nolint:gosec // a document
		return err
	}
	return document.Write(filepath.Join(folder, "performance.md"), "make bench", tables.String())
}

// plot draws calls per second as bars, in each case to reverse_proxy's.
func plot(results []result) string {
	const (
		left, width, bar, gap = 150, 520, 18, 6
		reach                 = 6.0 // times reverse_proxy
	)
	var b strings.Builder
	y := 30
	for _, r := range results {
		fmt.Fprintf(&b, `<text x="8" y="%d" class="case">%s</text>`+"\n", y, r.scenario.name)
		y += 10
		for _, one := range r.rows {
			length := int(min(one.ratio, reach) / reach * width)
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%d" height="%d" class="%s"/><text x="%d" y="%d">%.2f × (%.0f/s)</text>`+"\n",
				left-8, y+bar-4, one.name, left, y, length, bar, class(one.name), left+length+6, y+bar-4, one.ratio, one.perSec)
			y += bar + gap
		}
		y += 26
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 %d" width="820" height="%d" role="img" aria-label="Calls per second, as multiples of reverse_proxy">
<style>svg { background: #fff } text { font: 13px system-ui, sans-serif; fill: #1b1f24 } .case { font-weight: 600 } rect { fill: #9aa4af } .gateway { fill: #0b57d0 }</style>
%s</svg>
`, y, y, b.String())
}

func class(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".js")) }
