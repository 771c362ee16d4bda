package pop

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// The actions of the contract.
const (
	actionOpen  = "open"
	actionPopup = "popup"
	actionRun   = "run"
	actionNone  = "none"
)

var actions = []string{actionOpen, actionPopup, actionRun, actionNone}

// Situation is everything that an answer can speak of.
type Situation struct {
	Call   xucmgt.Call
	Number phone.Number
	// Outcome chooses the response.
	Outcome Outcome
	// Records are the matches; the first of one is {contact.*}.
	Records []crm.Record
	// CRM and Links are those of {crm.*}.
	CRM   crm.Profile
	Links crm.Links
	// Pages makes the addresses of our own pages; nil if there are none.
	Pages Pages
}

// Pages are our own pages, as answers need them.
type Pages interface {
	// Address returns the address of a page about a situation.
	Address(page string, s *Situation) (string, error)
	// MayFrame reports whether the agent application may show a page in its pane,
	// and IsSameSite whether the browser then sends that page its cookies: without
	// them, most CRMs show their login.
	MayFrame(address string) bool
	IsSameSite(address string) bool
}

func (s *Situation) contact() crm.Record {
	if s.Outcome != One || len(s.Records) == 0 {
		return crm.Record{}
	}
	return s.Records[0]
}

// response is a compiled [Response]: it makes one kind of answer.
type response struct {
	action string
	answer func(*Situation) (xucmgt.Answer, error)
}

// defaults are the responses where `on` is left out, as far as the pages that
// they open are there.
func (o Options) defaults() map[Outcome]Response {
	responses := map[Outcome]Response{
		One:         {Action: actionPopup, URL: "{contact.url}"},
		Many:        {Action: actionPopup, URL: "{crm.search_url}"},
		None:        {Action: actionNone},
		Withheld:    {Action: actionNone},
		Internal:    {Action: actionNone},
		Unreachable: {Action: actionNone},
	}
	for outcome, page := range map[Outcome]string{One: frame, Many: "chooser", None: "unknown", Unreachable: "waiting"} {
		if slices.Contains(o.Pages, page) {
			responses[outcome] = Response{Action: actionOpen, URL: "{pane." + page + "}", automatic: true}
		}
	}
	return responses
}

// The pages that answers know by name.
const (
	frame = "frame"
	card  = "card"
)

// over lays a response over the one outside of it. What the outer one says
// that the action can't use is left behind.
func (r Response) over(outer Response) Response {
	if r.Action == "" {
		r.Action = outer.Action
	}
	usable := options[r.Action]
	if r.URL == "" && r.Action == outer.Action {
		r.URL, r.automatic = outer.URL, outer.automatic
		if len(r.Args) == 0 { // another program's arguments are not this one's
			r.Args = outer.Args
		}
	}
	if r.Event == "" && slices.Contains(usable, "event") {
		r.Event = outer.Event
	}
	if r.Title == "" && slices.Contains(usable, "title") {
		r.Title = outer.Title
	}
	if r.Autopause == nil && slices.Contains(usable, "autopause") {
		r.Autopause = outer.Autopause
		r.AutopauseReason = cmp.Or(r.AutopauseReason, outer.AutopauseReason)
	}
	if r.Multitab == nil && slices.Contains(usable, "multitab") {
		r.Multitab = outer.Multitab
	}
	return r
}

// options are what each action can use besides its url.
var options = map[string][]string{
	actionOpen:  {"event", "title", "autopause"},
	actionPopup: {"event", "title", "multitab"},
	actionRun:   {"event", "title", "args"},
	actionNone:  {},
}

// used returns the options that a response sets.
func (r Response) used() []string {
	var used []string
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"event", r.Event != ""},
		{"title", r.Title != ""},
		{"autopause", r.Autopause != nil || r.AutopauseReason != ""},
		{"multitab", r.Multitab != nil},
		{"args", len(r.Args) > 0},
	} {
		if option.set {
			used = append(used, option.name)
		}
	}
	return used
}

// compile checks a response, complete with what it falls back to.
func (r Response) compile(scope *template.Scope[*Situation], options Options) (response, error) {
	if err := r.check(); err != nil {
		return response{}, err
	}
	if r.Action == actionNone {
		return response{actionNone, func(*Situation) (xucmgt.Answer, error) { return xucmgt.None{}, nil }}, nil
	}
	event := xucmgt.EventRinging
	if r.Event != "" {
		event = xucmgt.Event(r.Event)
	}
	title, err := template.Compile(r.Title, template.Text, scope)
	if err != nil {
		return response{}, mistake.In("title", err)
	}
	if r.Action == actionRun {
		return r.compileRun(event, title, scope)
	}
	return r.compilePage(event, title, scope, options)
}

func (r Response) check() error {
	if !slices.Contains(actions, r.Action) {
		return fmt.Errorf("unknown action %q; there are %s%s", r.Action, strings.Join(actions, ", "), meant(r.Action, actions))
	}
	for _, option := range r.used() {
		if !slices.Contains(options[r.Action], option) {
			return mistake.In(option, fmt.Errorf("can't be used with %s%s", r.Action, actionFor(option)))
		}
	}
	switch {
	case r.Action == actionNone && r.URL != "":
		return errors.New("none takes no url")
	case r.Action != actionNone && r.URL == "":
		return fmt.Errorf("%s lacks its url; write for example: %s", r.Action, examples[r.Action])
	case r.Event != "" && !slices.Contains(xucmgt.Events(), xucmgt.Event(r.Event)):
		return mistake.In("event", fmt.Errorf("unknown event %q; there are EventRinging, EventEstablished, EventReleased", r.Event))
	case r.AutopauseReason != "" && !isTrue(r.Autopause):
		return mistake.In("autopause", errors.New("has a reason but is off; set autopause to true, or leave the reason out"))
	case strings.Contains(r.AutopauseReason, "{"):
		return mistake.In("autopause", errors.New("the reason is the name of a pause status and takes no placeholder"))
	}
	return nil
}

var examples = map[string]string{
	actionOpen:  "open {contact.url}",
	actionPopup: "popup {contact.url}",
	actionRun:   `run "C:\Program Files\Erp\erp.exe"`,
}

// actionFor says which action an option belongs to.
func actionFor(option string) string {
	for _, action := range actions {
		if slices.Contains(options[action], option) {
			return "; it belongs to " + action
		}
	}
	return ""
}

func meant(word string, candidates []string) string {
	if nearest := template.Nearest(word, candidates); nearest != "" {
		return "; did you mean " + nearest + "?"
	}
	return ""
}

// compilePage makes the answers that open an address.
func (r Response) compilePage(event xucmgt.Event, title *template.Template[*Situation], scope *template.Scope[*Situation], options Options) (response, error) {
	address, err := template.Compile(r.URL, template.URL, scope)
	if err != nil {
		return response{}, mistake.In("url", err)
	}
	page := page{
		event: event, title: title, address: address, refused: cmp.Or(options.Refused, actionPopup),
		hasCard: slices.Contains(options.Pages, card), automatic: r.automatic, multitab: isTrue(r.Multitab),
	}
	if isTrue(r.Autopause) {
		page.pause = &xucmgt.Pause{Reason: r.AutopauseReason}
	}
	if page.isFrame() {
		if page.record, err = template.Compile("{contact.url}", template.URL, scope); err != nil {
			return response{}, mistake.In("url", err)
		}
	}
	if r.Action == actionOpen {
		return response{r.Action, page.open}, nil
	}
	return response{r.Action, page.window}, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// compileRun makes the answers that start a program. Which one is fixed when
// the configuration loads: nothing of a call decides what is executed.
func (r Response) compileRun(event xucmgt.Event, title *template.Template[*Situation], scope *template.Scope[*Situation]) (response, error) {
	if strings.ContainsAny(r.URL, "{}") {
		return response{}, mistake.In("url", fmt.Errorf("run takes the path of a program without placeholders, not %q: what a call holds must not decide what is executed; values belong in args", r.URL))
	}
	var args []*template.Template[*Situation]
	for _, text := range r.Args {
		arg, err := template.Compile(text, template.Argument, scope)
		if err != nil {
			return response{}, mistake.In("args", err)
		}
		args = append(args, arg)
	}
	answer := func(s *Situation) (xucmgt.Answer, error) {
		rendered := make([]string, len(args))
		for i, arg := range args {
			text, err := arg.Render(s)
			if err != nil {
				return nil, fmt.Errorf("the argument %s can't be used: %w", arg, err)
			}
			rendered[i] = text
		}
		return xucmgt.Run{Event: event, Program: r.URL, Args: rendered, Title: shown(title, s)}, nil
	}
	return response{actionRun, answer}, nil
}

// maxTitle is what fits in a tab with much good will, in characters.
const maxTitle = 200

func shown(title *template.Template[*Situation], s *Situation) string {
	text, err := title.Render(s)
	if err != nil {
		return ""
	}
	if runes := []rune(text); len(runes) > maxTitle {
		return string(runes[:maxTitle]) + "…"
	}
	return text
}
