package xmljson

import (
	"encoding/json"
	"strings"
)

// write writes an element as JSON. It calls itself no deeper than [MaxNesting].
func (e *element) write(b *strings.Builder) {
	text := strings.TrimSpace(e.text.String())
	if len(e.attributes) == 0 && len(e.children) == 0 {
		writeString(b, text)
		return
	}
	o := object{b: b}
	b.WriteByte('{')
	for _, a := range e.attributes {
		o.member("-" + a.Name.Local)
		writeString(b, a.Value)
	}
	for _, group := range grouped(e.children) {
		o.member(group[0].name)
		writeGroup(b, group)
	}
	if text != "" {
		o.member("#text")
		writeString(b, text)
	}
	b.WriteByte('}')
}

// grouped puts the elements of one name together, in the order of the first.
func grouped(elements []*element) [][]*element {
	var groups [][]*element
	at := map[string]int{}
	for _, e := range elements {
		i, known := at[e.name]
		if !known {
			i = len(groups)
			at[e.name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

func writeGroup(b *strings.Builder, group []*element) {
	if len(group) == 1 {
		group[0].write(b)
		return
	}
	separator := byte('[')
	for _, e := range group {
		b.WriteByte(separator)
		e.write(b)
		separator = ','
	}
	b.WriteByte(']')
}

// object puts commas between members.
type object struct {
	b     *strings.Builder
	begun bool
}

func (o *object) member(name string) {
	if o.begun {
		o.b.WriteByte(',')
	}
	o.begun = true
	writeString(o.b, name)
	o.b.WriteByte(':')
}

func writeString(b *strings.Builder, text string) {
	encoded, err := json.Marshal(text)
	if err != nil {
		encoded = []byte(`""`) // a string always encodes
	}
	b.Write(encoded)
}
