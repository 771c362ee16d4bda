// Package document writes what was measured into a document.
package document

import (
	"fmt"
	"os"
	"strings"
)

// Write replaces what stands in a document between the line that says which
// command measured it and the next that ends it.
func Write(file, command, text string) error {
	begin, end := "<!-- measured by "+command+" -->", "<!-- end -->"
	content, err := os.ReadFile(file) //nolint:gosec // the document
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s lacks the lines %s and %s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+text+"\n"+end+after), 0o644) //nolint:gosec // a document
}
