package xucmgt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// MaxBody is the largest payload that is read, in bytes. Real ones are below 2 KiB.
const MaxBody = 64 << 10

// DecodeError says why a body is not a call, in words for the person who
// wrote the client.
type DecodeError struct {
	// Code is a stable, machine-readable name of the mistake.
	Code string
	// Message says what was wrong and what would be right.
	Message string
}

func (e *DecodeError) Error() string { return e.Message }

func invalid(code, format string, args ...any) error {
	return &DecodeError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Decode reads the body that XucMgt posts. Unknown keys are ignored, every
// known key may be absent or null, and numbers may come as JSON numbers or as
// text. Of a key that stands there twice, the last counts. What can't be
// understood is a [*DecodeError].
//
// The body is the call's from then on: the agent's token is wiped out of it.
func Decode(body []byte) (Call, error) {
	if !utf8.Valid(body) {
		return Call{}, invalid("invalid_utf8", "the body is not valid UTF-8")
	}
	if !gjson.ValidBytes(body) {
		return Call{}, whyInvalid(body)
	}
	document := gjson.ParseBytes(body)
	if !document.IsObject() {
		return Call{}, notAnObject(document)
	}

	var r reader
	var call Call
	document.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "user":
			call.User = r.user(value, body)
		case "queue":
			call.Queue = r.queue(value)
		case "userData":
			call.UserData = r.userData(value)
		case "caller":
			call.Caller = r.text("caller", value)
		case "callee":
			call.Callee = r.text("callee", value)
		case "callDataCallId":
			call.ID = r.text("callDataCallId", value)
		default:
			if strings.EqualFold(key.Str, "user") {
				_ = new(reader).user(value, body) // for the token that may be in it
			}
		}
		return true
	})
	if r.err != nil {
		return Call{}, r.err
	}
	call.payload = &payload{posted: body}
	return call, nil
}

// whyInvalid says what is wrong with a body that is not one JSON value.
func whyInvalid(body []byte) error {
	if _, err := decodeObject(body); err != nil {
		return err
	}
	return invalid("invalid_json", "the body is not valid JSON")
}

func notAnObject(value gjson.Result) error {
	return invalid("not_an_object", "the body is %s; it must be the JSON object that describes the call", kindOf(value))
}

// wipe overwrites the agent's live session credential with a zero and spaces:
// nothing that keeps the body can show it.
func wipe(token []byte) {
	for i := range token {
		token[i] = ' '
	}
	token[0] = '0'
}

// decodeObject parses exactly one JSON object. Numbers stay as they were
// written: a telephone number must not become 4.27e+08.
func decodeObject(body []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, invalid("empty_body", "the body is empty; it must be the JSON object that describes the call")
		}
		return nil, invalid("invalid_json", "the body is not valid JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid("invalid_json", "the body holds more than one JSON value")
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, notAnObject(gjson.ParseBytes(body))
	}
	return object, nil
}

// forgetToken removes what is left of the agent's token.
func forgetToken(document map[string]any) {
	for key, value := range document {
		if user, ok := value.(map[string]any); ok && strings.EqualFold(key, "user") {
			for name := range user {
				if strings.EqualFold(name, "token") {
					delete(user, name)
				}
			}
		}
	}
}

// reader takes typed values out of a document and keeps the first mistake, so
// that the shape of a call can be read in one piece.
type reader struct{ err error }

func (r *reader) fail(path string, value gjson.Result, want string) {
	if r.err == nil {
		r.err = invalid("invalid_"+strings.ReplaceAll(path, ".", "_"), "%s is %s; it must be %s", path, kindOf(value), want)
	}
}

// user reads the agent, and wipes their token out of the body, however its key is
// spelled.
func (r *reader) user(value gjson.Result, body []byte) (user User) {
	r.object("user", value).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "userId":
			user.ID = r.text("user.userId", value)
		case "agentId":
			user.AgentID = r.text("user.agentId", value)
		case "firstName":
			user.FirstName = r.text("user.firstName", value)
		case "lastName":
			user.LastName = r.text("user.lastName", value)
		case "fullName":
			user.FullName = r.text("user.fullName", value)
		default:
			if strings.EqualFold(key.Str, "token") {
				wipe(body[value.Index : value.Index+len(value.Raw)])
			}
		}
		return true
	})
	return user
}

func (r *reader) queue(value gjson.Result) (queue Queue) {
	r.object("queue", value).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			queue.ID = r.text("queue.id", value)
		case "name":
			queue.Name = r.text("queue.name", value)
		case "displayName":
			queue.DisplayName = r.text("queue.displayName", value)
		case "number":
			queue.Number = r.text("queue.number", value)
		}
		return true
	})
	return queue
}

// userData is documented as text to text. An empty array, which some servers
// write for an empty map, is taken as such; deeper values are kept as JSON text.
func (r *reader) userData(value gjson.Result) map[string]string {
	if value.IsArray() && len(value.Array()) == 0 {
		return nil
	}
	data := map[string]string{}
	r.object("userData", value).ForEach(func(key, value gjson.Result) bool {
		if delete(data, key.Str); value.Type != gjson.Null {
			data[key.Str] = dataText(value)
		}
		return true
	})
	return data
}

// object returns an object; absent and null are one without members.
func (r *reader) object(path string, value gjson.Result) gjson.Result {
	switch {
	case value.IsObject():
		return value
	case value.Type != gjson.Null:
		r.fail(path, value, "an object")
	}
	return gjson.Result{}
}

// text returns the text of a string or of a whole number as it was written: a
// telephone number must not become 4.27e+08. Null is "".
func (r *reader) text(path string, value gjson.Result) string {
	switch {
	case value.Type == gjson.Null:
		return ""
	case value.Type == gjson.String:
		return value.Str
	case value.Type == gjson.Number && !strings.ContainsAny(value.Raw, ".eE"):
		return value.Raw
	default:
		r.fail(path, value, "a string or a whole number")
		return ""
	}
}

func dataText(value gjson.Result) string {
	switch value.Type {
	case gjson.String:
		return value.Str
	case gjson.JSON:
		return canonical(value.Raw)
	default:
		return value.Raw
	}
}

// canonical writes JSON as Go does.
func canonical(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return "" // nested deeper than anything that is data
	}
	written, _ := json.Marshal(value) // came out of a JSON decoder
	return string(written)
}

func kindOf(value gjson.Result) string {
	switch value.Type {
	case gjson.Null:
		return "null"
	case gjson.True, gjson.False:
		return "a boolean"
	case gjson.String:
		return "a string"
	case gjson.Number:
		return "a number"
	default:
		if value.IsArray() {
			return "an array"
		}
		return "an object"
	}
}

// plainNumbers turns json.Number into int64 where it fits and float64 else,
// which is what expressions compare with.
func plainNumbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			value[key] = plainNumbers(member)
		}
		return value
	case []any:
		for i, member := range value {
			value[i] = plainNumbers(member)
		}
		return value
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		float, _ := value.Float64()
		return float
	default:
		return value
	}
}
