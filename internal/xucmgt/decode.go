package xucmgt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
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
// text. What can't be understood is a [*DecodeError].
func Decode(body []byte) (Call, error) {
	if !utf8.Valid(body) {
		return Call{}, invalid("invalid_utf8", "the body is not valid UTF-8")
	}
	document, err := decodeObject(body)
	if err != nil {
		return Call{}, err
	}

	var r reader
	user := r.object(document, "user")
	queue := r.object(document, "queue")
	call := Call{
		User: User{
			ID:        r.text(user, "user", "userId"),
			AgentID:   r.text(user, "user", "agentId"),
			FirstName: r.text(user, "user", "firstName"),
			LastName:  r.text(user, "user", "lastName"),
			FullName:  r.text(user, "user", "fullName"),
		},
		Caller: r.text(document, "", "caller"),
		Callee: r.text(document, "", "callee"),
		Queue: Queue{
			ID:          r.text(queue, "queue", "id"),
			Name:        r.text(queue, "queue", "name"),
			DisplayName: r.text(queue, "queue", "displayName"),
			Number:      r.text(queue, "queue", "number"),
		},
		UserData: r.userData(document),
		ID:       r.text(document, "", "callDataCallId"),
	}
	if r.err != nil {
		return Call{}, r.err
	}

	forgetToken(document)
	call.payload = &payload{document: document}
	return call, nil
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
		return nil, invalid("not_an_object", "the body is %s; it must be the JSON object that describes the call", kindOf(document))
	}
	return object, nil
}

// forgetToken removes the agent's live session credential, however its key is
// spelled, so that nothing behind this package can log, forward or render it.
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

// reader takes typed values out of a decoded document and keeps the first
// mistake, so that the shape of a call can be read in one piece.
type reader struct{ err error }

func (r *reader) fail(path string, value any, want string) {
	if r.err == nil {
		r.err = invalid("invalid_"+strings.ReplaceAll(path, ".", "_"), "%s is %s; it must be %s", path, kindOf(value), want)
	}
}

func (r *reader) object(parent map[string]any, key string) map[string]any {
	switch value := parent[key].(type) {
	case nil:
		return nil
	case map[string]any:
		return value
	default:
		r.fail(key, value, "an object")
		return nil
	}
}

func (r *reader) text(parent map[string]any, parentName, key string) string {
	value := parent[key]
	text, ok := scalar(value)
	if !ok {
		path := key
		if parentName != "" {
			path = parentName + "." + key
		}
		r.fail(path, value, "a string or a whole number")
	}
	return text
}

// userData is documented as text to text. An empty array, which some servers
// write for an empty map, is taken as such; deeper values are kept as JSON text.
func (r *reader) userData(document map[string]any) map[string]string {
	if list, ok := document["userData"].([]any); ok && len(list) == 0 {
		return nil
	}
	object := r.object(document, "userData")
	data := make(map[string]string, len(object))
	for key, value := range object {
		if value == nil {
			continue
		}
		data[key] = dataText(value)
	}
	return data
}

func dataText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		text, _ := json.Marshal(value) // came out of a JSON decoder
		return string(text)
	}
}

// scalar returns the text of a string or of a whole number; absent is "".
func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case json.Number:
		return value.String(), !strings.ContainsAny(value.String(), ".eE")
	default:
		return "", false
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case []any:
		return "an array"
	default:
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
