package xucmgt

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Event is the moment of a call at which XucMgt acts on an answer.
type Event string

// The events that XucMgt knows (all releases). Only EventRinging fires however
// late the answer arrives: the client drops an answer to a moment that has passed.
const (
	EventRinging     Event = "EventRinging"
	EventEstablished Event = "EventEstablished"
	EventReleased    Event = "EventReleased"
)

// Events lists every [Event], in the order of a call.
func Events() []Event { return []Event{EventRinging, EventEstablished, EventReleased} }

// Answer is what XucMgt is told to do. Its implementations are the four
// actions, each with the fields that it can use and no other: an answer that
// pauses an agent with no pane to close can't be written down.
type Answer interface {
	// Action is the action's name in the contract: open, popup, run or none.
	Action() string
	json.Marshaler
}

// Open shows a page in the pane inside the agent application (all releases).
type Open struct {
	Event Event
	URL   string
	Title string
	// Pause, when not nil, pauses the agent while the pane is open. The agent
	// is only released by a page that posts "closeThirdParty" to its parent.
	Pause *Pause
}

// Pause asks for the agent's pause while a pane is open.
type Pause struct {
	// Reason is the name of a pause status; "" is the plain pause.
	Reason string
}

// Popup shows a page in a browser window of its own (since 2017.11).
type Popup struct {
	Event Event
	URL   string
	Title string
	// Multitab opens a new window for each call instead of reusing one.
	Multitab bool
}

// Run starts a program on the agent's machine; it works in the desktop
// application only (since 2021.07).
type Run struct {
	Event   Event
	Program string
	Args    []string
	Title   string
}

// None does nothing. It is exactly {"action":"none"}: the client acts on a
// stray autopause whatever the action is.
type None struct{}

// Action returns "open".
func (Open) Action() string { return "open" }

// Action returns "popup".
func (Popup) Action() string { return "popup" }

// Action returns "run".
func (Run) Action() string { return "run" }

// Action returns "none".
func (None) Action() string { return "none" }

// wire is an answer as XucMgt reads it, while it is written. What is blank is left
// out.
type wire []byte

// usualAnswer is the size of most answers, in bytes.
const usualAnswer = 256

func begin(a Answer) wire {
	return append(make(wire, 0, usualAnswer), `{"action":"`+a.Action()+`"`...)
}

func (w wire) text(name, text string) wire {
	if text == "" {
		return w
	}
	return w.name(name).quote(text)
}

func (w wire) texts(name string, texts []string) wire {
	if len(texts) == 0 {
		return w
	}
	w = append(w.name(name), '[')
	for i, text := range texts {
		if i > 0 {
			w = append(w, ',')
		}
		w = w.quote(text)
	}
	return append(w, ']')
}

func (w wire) flag(name string, set bool) wire {
	if !set {
		return w
	}
	return append(w.name(name), "true"...)
}

func (w wire) name(name string) wire {
	w = append(w, `,"`...)
	w = append(w, name...)
	return append(w, `":`...)
}

// quote writes a text. It leaves & and < as they are: an address should be
// readable in a log.
func (w wire) quote(text string) wire {
	if !isPlain(text) {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(text) // a text can always be written
		return append(w, bytes.TrimSpace(b.Bytes())...)
	}
	w = append(w, '"')
	w = append(w, text...)
	return append(w, '"')
}

// isPlain reports whether a text stands in JSON as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (w wire) end() ([]byte, error) { return append(w, '}'), nil }

// MarshalJSON writes the answer in the contract's form.
func (a Open) MarshalJSON() ([]byte, error) {
	w := begin(a).text("event", string(a.Event)).text("url", a.URL).text("title", a.Title)
	if a.Pause != nil {
		w = w.flag("autopause", true).text("autopauseReason", a.Pause.Reason)
	}
	return w.end()
}

// MarshalJSON writes the answer in the contract's form.
func (a Popup) MarshalJSON() ([]byte, error) {
	return begin(a).text("event", string(a.Event)).text("url", a.URL).text("title", a.Title).flag("multitab", a.Multitab).end()
}

// MarshalJSON writes the answer in the contract's form.
func (a Run) MarshalJSON() ([]byte, error) {
	return begin(a).text("event", string(a.Event)).text("url", a.Program).text("title", a.Title).texts("executableArgs", a.Args).end()
}

// MarshalJSON writes the answer in the contract's form.
func (a None) MarshalJSON() ([]byte, error) { return begin(a).end() }
