package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Scope is the set of placeholders that a text may use.
type Scope[T any] struct {
	names    map[string]Placeholder[T]
	families []family[T]
	settings Settings
}

// family is a set of names with one beginning, such as call.*.
type family[T any] struct {
	prefix  string
	resolve func(rest string) (Placeholder[T], error)
	known   []string
}

// Settings are the names whose values are fixed when a configuration loads, by
// their prefix such as "env.". The functions get the whole name; a nil one means
// that the values are not known yet, as when a configuration is only read.
type Settings map[string]func(name string) (string, error)

// NewScope returns a scope with settings and no other names.
func NewScope[T any](settings Settings) *Scope[T] {
	return &Scope[T]{names: map[string]Placeholder[T]{}, settings: settings}
}

// Add declares one name.
func (s *Scope[T]) Add(name string, p Placeholder[T]) { s.names[name] = p }

// AddFamily declares the names that begin with a prefix such as "call.".
// resolve gets what follows the prefix and says what it stands for, or why it
// can't exist; known lists members that a mistyped name may have meant.
func (s *Scope[T]) AddFamily(prefix string, known []string, resolve func(rest string) (Placeholder[T], error)) {
	s.families = append(s.families, family[T]{prefix, resolve, known})
}

func (s *Scope[T]) resolve(name string) (part[T], error) {
	for prefix, load := range s.settings {
		switch {
		case !strings.HasPrefix(name, prefix):
		case load == nil:
			return part[T]{name: name, unknown: true}, nil
		default:
			value, err := load(name)
			return part[T]{name: name, literal: value}, err
		}
	}
	if p, ok := s.names[name]; ok {
		return part[T]{name: name, value: p}, nil
	}
	for _, known := range s.families {
		rest, ok := strings.CutPrefix(name, known.prefix)
		if !ok {
			continue
		}
		p, err := known.resolve(rest)
		if err != nil {
			return part[T]{}, fmt.Errorf("bad placeholder {%s}: %w", name, err)
		}
		return part[T]{name: name, value: p}, nil
	}
	return part[T]{}, fmt.Errorf("unknown placeholder {%s}%s", name, s.hint(name))
}

// hint names the nearest placeholder, or else what there is.
func (s *Scope[T]) hint(name string) string {
	var candidates, all []string
	for known := range s.names {
		candidates = append(candidates, known)
		all = append(all, "{"+known+"}")
	}
	for prefix := range s.settings {
		all = append(all, "{"+prefix+"*}")
	}
	first, rest, _ := strings.Cut(name, ".")
	for _, known := range s.families {
		all = append(all, "{"+known.prefix+"*}")
		if Nearest(first+".", []string{known.prefix}) != "" {
			candidates = append(candidates, known.prefix+rest)
		}
		for _, member := range known.known {
			candidates = append(candidates, known.prefix+member)
		}
	}
	slices.Sort(candidates)
	slices.Sort(all)
	if nearest := Nearest(name, candidates); nearest != "" {
		return fmt.Sprintf("; did you mean {%s}?", nearest)
	}
	there := "no placeholder can stand here"
	if len(all) > 0 {
		there = "there are " + strings.Join(all, " ")
	}
	return fmt.Sprintf("; %s (write \\{ for a brace that is text)", there)
}

// Nearest returns the candidate that a mistyped word most likely meant, or ""
// when none is near.
func Nearest(word string, candidates []string) string {
	best, nearest := max(len(word)/2+1, 3), "" // two letters swapped are two changes
	for _, candidate := range candidates {
		if distance := levenshtein.ComputeDistance(word, candidate); distance < best {
			best, nearest = distance, candidate
		}
	}
	return nearest
}
