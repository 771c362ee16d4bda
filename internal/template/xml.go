package template

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A document is read with marks where its placeholders stand, one for each
// part: characters for private use that XML allows in text and attributes, and
// nowhere else.
const firstMark, lastMark rune = 0xf0000, 0xffffd

var (
	errMark = errors.New("holds characters for private use, with which the program marks its placeholders")
	errXML  = errors.New("a placeholder can stand only in the text of an element or in an attribute")
)

// settleXML reads the document to see where its placeholders stand, and what
// shares the text with them.
func (t *Template[T]) settleXML() error {
	if len(t.parts) > int(lastMark-firstMark) {
		return errors.New("holds too many placeholders")
	}
	var marked strings.Builder
	for i, p := range t.parts {
		switch {
		case p.name != "":
			marked.WriteRune(firstMark + rune(i))
		case strings.ContainsFunc(p.literal, isMark):
			return errMark
		default:
			marked.WriteString(p.literal)
		}
	}
	s := xmlScanner{document: strings.TrimSpace(marked.String())}
	if err := s.scan(); err != nil {
		return t.inWords(err)
	}
	if err := t.placeXML(s.texts); err != nil {
		return err
	}
	t.trim()
	return t.settleXMLSettings()
}

// trim leaves out what is around the document: nothing may stand before its
// declaration.
func (t *Template[T]) trim() {
	first, last := &t.parts[0], &t.parts[len(t.parts)-1]
	first.literal = strings.TrimLeft(first.literal, " \t\r\n")
	last.literal = strings.TrimRight(last.literal, " \t\r\n")
}

// inWords names the placeholders whose marks are in an error.
func (t *Template[T]) inWords(err error) error {
	message, marked := err.Error(), false
	for i, p := range t.parts {
		if mark := string(firstMark + rune(i)); p.name != "" && strings.Contains(message, mark) {
			message, marked = strings.ReplaceAll(message, mark, "{"+p.name+"}"), true
		}
	}
	if marked {
		return fmt.Errorf("%s: %w", message, errXML)
	}
	return err
}

// placeXML gives every placeholder the escaping of the text that it stands in.
func (t *Template[T]) placeXML(texts []string) error {
	placed := make([]bool, len(t.parts))
	for _, text := range texts {
		pieces, err := t.unmark(text, placed)
		if err != nil {
			return err
		}
		if i, whole := onlyPlaceholder(pieces); whole {
			t.parts[i].escape = wholeXML
			continue
		}
		if err := t.settleQuery(pieces, inXML); err != nil {
			return err
		}
	}
	for i, p := range t.parts {
		if p.name != "" && !placed[i] {
			return fmt.Errorf("{%s}: %w", p.name, errXML)
		}
	}
	return nil
}

// unmark takes a text of the document apart, and notes what stands in it.
func (t *Template[T]) unmark(text string, placed []bool) ([]piece, error) {
	var pieces []piece
	from := 0
	for at, r := range text {
		if !isMark(r) {
			continue
		}
		pieces = append(pieces, piece{literal: text[from:at]})
		from = at + utf8.RuneLen(r)
		i := int(r - firstMark)
		if i >= len(placed) || placed[i] || t.parts[i].name == "" {
			return nil, errMark // written as &#xF0000;
		}
		placed[i] = true
		pieces = append(pieces, t.piece(i))
	}
	return append(pieces, piece{literal: text[from:]}), nil
}

// onlyPlaceholder finds the placeholder that is all of a text, but for the
// blanks that a document is indented with.
func onlyPlaceholder(pieces []piece) (part int, whole bool) {
	count := 0
	for _, p := range pieces {
		switch {
		case p.filled:
			part = p.part
			count++
		case strings.TrimSpace(p.literal) != "":
			return 0, false
		}
	}
	return part, count == 1
}

// settleXMLSettings escapes the settings: they stand where placeholders do.
func (t *Template[T]) settleXMLSettings() error {
	for i := range t.parts {
		p := &t.parts[i]
		if p.name == "" || p.value.Get != nil {
			continue
		}
		escaped, err := inXML(p.literal)
		if err != nil {
			return fmt.Errorf("{%s} %w", p.name, err)
		}
		p.literal = escaped
	}
	return nil
}

func isMark(r rune) bool { return r >= firstMark && r <= lastMark }

func wholeXML(_ Kind, value string, _ position) (string, error) { return inXML(value) }

var errXMLCharacter = errors.New("holds characters that XML can't hold")

// inXML writes a value as text or inside an attribute.
func inXML(value string) (string, error) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, isForbidden) {
		return "", errXMLCharacter
	}
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(value)); err != nil {
		return "", err
	}
	return b.String(), nil
}

// isForbidden reports whether XML 1.0 has no way to write a character.
func isForbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// xmlScanner checks a document and collects its texts: of elements, between
// two tags, and of attributes.
type xmlScanner struct {
	document string
	decoder  *xml.Decoder
	text     strings.Builder
	texts    []string
	level    int
	roots    int
}

func (s *xmlScanner) scan() error {
	s.decoder = xml.NewDecoder(strings.NewReader(s.document))
	for {
		from := s.decoder.InputOffset()
		token, err := s.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("is not well-formed XML: %w", err)
		}
		if err := s.take(token, s.document[from:s.decoder.InputOffset()], from); err != nil {
			return err
		}
	}
	if s.roots != 1 {
		return fmt.Errorf("has %d elements at the top, not one", s.roots)
	}
	return nil
}

// take reads one token, which was written as raw.
func (s *xmlScanner) take(token xml.Token, raw string, from int64) error {
	switch token := token.(type) {
	case xml.StartElement:
		if s.level == 0 {
			s.roots++
		}
		s.level++
		s.flush()
		return s.attributes(token)
	case xml.EndElement:
		s.level--
		s.flush()
	case xml.CharData:
		switch {
		case s.level == 0 && strings.TrimSpace(string(token)) != "":
			return errors.New("has text outside of its element")
		case strings.HasPrefix(raw, "<![CDATA[") && strings.ContainsFunc(raw, isMark):
			return fmt.Errorf("has one in a CDATA section: %w", errXML)
		}
		s.text.Write(token)
	case xml.ProcInst:
		if strings.EqualFold(token.Target, "xml") && from != 0 {
			return errors.New("has its declaration <?xml ...?> behind other text")
		}
	case xml.Directive:
		return errors.New("has a document type or another <!...>, which no request needs")
	}
	return nil
}

func (s *xmlScanner) attributes(token xml.StartElement) error {
	seen := map[xml.Name]bool{}
	for _, attribute := range token.Attr {
		if seen[attribute.Name] {
			return fmt.Errorf("has the attribute %s twice in <%s>", attribute.Name.Local, token.Name.Local)
		}
		seen[attribute.Name] = true
		s.texts = append(s.texts, attribute.Value)
	}
	return nil
}

func (s *xmlScanner) flush() {
	if s.text.Len() > 0 {
		s.texts = append(s.texts, s.text.String())
		s.text.Reset()
	}
}
