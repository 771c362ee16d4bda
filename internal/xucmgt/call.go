// Package xucmgt is the contract with XiVO's contact-centre agent application
// (XucMgt, "CC Agent"): the call that it posts when the agent's phone rings,
// and the answer that it acts upon. It knows nothing else.
//
// Source: XiVO documentation, "third party integration", 2016.02 to 2024.05.
package xucmgt

import (
	"encoding/json"
	"sync"

	"github.com/tidwall/gjson"
)

// Call is one ringing call, as the agent's browser describes it. Every part
// may be absent: payloads differ between releases, and direct calls have no
// queue. A Call is immutable; the zero Call is a call that says nothing.
type Call struct {
	// User is the agent whose phone rings.
	User User
	// Caller is the calling party's number exactly as the trunk delivered it.
	// It is empty when the number is withheld.
	Caller string
	// Callee is the number that rings. Despite its name in the documentation
	// it is the agent's own extension; for the dialled number see [Call.DID].
	Callee string
	// Queue is the queue that the call came through. It is the zero Queue for
	// direct and internal calls.
	Queue Queue
	// UserData is the call data that XiVO attaches: XIVO_* from the dialplan,
	// USR_* from integrators.
	UserData map[string]string
	// ID is callDataCallId, Asterisk's linked id: one call keeps it over
	// transfers. To be treated as opaque.
	ID string

	// payload is the posted document, without the token.
	payload *payload
}

// payload is a document that is read only when somebody asks for a part of it
// that a Call does not have: most calls are answered without.
type payload struct {
	posted  []byte // the token is wiped out of it
	once    sync.Once
	written []byte
}

// bytes is the document in canonical form.
func (p *payload) bytes() []byte {
	if p == nil {
		return nil
	}
	p.once.Do(func() {
		document, err := decodeObject(p.posted)
		if err != nil {
			return // nested deeper than any call
		}
		forgetToken(document)
		p.written, _ = json.Marshal(document) // it came out of a JSON decoder
	})
	return p.written
}

// User is the agent, as XiVO knows them. The agent's live session token is
// part of the payload, but deliberately not of this type.
type User struct {
	ID        string
	AgentID   string
	FirstName string
	LastName  string
	FullName  string
}

// Queue is the waiting queue that a call was distributed by.
type Queue struct {
	ID          string
	Name        string
	DisplayName string
	Number      string
}

// dialledNumber is where XiVO keeps the number that the caller dialled
// (XiVO 2020.18 to 2026.05, phone events).
const dialledNumber = "XIVO_DSTNUM"

// DID returns the number that the caller dialled, or "" when XiVO did not say.
func (c Call) DID() string { return c.UserData[dialledNumber] }

// Get returns what stands at a gjson path of the posted document, by the
// payload's own names ("queue.displayName"), as text. Something absent or null
// is "". The agent's token can't be reached.
func (c Call) Get(path string) string {
	switch {
	case c.payload == nil:
		return ""
	case path == "caller": // what is looked up, unless configured otherwise
		return c.Caller
	}
	return gjson.GetBytes(c.payload.bytes(), path).String()
}

// JSON returns the posted document, without the agent's token; nil for a call
// that was not posted.
func (c Call) JSON() []byte { return c.payload.bytes() }

// Payload returns the posted document as decoded JSON, without the agent's
// token and with whole numbers as int64. It is made anew at each call.
func (c Call) Payload() map[string]any {
	document, err := decodeObject(c.payload.bytes())
	if err != nil {
		return map[string]any{}
	}
	return plainNumbers(document).(map[string]any)
}
