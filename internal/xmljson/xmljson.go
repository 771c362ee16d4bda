// Package xmljson turns an XML answer into JSON, so that one sort of path
// reaches into both.
//
// An element is a member that is named like it, without a namespace's prefix;
// an attribute is a member with - in front. Text beside attributes or elements
// is the member #text. Elements of one name are a list. An empty element is
// "". Every value is a string, as XML has no numbers: 0612 stays 0612. Blanks
// around text are left out, and so are comments, processing instructions and
// the declarations of namespaces.
//
//	<a:person id="7"><phone>0612</phone><phone>0613</phone><b:name/></a:person>
//	{"person":{"-id":"7","phone":["0612","0613"],"name":""}}
package xmljson

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"golang.org/x/net/html/charset"
)

// MaxNesting is how deep elements may be nested. Real answers stay below 20.
const MaxNesting = 500

// IsXML reports whether an answer with that Content-Type is XML: one that says
// so, or begins with <?xml. A page, also in XHTML, is none.
func IsXML(contentType, body string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType = ""
	}
	switch {
	case mediaType == "text/html", mediaType == "application/xhtml+xml":
		return false
	case mediaType == "text/xml", mediaType == "application/xml", strings.HasSuffix(mediaType, "+xml"):
		return true
	}
	return strings.HasPrefix(strings.TrimLeft(body, " \t\r\n\ufeff"), "<?xml")
}

// Convert returns a document as JSON: one object with the root element as its
// member. It reads UTF-8 and the 8-bit charsets that a document may declare,
// such as ISO-8859-1. Document types and external entities are refused. Its
// errors repeat nothing of the document's text. The document's size is for the
// caller to limit.
func Convert(document string) (string, error) {
	r := reader{decoder: xml.NewDecoder(strings.NewReader(strings.TrimLeft(document, " \t\r\n\ufeff")))}
	r.decoder.CharsetReader = charsetReader
	root, err := r.read()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteByte('{')
	writeString(&b, root.name)
	b.WriteByte(':')
	root.write(&b)
	b.WriteByte('}')
	return b.String(), nil
}

var errCharset = errors.New("declares a charset that is not supported")

// charsetReader knows the charsets in which ASCII is ASCII: in another the
// declaration itself could not have been read.
func charsetReader(label string, input io.Reader) (io.Reader, error) {
	switch _, name := charset.Lookup(label); name {
	case "", "replacement", "utf-16be", "utf-16le", "x-user-defined":
		return nil, errCharset
	}
	converted, err := charset.NewReaderLabel(label, input)
	if err != nil {
		return nil, errCharset
	}
	return converted, nil
}

// element is one element with what is in it.
type element struct {
	name       string
	attributes []xml.Attr
	text       strings.Builder
	children   []*element
}

// reader builds the tree of a document without recursion.
type reader struct {
	decoder *xml.Decoder
	open    []*element
	root    *element
}

func (r *reader) read() (*element, error) {
	for {
		token, err := r.decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && r.root == nil:
			return nil, errors.New("the XML has no element")
		case errors.Is(err, io.EOF):
			return r.root, nil
		case err != nil:
			return nil, r.inWords(err)
		}
		if err := r.take(token); err != nil {
			return nil, err
		}
	}
}

func (r *reader) take(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return r.start(token)
	case xml.EndElement:
		r.open = r.open[:len(r.open)-1]
	case xml.CharData:
		switch {
		case len(r.open) > 0:
			r.open[len(r.open)-1].text.Write(token)
		case strings.TrimSpace(string(token)) != "":
			return errors.New("the XML has text outside of its element")
		}
	case xml.Directive:
		return errors.New("the XML has a document type (<!DOCTYPE ...>), which is refused")
	}
	return nil
}

func (r *reader) start(token xml.StartElement) error {
	switch {
	case len(r.open) == MaxNesting:
		return fmt.Errorf("the XML is nested deeper than %d levels", MaxNesting)
	case len(r.open) == 0 && r.root != nil:
		return errors.New("the XML has more than one element at the top")
	}
	e := &element{name: token.Name.Local, attributes: attributes(token.Attr)}
	if len(r.open) == 0 {
		r.root = e
	} else {
		parent := r.open[len(r.open)-1]
		parent.children = append(parent.children, e)
	}
	r.open = append(r.open, e)
	return nil
}

// attributes leaves out namespaces, and of two attributes of one name the one
// with a prefix: xsi:type is beside the point where there is a type.
func attributes(all []xml.Attr) []xml.Attr {
	var kept []xml.Attr
	at := map[string]int{}
	for _, a := range all {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		i, known := at[a.Name.Local]
		switch {
		case !known:
			at[a.Name.Local] = len(kept)
			kept = append(kept, a)
		case a.Name.Space == "":
			kept[i] = a
		}
	}
	return kept
}

// inWords says what is wrong without what the decoder quotes of the document.
func (r *reader) inWords(err error) error {
	line, _ := r.decoder.InputPos()
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, errCharset):
		return fmt.Errorf("the XML %w", errCharset)
	case errors.As(err, &syntax) && syntax.Msg == "unexpected EOF":
		return fmt.Errorf("the XML breaks off in line %d", line)
	case errors.As(err, &syntax) && strings.HasPrefix(syntax.Msg, "invalid UTF-8"):
		return fmt.Errorf("the XML is not UTF-8 in line %d, and declares no other charset", line)
	default:
		return fmt.Errorf("the XML is not well-formed in line %d", line)
	}
}
