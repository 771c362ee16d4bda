package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

var (
	askOptions    = []string{"GET", "POST", "query", "json", "xml", "form", "header"}
	searchOptions = append(slices.Clone(askOptions), "spellings", "dialect", "filter", "each", "records", "miss", "fail")
	lookupOptions = append(slices.Clone(searchOptions), "otherwise", "sample", "detail", "follow",
		"kind", "id", "name", "company", "email", "phones", "url", "field")
)

func (p *restParser) lookup(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("lookup needs the kind of record; write for example: lookup contact { ... }")
	}
	l := crm.Lookup{Kind: d.Val()}
	block := "lookup " + l.Kind
	if p.positions.all[key(block)] != "" {
		return d.Errf("%s is there twice; give each lookup a kind of its own", block)
	}
	p.positions.mark(d, nil, block)
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return d.Errf("lookup takes the kind of record, but there is %q; write off to leave the preset's out, or options in a block", d.Val())
		}
		l.Off = true
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if l.Off {
			return d.Errf("%s is off, so it can't have options", block)
		}
		if err := p.lookupOption(d, &l, block); err != nil {
			return err
		}
	}
	p.rest.Lookups = append(p.rest.Lookups, l)
	return nil
}

func (p *restParser) lookupOption(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	option := d.Val()
	line := restOfLine(d)
	switch option {
	case "otherwise":
		return p.search(d, &l.Otherwise, block, option)
	case "sample":
		return p.search(d, &l.Sample, block, option)
	case "detail":
		return p.detail(d, l, block)
	case "follow":
		return p.follow(d, l, block)
	case "field":
		return p.field(d, l, block)
	case "phones":
		p.positions.mark(d, line, block, option)
		return phones(d, l)
	}
	if into := mapped(l, option); into != nil {
		p.positions.mark(d, line, block, option)
		return list(d, into, option+" {record."+option+"}")
	}
	return p.searchOption(d, &l.Search, lookupOptions, block)
}

// search reads a block with a further request for records.
func (p *restParser) search(d *caddyfile.Dispenser, into **crm.Search, block ...string) error {
	option := d.Val()
	if *into != nil {
		return twice(d, option)
	}
	p.positions.mark(d, nil, block...)
	if d.NextArg() {
		if option == "otherwise" && d.Val() == "off" {
			return d.Errf("otherwise off leaves out the second searches of all lookups, and stands beside them; in a lookup otherwise is a block")
		}
		return d.Errf("%s takes no argument, but there is %q; its request stands in a block", option, d.Val())
	}
	*into = &crm.Search{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.searchOption(d, *into, searchOptions, block...); err != nil {
			return err
		}
	}
	return nil
}

func (p *restParser) searchOption(d *caddyfile.Dispenser, s *crm.Search, known []string, block ...string) error {
	option := d.Val()
	if slices.Contains(askOptions, option) {
		return p.askOption(d, &s.Ask, block...)
	}
	p.positions.mark(d, restOfLine(d), append(slices.Clone(block), option)...)
	switch option {
	case "spellings":
		return list(d, &s.Spellings, "spellings e164 national digits")
	case "dialect":
		return value(d, &s.Dialect, "dialect odata")
	case "filter":
		return filter(d, s)
	case "each":
		return list(d, &s.Each, "each phone mobile")
	case "records":
		return value(d, &s.Records, "records data.items")
	case "miss":
		return conditionOption(d, &s.Miss)
	case "fail":
		return conditionOption(d, &s.Fail)
	}
	return unknownOption(d, known...)
}

// askOption reads an option of a request.
func (p *restParser) askOption(d *caddyfile.Dispenser, a *crm.Ask, block ...string) error {
	option := d.Val()
	line := restOfLine(d)
	switch option {
	case "query":
		return p.param(d, line, &a.Query, "query q {number}", block...)
	case "form":
		return p.param(d, line, &a.Form, "form q {number}", block...)
	case "header":
		return p.param(d, line, &a.Headers, "header Accept application/json", block...)
	}
	p.positions.mark(d, line, append(slices.Clone(block), option)...)
	switch option {
	case http.MethodGet, http.MethodPost:
		if a.Path != "" {
			return d.Errf("%s has its request already; there is one GET or POST in it", block[len(block)-1])
		}
		a.Method = option
		return value(d, &a.Path, option+" /contacts")
	case "json":
		return value(d, &a.JSON, `json {"phone":"{number.e164}"}`)
	case "xml":
		return value(d, &a.XML, `xml "<find><phone>{number.e164}</phone></find>"`)
	}
	return unknownOption(d, askOptions...)
}

// detail reads "detail <path>", or a block with the request.
func (p *restParser) detail(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	if l.Detail != nil {
		return twice(d, "detail")
	}
	p.positions.mark(d, restOfLine(d), block, "detail")
	l.Detail = &crm.Detail{}
	if d.CountRemainingArgs() > 0 {
		return value(d, &l.Detail.Path, "detail /contacts/{record.id}")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.detailOption(d, l.Detail, block); err != nil {
			return err
		}
	}
	if l.Detail.Path == "" {
		return d.Errf("detail needs the path of one record; write for example: detail /contacts/{record.id}")
	}
	return nil
}

func (p *restParser) detailOption(d *caddyfile.Dispenser, detail *crm.Detail, block string) error {
	option := d.Val()
	if slices.Contains(askOptions, option) {
		return p.askOption(d, &detail.Ask, block, "detail")
	}
	p.positions.mark(d, restOfLine(d), block, "detail", option)
	switch option {
	case "records":
		return value(d, &detail.Records, "records result")
	case "dialect":
		return value(d, &detail.Dialect, "dialect odata")
	}
	return unknownOption(d, append(slices.Clone(askOptions), "records", "dialect")...)
}

// follow reads "follow <name> <path>", or a block with the request.
func (p *restParser) follow(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	const example = "follow company /companies/{record.company_id}"
	if !d.NextArg() {
		return d.Errf("follow needs a name and a path; write for example: %s", example)
	}
	f := crm.Follow{Name: d.Val()}
	own := []string{block, "follow " + f.Name}
	p.positions.mark(d, restOfLine(d), own...)
	if d.NextArg() {
		f.Path = d.Val()
		if d.NextArg() {
			return d.Errf("follow takes a name and a path, but there is %q; write for example: %s", d.Val(), example)
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.followOption(d, &f, own); err != nil {
			return err
		}
	}
	l.Follows = append(l.Follows, f)
	return nil
}

func (p *restParser) followOption(d *caddyfile.Dispenser, f *crm.Follow, block []string) error {
	option := d.Val()
	if slices.Contains(askOptions, option) {
		return p.askOption(d, &f.Ask, block...)
	}
	p.positions.mark(d, restOfLine(d), append(slices.Clone(block), option)...)
	switch option {
	case "dialect":
		return value(d, &f.Dialect, "dialect odata")
	case "miss":
		return conditionOption(d, &f.Miss)
	case "fail":
		return conditionOption(d, &f.Fail)
	}
	return unknownOption(d, append(slices.Clone(askOptions), "dialect", "miss", "fail")...)
}

// mapped returns where an option keeps how a part of a record is read.
func mapped(l *crm.Lookup, option string) *[]string {
	switch option {
	case "kind":
		return &l.RecordKind
	case "id":
		return &l.ID
	case "name":
		return &l.RecordName
	case "company":
		return &l.Company
	case "email":
		return &l.Email
	case "url":
		return &l.URL
	default:
		return nil
	}
}

// field reads a field under a name of its own.
func (p *restParser) field(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	read, err := values(d, "field vip {record.custom.vip}")
	if err != nil {
		return err
	}
	if len(read) < 2 {
		return d.Errf("field takes a name and where its value is; write for example: field vip {record.custom.vip}")
	}
	p.positions.mark(d, read, block, "field "+read[0])
	l.Fields = append(l.Fields, crm.Field{Name: read[0], Value: read[1:]})
	return nil
}

func filter(d *caddyfile.Dispenser, s *crm.Search) error {
	if s.Filter != nil {
		return twice(d, "filter")
	}
	const example = `filter "phone eq '{number}'" " or "`
	read, err := values(d, example)
	if err != nil {
		return err
	}
	if len(read) != 2 {
		return d.Errf("filter takes a fragment and what stands between two of them; write for example: %s", example)
	}
	s.Filter = &crm.Filter{Fragment: read[0], Join: read[1]}
	return nil
}

func phones(d *caddyfile.Dispenser, l *crm.Lookup) error {
	if l.Unverified {
		return twice(d, "phones")
	}
	if err := list(d, &l.Phones, "phones {record.phone} {record.mobile}"); err != nil {
		return err
	}
	if slices.Equal(l.Phones, []string{"unverified"}) {
		l.Phones, l.Unverified = nil, true
	}
	return nil
}
