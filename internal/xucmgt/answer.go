package xucmgt

import (
	"bytes"
	"encoding/json"
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

// wire is the answer as XucMgt reads it.
type wire struct {
	Action          string   `json:"action"`
	Event           Event    `json:"event,omitempty"`
	URL             string   `json:"url,omitempty"`
	Title           string   `json:"title,omitempty"`
	ExecutableArgs  []string `json:"executableArgs,omitempty"`
	Autopause       bool     `json:"autopause,omitempty"`
	AutopauseReason string   `json:"autopauseReason,omitempty"`
	Multitab        bool     `json:"multitab,omitempty"`
}

// marshal leaves & and < as they are: an address should be readable in a log.
func (w wire) marshal() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(w)
	return bytes.TrimSpace(b.Bytes()), err
}

// MarshalJSON writes the answer in the contract's form.
func (a Open) MarshalJSON() ([]byte, error) {
	w := wire{Action: a.Action(), Event: a.Event, URL: a.URL, Title: a.Title}
	if a.Pause != nil {
		w.Autopause, w.AutopauseReason = true, a.Pause.Reason
	}
	return w.marshal()
}

// MarshalJSON writes the answer in the contract's form.
func (a Popup) MarshalJSON() ([]byte, error) {
	return wire{Action: a.Action(), Event: a.Event, URL: a.URL, Title: a.Title, Multitab: a.Multitab}.marshal()
}

// MarshalJSON writes the answer in the contract's form.
func (a Run) MarshalJSON() ([]byte, error) {
	return wire{Action: a.Action(), Event: a.Event, URL: a.Program, Title: a.Title, ExecutableArgs: a.Args}.marshal()
}

// MarshalJSON writes the answer in the contract's form.
func (a None) MarshalJSON() ([]byte, error) {
	return wire{Action: a.Action()}.marshal()
}
