package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// serveCall answers one ringing call: Call -> Number -> Lookup -> Records ->
// Rules -> Answer.
func (h *Handler) serveCall(w http.ResponseWriter, r *http.Request, allowed bool, arrived time.Time) {
	if !allowed {
		h.logOrigin(r)
		refuse(w, http.StatusForbidden, "origin_not_allowed",
			"this page's origin is not one of those that screen_pop serves; the administrator can add it to origins")
		return
	}
	call, rejected := readCall(w, r)
	if rejected != nil {
		h.logRejected(rejected)
		refuse(w, rejected.status, rejected.code, rejected.message)
		return
	}
	t := h.decide(r.Context(), call, arrived)
	t.abandoned = r.Context().Err() != nil
	writeAnswer(w, t.answer)
	h.log(t)
}

// maxDiscarded bounds how much of an oversized body is read to its end, in bytes.
const maxDiscarded = 16 << 20

// rejection is why a request is not a call.
type rejection struct {
	status        int
	code, message string
}

// readCall reads and decodes the request.
func readCall(w http.ResponseWriter, r *http.Request) (xucmgt.Call, *rejection) {
	if rejected := checkMedia(r.Header); rejected != nil {
		return xucmgt.Call{}, rejected
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, xucmgt.MaxBody))
	if err != nil {
		// A client that is still sending would see a broken connection instead
		// of the reason.
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		return xucmgt.Call{}, bodyRejection(err)
	}
	call, err := xucmgt.Decode(body)
	if wrong, ok := errors.AsType[*xucmgt.DecodeError](err); ok {
		return xucmgt.Call{}, &rejection{http.StatusBadRequest, wrong.Code, wrong.Message}
	}
	if err != nil {
		return xucmgt.Call{}, &rejection{http.StatusBadRequest, "unreadable", "the call could not be read"}
	}
	return call, nil
}

// checkMedia insists on JSON: a page of another site can post text/plain
// without asking first, but not JSON.
func checkMedia(header http.Header) *rejection {
	contentType := header.Get("Content-Type")
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	switch charset := strings.ToLower(parameters["charset"]); {
	case err != nil || mediaType != "application/json":
		return &rejection{
			http.StatusUnsupportedMediaType, "unsupported_media_type",
			"the call must be sent as Content-Type: application/json",
		}
	case charset != "" && charset != "utf-8" && charset != "utf8":
		return &rejection{http.StatusUnsupportedMediaType, "unsupported_charset", "the call must be sent in UTF-8"}
	case header.Get("Content-Encoding") != "":
		return &rejection{http.StatusUnsupportedMediaType, "unsupported_encoding", "the call must be sent without a Content-Encoding"}
	}
	return nil
}

// bodyRejection tells a body that is too large, by our limit or by an outer
// request_body directive, from one that broke off.
func bodyRejection(err error) *rejection {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &rejection{
			http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the body is larger than %d bytes; a call is much smaller", tooLarge.Limit),
		}
	}
	return &rejection{http.StatusBadRequest, "unreadable", "the body could not be read to its end"}
}

// decide makes the answer to a call, and the story of how it came about.
func (h *Handler) decide(ctx context.Context, call xucmgt.Call, arrived time.Time) trace {
	rule := h.rules.For(call)
	t := trace{call: call, rule: rule, arrived: arrived, text: h.subject(call)}
	t.situation = h.situation(ctx, &t)
	t.answer, t.unanswered = rule.Answer(t.situation)
	t.took = time.Since(arrived)
	return t
}

// subject is the text to look up: the first that names somebody, or else the
// caller as delivered.
func (h *Handler) subject(call xucmgt.Call) string {
	for _, text := range h.lookupBy {
		rendered, err := text.Render(call)
		if err == nil && h.namesSomebody(rendered) {
			return rendered
		}
	}
	return call.Caller
}

func (h *Handler) namesSomebody(text string) bool {
	_, err := h.region.Parse(text)
	return err == nil || h.isColleague(text)
}

func (h *Handler) isColleague(text string) bool {
	return slices.ContainsFunc(h.internal, func(p phone.Pattern) bool { return p.Match(h.region, text) })
}

// situation finds out what is known of the caller.
func (h *Handler) situation(ctx context.Context, t *trace) pop.Situation {
	situation := pop.Situation{Call: t.call}
	if h.isColleague(t.text) {
		situation.Outcome = pop.Internal
		return h.withCRM(situation, t)
	}
	number, err := h.region.Parse(t.text)
	if err != nil {
		situation.Outcome, t.notANumber = pop.Withheld, err
		return h.withCRM(situation, t)
	}
	situation.Number = number
	return h.find(ctx, situation, t)
}

// withCRM fills in what {crm.*} stands for when no CRM was asked.
func (h *Handler) withCRM(situation pop.Situation, t *trace) pop.Situation {
	first := h.engine.First(t.rule.Ask...)
	situation.CRM = first.Profile()
	situation.Links = first.Links(h.query(situation))
	return situation
}

func (h *Handler) query(situation pop.Situation) crm.Query {
	return crm.Query{Call: situation.Call, Number: situation.Number, Region: h.region}
}

// find asks the CRMs. They get a little less time than there is: what is left
// is for reading what they have found by then, and for writing the answer.
func (h *Handler) find(ctx context.Context, situation pop.Situation, t *trace) pop.Situation {
	reserve := min(h.deadline/4, 50*time.Millisecond)
	until := t.arrived.Add(h.deadline - reserve)
	ctx, cancel := context.WithDeadlineCause(ctx, until, &crm.DeadlineError{Deadline: h.deadline})
	defer cancel()
	patience := time.NewTimer(time.Until(until.Add(reserve / 2)))
	defer patience.Stop()

	t.finding = h.engine.Find(ctx, patience.C, h.query(situation), t.rule.Ask...)
	situation.Records = t.finding.Records
	situation.Outcome = pop.OutcomeOf(len(situation.Records), t.finding.Err)
	situation.CRM = t.finding.CRM.Profile()
	situation.Links = t.finding.CRM.Links(h.query(situation))
	return situation
}

// writeAnswer sends what XucMgt is to do.
func writeAnswer(w http.ResponseWriter, answer xucmgt.Answer) {
	writeJSON(w, http.StatusOK, answer)
}

// refuse sends a mistake of the client's, in words for whoever mends it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	type problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, status, map[string]problem{"error": {code, message}})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a browser that went away has no use for an error
}
