package template

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// jsonString is the inside of a JSON string.
func jsonString(value string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "" // a string always encodes
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// insideString is a value that shares a JSON string with other text: often a
// query language within JSON.
func insideString(kind Kind, value string, at position) (string, error) {
	checked, err := expressionValue(kind, value, at)
	return jsonString(checked), err
}

// wholeString is a value that is all of a JSON string.
func wholeString(_ Kind, value string, _ position) (string, error) { return jsonString(value), nil }

// jsonValue stands where a JSON value is wanted; absent is null.
func jsonValue(kind Kind, value string, _ position) (string, error) {
	switch {
	case kind == Composed:
		return value, nil
	case value == "":
		return "null", nil
	}
	return `"` + jsonString(value) + `"`, nil
}

var errJSON = errors.New("is not valid JSON once its placeholders are filled in; a text value needs quotes around it")

// settleJSON follows the quotes of the document to see which placeholders
// stand inside strings, and checks the document with sample values.
func (t *Template[T]) settleJSON() error {
	var sample strings.Builder
	inside := false
	for i := range t.parts {
		p := &t.parts[i]
		switch {
		case p.name == "":
			inside = scanString(p.literal, inside)
			sample.WriteString(p.literal)
		case p.unknown && !inside:
			sample.WriteString("null")
		case p.value.Get == nil: // a setting
			if inside {
				p.literal = jsonString(p.literal)
			}
			inside = scanString(p.literal, inside)
			sample.WriteString(p.literal)
		case !inside:
			p.escape = jsonValue
			sample.WriteString("null")
		case t.fillsString(i):
			p.escape = wholeString
		default:
			p.escape = insideString
		}
	}
	if !json.Valid([]byte(sample.String())) {
		return errJSON
	}
	return nil
}

// isJSON reports whether a text is a JSON object or array.
func (t *Template[T]) isJSON() bool {
	head, _ := literalHead(t.parts)
	head = strings.TrimSpace(head)
	if !strings.HasPrefix(head, "{") && !strings.HasPrefix(head, "[") {
		return false
	}
	probe := &Template[T]{parts: slices.Clone(t.parts)}
	return probe.settleJSON() == nil
}

// scanString says whether the end of a text is inside a JSON string.
func scanString(text string, inside bool) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case inside && text[i] == '\\':
			i++
		case text[i] == '"':
			inside = !inside
		}
	}
	return inside
}

// fillsString reports whether the part at i has a quote on either side.
func (t *Template[T]) fillsString(i int) bool {
	return i > 0 && i < len(t.parts)-1 &&
		strings.HasSuffix(t.parts[i-1].literal, `"`) && !strings.HasSuffix(t.parts[i-1].literal, `\"`) &&
		strings.HasPrefix(t.parts[i+1].literal, `"`)
}
