package crm

import (
	"strconv"
	"strings"
	"time"
)

// maxAge is how long the CRM calls an answer fresh; 0 when it does not say. Web
// frameworks forbid caches by default, without knowing the answer: max-age=0,
// no-cache and no-store say nothing here.
func (x *exchange) maxAge() time.Duration {
	said := x.header.Values("Cache-Control")
	if len(said) == 0 {
		return 0
	}
	var age time.Duration
	for directive := range strings.SplitSeq(strings.Join(said, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			age = seconds(strings.Trim(value, `"`))
		}
	}
	return max(0, age-seconds(x.header.Get("Age")))
}

// seconds reads a whole number of seconds; 0 if it is none, or of ages.
func seconds(text string) time.Duration {
	count, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(count) * time.Second
}
