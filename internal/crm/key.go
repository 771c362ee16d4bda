package crm

import (
	"slices"
	"strconv"
	"strings"
)

// callData are the gjson paths of a call that requests or records depend on.
type callData []string

func (c *callData) add(path string) {
	if !slices.Contains(*c, path) {
		*c = append(*c, path)
	}
}

// Key is the number, with what the definition takes from the call besides:
// agents and queues share an answer unless it depends on them.
func (r *REST) Key(query Query) string {
	number := query.Number.E164()
	if len(r.callData) == 0 {
		return number
	}
	var key strings.Builder
	key.WriteString(number)
	for _, path := range r.callData {
		key.WriteString(strconv.Quote(callValue(query.Call, path)))
	}
	return key.String()
}
