package caddymodule

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// trace is the story of one call's decision.
type trace struct {
	arrived   time.Time
	took      time.Duration
	caller    caller
	finding   lookup.Finding
	situation pop.Situation
	rule      pop.Rule
	answer    xucmgt.Answer
	// unanswered is why the rule's page could not be opened.
	unanswered error
	// abandoned is set when the agent's browser went away before the answer.
	abandoned bool
	// again is set when a page of ours looked the caller up, after the answer.
	again bool
}

// log writes one line for a call. It is an error when the caller could not be
// looked up, a warning when something needs mending, else information.
func (h *Handler) log(t *trace) {
	level, message := zapcore.InfoLevel, "call answered"
	switch {
	case t.again && t.abandoned:
		message = "a page gave up looking the caller up"
	case t.again && t.situation.Outcome == pop.Unreachable:
		level, message = zapcore.ErrorLevel, "a page could not look the caller up"
	case t.again:
		message = "a page looked the caller up"
	case t.abandoned:
		message = "call answered to nobody: the agent's browser went away"
	case t.situation.Outcome == pop.Unreachable:
		level, message = zapcore.ErrorLevel, "call answered although the caller could not be looked up"
	case t.finding.Err != nil || t.unanswered != nil || t.doubt() != nil:
		level, message = zapcore.WarnLevel, "call answered with a problem"
	}
	if entry := h.logger.Check(level, message); entry != nil {
		entry.Write(t.fields()...)
	}
}

func (h *Handler) logRejected(r *rejection) {
	h.logger.Warn("refused a request that is not a call",
		zap.Int("status", r.status), zap.String("code", r.code), zap.String("reason", logText(r.message)))
}

func (t *trace) fields() []zap.Field {
	call := &t.situation.Call
	fields := []zap.Field{
		zap.String("call", logID(call.ID)),
		zap.String("agent", logText(call.User.AgentID)),
		zap.String("queue", logText(call.Queue.Name)),
		zap.String("caller", t.maskedCaller()),
		zap.String("did", phone.MaskRaw(call.DID())),
		zap.String("outcome", string(t.situation.Outcome)),
		zap.String("rule", t.ruleName()),
		zap.String("action", t.answer.Action()),
		zap.Duration("took", t.took),
	}
	if t.situation.Outcome == pop.Withheld {
		fields = append(fields, zap.String("why", t.caller.notANumber.Error()))
	}
	if len(t.situation.Records) > 0 {
		fields = append(fields, zap.Array("records", records(t.situation.Records)))
	}
	if len(t.finding.Reports) > 0 {
		fields = append(fields, zap.Array("crms", reports(t.finding.Reports)))
	}
	if err := errors.Join(t.finding.Err, t.doubt()); err != nil {
		fields = append(fields, zap.String("error", oneLine(err)))
	}
	if t.unanswered != nil {
		fields = append(fields, zap.String("not_opened", t.unanswered.Error()))
	}
	return fields
}

// doubt is why "not found" may not mean that. Where somebody was found it does
// not matter.
func (t *trace) doubt() error {
	if len(t.situation.Records) > 0 {
		return nil
	}
	var doubts []error
	told := map[string]bool{} // each spelling has the same
	for _, report := range t.finding.Reports {
		for _, request := range report.Result.Requests {
			if request.Doubt != nil && !told[request.Doubt.Error()] {
				told[request.Doubt.Error()] = true
				doubts = append(doubts, request.Doubt)
			}
		}
	}
	return errors.Join(doubts...)
}

func (t *trace) maskedCaller() string {
	if !t.situation.Number.IsZero() {
		return t.situation.Number.Masked()
	}
	return phone.MaskRaw(t.caller.text)
}

// ruleName says which line of the configuration chose the answer.
func (t *trace) ruleName() string {
	name := "on " + string(t.situation.Outcome)
	if t.rule.Name != "" {
		return t.rule.Name + ": " + name
	}
	return name
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

type records []crm.Record

// MarshalLogArray tells which records were found, without anything personal.
func (r records) MarshalLogArray(array zapcore.ArrayEncoder) error {
	for _, record := range r {
		array.AppendString(phone.MaskIdentifier(printable(record.Kind + " " + record.ID))) // some CRMs key people by their number
	}
	return nil
}

type reports []lookup.Report

// MarshalLogArray tells what each CRM was asked and said.
func (r reports) MarshalLogArray(array zapcore.ArrayEncoder) error {
	for _, report := range r {
		if err := array.AppendObject(loggedReport(report)); err != nil {
			return err
		}
	}
	return nil
}

type loggedReport lookup.Report

// MarshalLogObject writes one CRM's part.
func (r loggedReport) MarshalLogObject(object zapcore.ObjectEncoder) error {
	object.AddString("crm", r.CRM)
	object.AddDuration("took", r.Took)
	if r.Origin != lookup.Asked {
		object.AddString("from", string(r.Origin))
	}
	if r.Age > 0 {
		object.AddDuration("age", r.Age)
	}
	if r.Stale {
		object.AddBool("stale", true)
	}
	object.AddInt("records", len(r.Result.Records))
	if r.Dropped > 0 {
		object.AddInt("dropped", r.Dropped)
	}
	if r.Left {
		object.AddBool("left", true)
	}
	if len(r.Result.Pending) > 0 {
		object.AddString("pending", strings.Join(r.Result.Pending, " "))
	}
	if r.Origin == lookup.Cached || r.Origin == lookup.Shared {
		return nil
	}
	return object.AddArray("requests", requests(r.Result.Requests))
}

type requests []crm.Request

// MarshalLogArray writes each exchange.
func (r requests) MarshalLogArray(array zapcore.ArrayEncoder) error {
	for _, request := range r {
		if err := array.AppendObject(loggedRequest(request)); err != nil {
			return err
		}
	}
	return nil
}

type loggedRequest crm.Request

// MarshalLogObject writes one exchange. "dropped" are records that the CRM
// returned although none of their numbers is the caller's.
func (r loggedRequest) MarshalLogObject(object zapcore.ObjectEncoder) error {
	object.AddString("lookup", r.Lookup)
	if r.Asked != "" {
		object.AddString("asked", r.Asked)
	}
	object.AddInt("status", r.Status)
	object.AddDuration("took", r.Took)
	if r.Waited > 0 {
		object.AddDuration("waited", r.Waited)
	}
	if r.Tries > 1 {
		object.AddInt("tries", r.Tries)
	}
	object.AddInt("returned", r.Returned)
	object.AddInt("kept", r.Kept)
	if r.Dropped > 0 {
		object.AddInt("dropped", r.Dropped)
	}
	return nil
}

// maxLogged bounds what a payload can write into the log, in characters.
const maxLogged = 80

// logText makes a text of a payload fit for the log: one short line without a
// telephone number.
func logText(text string) string { return phone.MaskText(printable(text)) }

func printable(text string) string {
	text = template.OneLine(text)
	if runes := []rune(text); len(runes) > maxLogged {
		text = string(runes[:maxLogged]) + "…"
	}
	return text
}

// asteriskID is a linked id as Asterisk makes them: a time and a counter.
var asteriskID = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z-]*-)?[12]\d{9}\.\d{1,7}$`)

func logID(id string) string {
	if len(id) <= maxLogged && asteriskID.MatchString(id) {
		return id
	}
	return logText(id)
}
