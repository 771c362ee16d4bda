package main

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the gateway's log is watched for.
const (
	aCall        = `"msg":"call answered`
	crmLost      = "a CRM fails and is left alone"
	crmFound     = "a CRM answers again"
	storeLost    = "the shared cache can't be reached"
	storeFound   = "the shared cache can be reached"
	toNobody     = "call answered to nobody"
	aPanic       = "panic"
	aRace        = "DATA RACE"
	maxTrouble   = 400 // lines that are kept of panics and races
	linesTrouble = 60  // of each
	maxLast      = 20
)

var watched = []string{aCall, crmLost, crmFound, storeLost, storeFound, toNobody, aPanic, aRace}

// journal reads the log of a gateway as it is written, and keeps none of it but
// its last lines and what is wrong.
type journal struct {
	mu      sync.Mutex
	partial []byte
	counts  map[string]int
	last    []string
	trouble []string
	// slowest is the longest that a call took, as the gateway sees it.
	slowest     time.Duration
	slowestLine string
	follow      int
}

func (j *journal) Write(text []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, text...)
	for {
		line, rest, found := bytes.Cut(j.partial, []byte("\n"))
		if !found {
			j.partial = append([]byte(nil), j.partial...) // the rest can go
			return len(text), nil
		}
		j.read(string(line))
		j.partial = rest
	}
}

func (j *journal) read(line string) {
	if j.counts == nil {
		j.counts = map[string]int{}
	}
	for _, what := range watched {
		if strings.Contains(line, what) {
			j.counts[what]++
		}
	}
	if strings.Contains(line, aCall) {
		if took := tookOf(line); took > j.slowest {
			j.slowest, j.slowestLine = took, line
		}
	}
	j.last = append(j.last, line)
	j.last = j.last[max(0, len(j.last)-maxLast):]
	if strings.Contains(line, aPanic) || strings.Contains(line, aRace) {
		j.follow = linesTrouble
	}
	if j.follow > 0 && len(j.trouble) < maxTrouble {
		j.trouble = append(j.trouble, line)
		j.follow--
	}
}

// tookOf is how long a call took: what is called so first.
func tookOf(line string) time.Duration {
	_, rest, _ := strings.Cut(line, `"took":`)
	text, _, _ := strings.Cut(rest, ",")
	seconds, _ := strconv.ParseFloat(text, 64)
	return time.Duration(seconds * float64(time.Second))
}

// slowestCall is the longest that a call took, as the gateway sees it, and what the
// log says about it.
func (j *journal) slowestCall() (took time.Duration, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.slowest, j.slowestLine
}

// count is how many lines say so.
func (j *journal) count(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[what]
}

// end is the last that was logged.
func (j *journal) end() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.last, "\n")
}

// troubles is what the log says of panics and races.
func (j *journal) troubles() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.trouble, "\n")
}
