package pane

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// textFiles are the pages' words, a file for each language. A translator adds
// one with the keys of en.json.
//
//go:embed texts/*.json
var textFiles embed.FS

// texts are the words of one language.
type texts struct {
	tag   language.Tag
	words map[string]string
}

// say returns a text, with {0}, {1}, ... replaced.
func (t texts) say(key string, values ...any) string {
	text := t.words[key]
	for i, value := range values {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", fmt.Sprint(value))
	}
	return text
}

// kind returns what a kind of record is called.
func (t texts) kind(kind string) string {
	if text, ok := t.words["kind_"+strings.ToLower(kind)]; ok {
		return text
	}
	return kind
}

// languages are those that pages are written in. The agent's browser chooses;
// the first is for browsers that want none of them.
type languages struct {
	all     []texts
	matcher language.Matcher
}

// Languages lists the languages that there are texts for, as BCP 47 tags.
func Languages() []string {
	entries, err := textFiles.ReadDir("texts")
	if err != nil {
		return nil // it is embedded
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), path.Ext(entry.Name())))
	}
	return names
}

// parseLanguages reads the texts of languages; of none, of all, English first.
func parseLanguages(names []string) (languages, error) {
	if len(names) == 0 {
		names = append([]string{"en"}, slices.DeleteFunc(Languages(), func(name string) bool { return name == "en" })...)
	}
	var l languages
	var tags []language.Tag
	for _, name := range names {
		if !slices.Contains(Languages(), name) {
			return languages{}, fmt.Errorf("there are no texts in %q; there are %s", name, strings.Join(Languages(), ", "))
		}
		content, err := textFiles.ReadFile("texts/" + name + ".json")
		if err != nil {
			return languages{}, err
		}
		t := texts{tag: language.Make(name)}
		if err := json.Unmarshal(content, &t.words); err != nil {
			return languages{}, fmt.Errorf("the texts in %q can't be read: %w", name, err)
		}
		l.all, tags = append(l.all, t), append(tags, t.tag)
	}
	l.matcher = language.NewMatcher(tags)
	return l, nil
}

// choose returns the texts for a browser's Accept-Language.
func (l languages) choose(accepted string) texts {
	_, at := language.MatchStrings(l.matcher, accepted)
	return l.all[at]
}
