package phone

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Pattern matches numbers, for rules: a glob such as +33* or 08????, or a
// range of lengths such as 2-6. Only [ParsePattern] and [ParseGlob] make one.
type Pattern struct {
	glob              string
	shortest, longest int
}

// ParsePattern reads a glob, a length ("4") or a range of lengths ("2-6"). A
// plain number of up to two digits is a length, since no number is so short.
func ParsePattern(text string) (Pattern, error) {
	from, to, ranged := strings.Cut(text, "-")
	shortest, errFrom := strconv.Atoi(from)
	longest, errTo := strconv.Atoi(to)
	switch {
	case ranged && errFrom == nil && errTo == nil:
		if shortest < 1 || shortest > longest || longest > 15 {
			return Pattern{}, fmt.Errorf("%q is not a range of lengths from 1 to 15; write for example 2-6, or a pattern such as 1?? for the numbers from 100 to 199", text)
		}
		return Pattern{shortest: shortest, longest: longest}, nil
	case !ranged && errFrom == nil && len(text) <= 2:
		if shortest < 1 || shortest > 15 {
			return Pattern{}, fmt.Errorf("%q is not a length from 1 to 15", text)
		}
		return Pattern{shortest: shortest, longest: shortest}, nil
	}
	return ParseGlob(text)
}

// ParseGlob reads a glob over a number: digits, a leading +, ? for one digit,
// * for any, [..] for one of several.
func ParseGlob(text string) (Pattern, error) {
	if _, err := path.Match(text, ""); err != nil || text == "" || strings.Trim(text, "+0123456789*?[]-^") != "" {
		return Pattern{}, fmt.Errorf("%q is not a number pattern; write digits, + in front, * and ?, for example +3342746* or 08????????", text)
	}
	return Pattern{glob: text}, nil
}

// Match reports whether a text as delivered matches. A glob that begins with +
// is compared with the number in E.164; any other one with the number as it was
// delivered and as it is dialled from here. Lengths are of plain digits only.
func (p Pattern) Match(region Region, text string) bool {
	bare := Bare(text)
	if bare == "" {
		return false // even * wants a number
	}
	if p.glob == "" {
		return len(bare) >= p.shortest && len(bare) <= p.longest && plainDigits.MatchString(bare)
	}
	if strings.HasPrefix(p.glob, "+") {
		number, err := region.Parse(text)
		return err == nil && matches(p.glob, number.e164)
	}
	if matches(p.glob, digitsOf(bare)) && !strings.HasPrefix(bare, "+") {
		return true
	}
	number, err := region.Parse(text)
	return err == nil && matches(p.glob, digitsOf(number.dialled()))
}

func matches(glob, text string) bool {
	matched, err := path.Match(glob, text)
	return err == nil && matched
}
