package template

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// percentValue encodes everything that has a meaning anywhere in an address,
// so that one escaping is right in path, query and fragment.
func percentValue(_ Kind, value string, _ position) (string, error) {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
}

// addressValue is an address at the beginning of another; what it is, is
// checked when the whole is rendered.
func addressValue(_ Kind, value string, _ position) (string, error) {
	return strings.TrimSpace(value), nil
}

// settleURL makes sure that no value decides which host is opened, unless the
// value is an address.
func (t *Template[T]) settleURL() error {
	if err := t.escapeAll(percentValue); err != nil || len(t.parts) == 0 {
		return err
	}
	if !t.IsKnown() {
		return nil
	}
	if first := &t.parts[0]; first.value.Get != nil {
		if first.value.Kind != Address {
			return fmt.Errorf("{%s} can't begin an address; write https://host/... or one of {contact.url} {crm.url} {crm.search_url} {crm.create_url} in front", first.name)
		}
		first.escape = addressValue
		if err := t.checkJoint(); err != nil {
			return err
		}
	} else if err := checkOrigin(literalHead(t.parts)); err != nil {
		return err
	}
	return t.checkSample()
}

// checkJoint looks at what follows an address at the beginning.
func (t *Template[T]) checkJoint() error {
	next, whole := literalHead(t.parts[1:])
	if whole && next == "" || next != "" && strings.ContainsAny(next[:1], "/?#&") {
		return nil
	}
	return fmt.Errorf("behind {%s} must follow /, ?, & or #", t.parts[0].name)
}

// checkSample finds what would spoil the address of every call: it is a
// mistake in the configuration, and not in a value.
func (t *Template[T]) checkSample() error {
	var b strings.Builder
	for i, p := range t.parts {
		switch {
		case p.value.Get == nil:
			b.WriteString(p.literal)
		case i == 0:
			b.WriteString("https://host.example/sample")
		default:
			b.WriteString("sample")
		}
	}
	if err := addressFault(b.String()); err != nil {
		return fmt.Errorf("the address %w", err)
	}
	return nil
}

// literalHead is the text before the first value that a call fills in, and
// whether that is all of it.
func literalHead[T any](parts []part[T]) (head string, whole bool) {
	var b strings.Builder
	for _, p := range parts {
		if p.value.Get != nil {
			return b.String(), false
		}
		b.WriteString(p.literal)
	}
	return b.String(), true
}

// checkOrigin checks the fixed beginning of an address: scheme and host.
func checkOrigin(head string, whole bool) error {
	scheme, rest, found := strings.Cut(head, "://")
	if !found || (scheme != "https" && scheme != "http") {
		return fmt.Errorf("%q is not an address that can be opened; write https://host/...", head) //nolint:revive,staticcheck // the dots are part of the example
	}
	if !whole && !strings.ContainsAny(rest, "/?#") {
		return errors.New("a placeholder can't stand in the host of an address")
	}
	return nil
}

// hostCharacters are what a host, with its port, is written with besides
// letters and digits. Any other, such as the & of a parameter, would make a
// browser and this program read different hosts.
const hostCharacters = "-._:[]"

// checkAddress is the last look at a rendered address; "" is no address. It
// does not repeat the address in its error, which holds values of the call.
func checkAddress(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if err := addressFault(text); err != nil {
		return "", fmt.Errorf("%w: the result %w", ErrUnsafe, err)
	}
	return text, nil
}

// addressFault says why a text can't be opened, or nil.
func addressFault(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return breaksAddress(r) || r == '\\' }) {
		return errors.New("has spaces, control characters or backslashes")
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil, parsed.Hostname() == "", parsed.Scheme != "http" && parsed.Scheme != "https", !isHost(parsed.Host):
		return errors.New("is not an http or https address with a host")
	case parsed.User != nil:
		return errors.New("has a user name or password")
	}
	return pathFault(parsed.EscapedPath())
}

func breaksAddress(r rune) bool { return r <= ' ' || r == 0x7f }

func isHost(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !isAlphanumeric(r) && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune(hostCharacters, r)
	})
}

func (t *Template[T]) settlePath() error {
	if head, _ := literalHead(t.parts); t.IsKnown() && !strings.HasPrefix(head, "/") {
		return fmt.Errorf("%q is not a path; it must begin with /, below the CRM's url", t.text)
	}
	for _, p := range t.parts {
		if strings.Contains(p.literal, "#") {
			return fmt.Errorf("%q holds a #, behind which nothing reaches the CRM; write %%23", t.text)
		}
		if strings.ContainsFunc(p.literal, breaksAddress) {
			return fmt.Errorf("%q holds spaces or control characters; write %%20 for a space, or the parameter as query", t.text)
		}
	}
	return t.escapeAll(percentValue)
}

func checkPath(text string) (string, error) {
	if err := pathFault(text); err != nil {
		return "", fmt.Errorf("%w: the result %w", ErrUnsafe, err)
	}
	return text, nil
}

// pathFault refuses the dot segments that would lead to another resource: a
// dot is not escaped, so a value may be one.
func pathFault(text string) error {
	path, _, _ := strings.Cut(text, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("has a %q segment in its path", segment)
		}
	}
	return nil
}
