package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
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

// JSONForms are the ways in which a text may stand in a JSON string: as this
// package writes it, in ASCII, and as other programs escape it.
func JSONForms(text string) []string {
	plain := jsonString(text)
	ascii := asciiJSON(plain)
	escaped, err := json.Marshal(text)
	if err != nil {
		return nil // a string always encodes
	}
	return []string{plain, ascii, strings.Trim(string(escaped), `"`), strings.ReplaceAll(ascii, "/", `\/`)}
}

// inString writes a value that shares a JSON string with other text: often a
// query language within JSON.
func inString(value string) (string, error) { return jsonString(value), nil }

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

var errNotJSON = errors.New("is not valid JSON")

// typedValue is a value that is JSON already, and keeps its type. It is
// written in one line.
func typedValue(_ Kind, value string, _ position) (string, error) {
	if value == "" {
		return "null", nil
	}
	var b bytes.Buffer
	if json.Compact(&b, []byte(value)) != nil {
		return "", errNotJSON
	}
	return b.String(), nil
}

var errJSON = errors.New("is not valid JSON once its placeholders are filled in; a text value needs quotes around it")

// settleJSON follows the quotes of the document to see which placeholders
// stand inside strings, and what shares the string with them.
func (t *Template[T]) settleJSON() error {
	texts, err := t.scanJSON()
	if err != nil {
		return err
	}
	for _, text := range texts {
		if len(text) == 1 && text[0].filled {
			t.parts[text[0].part].escape = wholeString
			continue
		}
		if err := t.settleQuery(text, inString); err != nil {
			return err
		}
	}
	return nil
}

// scanJSON lists the document's strings, gives the placeholders outside of
// them their escaping, and checks the document with sample values.
func (t *Template[T]) scanJSON() ([][]piece, error) {
	var sample strings.Builder
	var s jsonScanner
	for i := range t.parts {
		p := &t.parts[i]
		switch {
		case p.name == "":
			s.read(p.literal)
			sample.WriteString(p.literal)
		case s.inside && p.value.Get == nil: // a setting
			s.add(t.piece(i))
			p.literal = jsonString(p.literal)
			sample.WriteString(p.literal)
		case s.inside:
			s.add(t.piece(i))
		case p.unknown:
			sample.WriteString("null")
		case p.value.Get == nil:
			s.read(p.literal)
			sample.WriteString(p.literal)
		default:
			p.typed = p.value.JSON != nil
			p.escape = jsonValue
			if p.typed {
				p.escape = typedValue
			}
			sample.WriteString("null")
		}
	}
	if s.torn || !json.Valid([]byte(sample.String())) {
		return nil, errJSON
	}
	return s.texts, nil
}

// isJSON reports whether a text is a JSON object or array.
func (t *Template[T]) isJSON() bool {
	head, _ := literalHead(t.parts)
	head = strings.TrimSpace(head)
	if !strings.HasPrefix(head, "{") && !strings.HasPrefix(head, "[") {
		return false
	}
	probe := &Template[T]{parts: slices.Clone(t.parts)}
	_, err := probe.scanJSON()
	return err == nil
}

// jsonScanner reads a document piece by piece and collects its strings, as
// they are once they are read.
type jsonScanner struct {
	inside, escaped bool
	raw             strings.Builder // of the literal that is being read
	text            []piece
	texts           [][]piece
	// torn is set when a placeholder stands within an escape sequence.
	torn bool
}

func (s *jsonScanner) read(text string) {
	for i := range len(text) {
		c := text[i]
		switch {
		case !s.inside:
			s.inside = c == '"'
		case !s.escaped && c == '"':
			s.flush()
			s.texts, s.text = append(s.texts, s.text), nil
			s.inside = false
		default:
			s.escaped = !s.escaped && c == '\\'
			s.raw.WriteByte(c)
		}
	}
}

// add puts what is no literal text of the document into the string.
func (s *jsonScanner) add(p piece) {
	s.torn = s.torn || s.escaped
	s.flush()
	if p.filled || p.literal != "" {
		s.text = append(s.text, p)
	}
}

func (s *jsonScanner) flush() {
	if s.raw.Len() == 0 {
		return
	}
	var literal string
	if json.Unmarshal([]byte(`"`+s.raw.String()+`"`), &literal) != nil {
		s.torn = true
	}
	s.raw.Reset()
	s.text = append(s.text, piece{literal: literal})
}

// asciiJSON writes every character of a JSON document that is not ASCII as an
// escape sequence; such characters stand in strings only.
func asciiJSON(document string) string {
	var b strings.Builder
	for _, r := range document {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func (t *Template[T]) finishHeader(text string) (string, error) {
	if !t.ascii {
		return text, nil
	}
	if text = asciiJSON(text); !json.Valid([]byte(text)) {
		return "", fmt.Errorf("%w: the result %w", ErrUnsafe, errNotJSON)
	}
	if _, err := inHeader(text); err != nil {
		return "", fmt.Errorf("%w: the result %w", ErrUnsafe, err)
	}
	return text, nil
}
