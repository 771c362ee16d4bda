package caddymodule

import (
	"context"
	"slices"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// decide makes the answer to a call: Call -> Number -> Lookup -> Records ->
// Rules -> Answer. It returns the answer with the story of how it came about.
func (h *Handler) decide(ctx context.Context, call xucmgt.Call, arrived time.Time, agent visitor) *trace {
	t := h.begin(call, arrived, h.identify(call))
	t.rule = h.rules.For(&t.situation.Call)
	agent.ctx, agent.until, agent.rule = ctx, arrived.Add(h.deadline-h.reserve()), t.rule.Name
	t.situation.Pages = agent
	if t.caller.isKnowable() {
		h.find(ctx, t)
	} else {
		h.describe(&t.situation, h.engine.First(t.rule.Ask...))
	}
	t.answer, t.unanswered = t.rule.Answer(&t.situation)
	t.took = time.Since(arrived)
	return t
}

// begin is the story of a call of which nothing but the caller is known yet.
func (h *Handler) begin(call xucmgt.Call, arrived time.Time, who caller) *trace {
	return &trace{arrived: arrived, caller: who, situation: pop.Situation{Call: call, Number: who.number, Outcome: who.outcome()}}
}

// caller is who calls, as far as the call itself tells.
type caller struct {
	// text is what was to be looked up.
	text string
	// number is what it was read as; notANumber says why there is none.
	number     phone.Number
	notANumber error
	// colleague is set for callers who are not looked up.
	colleague bool
}

// isKnowable reports whether there is a number that CRMs can be asked for.
func (c caller) isKnowable() bool { return !c.colleague && c.notANumber == nil }

// outcome is what is known without asking any CRM.
func (c caller) outcome() pop.Outcome {
	if c.colleague {
		return pop.Internal
	}
	return pop.Withheld
}

// identify reads who calls from the first text that names somebody, or else
// from the caller as delivered.
func (h *Handler) identify(call xucmgt.Call) caller {
	for _, text := range h.lookupBy {
		rendered, err := text.Render(call)
		if err != nil {
			continue
		}
		if c := h.read(rendered); c.colleague || c.notANumber == nil {
			return c
		}
	}
	return h.read(call.Caller)
}

func (h *Handler) read(text string) caller {
	if slices.ContainsFunc(h.internal, func(p phone.Pattern) bool { return p.Match(h.region, text) }) {
		return caller{text: text, colleague: true}
	}
	number, err := h.numbers.Parse(text)
	return caller{text: text, number: number, notANumber: err}
}

// find asks the CRMs.
func (h *Handler) find(ctx context.Context, t *trace) {
	t.finding = h.engine.Find(ctx, h.query(&t.situation), lookup.Terms{Arrived: t.arrived, Deadline: h.deadline, Ask: t.rule.Ask})
	t.situation.Records = t.finding.Records
	t.situation.Outcome = pop.OutcomeOf(len(t.finding.Records), t.finding.Err)
	h.describe(&t.situation, t.finding.CRM)
}

// reserve is what of the deadline is left for writing the answer when its page
// was waited for.
func (h *Handler) reserve() time.Duration { return min(h.deadline/16, 10*time.Millisecond) }

// describe fills in what {crm.*} stands for.
func (h *Handler) describe(situation *pop.Situation, connector crm.Connector) {
	situation.CRM = connector.Profile()
	situation.Links = connector.Links(h.query(situation))
}

func (h *Handler) query(situation *pop.Situation) crm.Query {
	return crm.Query{Call: situation.Call, Number: situation.Number, Region: h.region}
}
