package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
)

// agent rings over one connection for as long as it lasts, as a browser does.
type agent struct {
	address string
	line    *load.Line
	tally   *tally
	random  *rand.Rand
}

// maxPause is how long an agent waits at most between calls.
const maxPause = 100 * time.Millisecond

// ring rings once, and pauses.
func (a *agent) ring(id string) {
	caller := a.caller()
	sent := time.Now()
	answer, err := a.answer(caller, id)
	a.tally.add(caller, answer, err, time.Since(sent))
	time.Sleep(time.Duration(a.random.Int64N(int64(maxPause))))
}

// caller is one of a few hundred who ring often, or anybody.
func (a *agent) caller() string {
	if a.random.IntN(2) == 0 {
		return load.OtherCaller(a.random.Int64N(400))
	}
	return load.OtherCaller(a.random.Int64N(60_000_000))
}

// answer rings until there is an answer: again if the connection that was kept is
// closed, as browsers do, and once more if a new one was refused or reset before
// anybody read the call.
func (a *agent) answer(caller, id string) (load.Answer, error) {
	if a.line != nil {
		answer, err := a.try(caller, id)
		if !isUnanswered(err) {
			return answer, err
		}
		a.tally.count(&a.tally.closed)
	}
	answer, err := a.try(caller, id)
	if isUnanswered(err) {
		a.tally.count(&a.tally.refused)
		answer, err = a.try(caller, id)
	}
	return answer, err
}

func isUnanswered(err error) bool {
	_, is := errors.AsType[*load.UnansweredError](err)
	return is
}

func (a *agent) try(caller, id string) (load.Answer, error) {
	if a.line == nil {
		line, err := load.Dial(a.address)
		if err != nil {
			return load.Answer{}, err
		}
		a.line = line
	}
	answer, err := a.line.Ring(caller, id)
	if err != nil {
		_ = a.line.Close() // it is broken
		a.line = nil
	}
	return answer, err
}

// hangUp closes the connection.
func (a *agent) hangUp() {
	if a.line != nil {
		_ = a.line.Close() // nobody rings any more
	}
}

func agentID(agent, call int) string { return fmt.Sprintf("%d.%d", agent, call) }
