package crm

import (
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/tidwall/gjson"
)

func init() {
	gjson.AddModifier("after", after)
	gjson.AddModifier("unhtml", unhtml)
}

// after is the modifier @after:<text>: what stands behind the last such text,
// or all of it where there is none. vtiger's ids are 12x34; its pages want 34.
func after(value, separator string) string {
	text := gjson.Parse(value).String()
	if at := strings.LastIndex(text, separator); at >= 0 && separator != "" {
		text = text[at+len(separator):]
	}
	return string(gjson.AppendJSONString(nil, text))
}

// unhtml is the modifier @unhtml: a text without HTML's escapes. SuiteCRM writes
// O&#039;Brien.
func unhtml(value, _ string) string {
	return string(gjson.AppendJSONString(nil, html.UnescapeString(gjson.Parse(value).String())))
}

// CheckPath reports what is wrong with a gjson path. gjson itself takes any
// text and finds nothing.
func CheckPath(path string) error {
	switch {
	case path == "":
		return errors.New("the gjson path is empty; write @this for the whole answer")
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == '{' || r == '}' }):
		return fmt.Errorf("the gjson path %q has braces or control characters", path)
	case strings.HasSuffix(path, `\`):
		return fmt.Errorf(`the gjson path %q ends with a backslash`, path)
	}
	components, err := splitPath(path)
	if err != nil {
		return fmt.Errorf("the gjson path %q %w", path, err)
	}
	for _, component := range components {
		if err := checkComponent(component); err != nil {
			return fmt.Errorf("the gjson path %q %w", path, err)
		}
	}
	return nil
}

func checkComponent(component string) error {
	if component == "" {
		return errors.New("has an empty part; write names with single dots between them, for example data.items")
	}
	modifier, ok := strings.CutPrefix(component, "@")
	if !ok {
		return nil
	}
	modifier, _, _ = strings.Cut(modifier, ":")
	if !gjson.ModifierExists(modifier, nil) {
		return fmt.Errorf("has an unknown modifier @%s", modifier)
	}
	return nil
}

// splitPath cuts a path at its dots and pipes, outside brackets and quotes.
func splitPath(path string) ([]string, error) {
	var components []string
	var open []byte
	start, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			open = append(open, c)
		case c == ')' || c == ']':
			if len(open) == 0 || open[len(open)-1] != map[byte]byte{')': '(', ']': '['}[c] {
				return nil, fmt.Errorf("has a %q that was not opened", c)
			}
			open = open[:len(open)-1]
		case (c == '.' || c == '|') && len(open) == 0:
			components = append(components, path[start:i])
			start = i + 1
		}
	}
	switch {
	case quoted:
		return nil, errors.New("has a quote that is not closed")
	case len(open) > 0:
		return nil, fmt.Errorf("has a %q that is not closed", open[len(open)-1])
	}
	return append(components, path[start:]), nil
}
