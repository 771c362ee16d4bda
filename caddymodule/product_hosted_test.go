package caddymodule

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the stand-ins of several hosted products share.

// hostedKnows reports whether all parameters of a request are known.
func hostedKnows(r *http.Request, known ...string) bool {
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			return false
		}
	}
	return true
}

// hostedReply is [reply] with another status than 200.
func hostedReply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	reply(w, value)
}

// hostedID is a card's id as the number that most products make of it.
func hostedID(c card) int {
	id, _ := strconv.Atoi(c.ID)
	return id
}

// hostedNumbers are those that a record has, for products that list no empty
// ones.
func hostedNumbers(c card) []string {
	return slices.DeleteFunc(slices.Clone(c.Phones), func(number string) bool { return number == "" })
}

// retitle gives what is opened another title, to see a record's fields.
func (d *desk) retitle(t *testing.T, title string) {
	t.Helper()
	options := strings.ReplaceAll(strings.ReplaceAll(d.options, "$CRM", d.address), "\n", "\n\t\t")
	if err := d.load(indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 20s
	cache off
	crm ` + d.preset + ` ` + d.address + d.path + ` {
		` + options + `
	}
	on one popup {contact.url} {
		title "` + title + `"
	}
}`)); err != nil {
		t.Fatal(err)
	}
	d.settle()
}

// title is that of what is opened when the caller rings.
func (d *desk) title() string {
	title, _ := d.ring(knownCaller).field("title").(string)
	return title
}

// fileCaller files the caller as a record of the first kind.
func (d *desk) fileCaller(id string) {
	k := d.kinds[0]
	phones := make([]string, k.phones)
	phones[0] = "+33123456789"
	d.office.file(k.name, card{ID: id, First: "Rosa", Last: "Marin", Company: "Quai Nord", Email: "rosa@example.org", Phones: phones})
}

// testLinksOfHosted checks the product's pages for the caller, below its
// address.
func (p product) testLinksOfHosted(t *testing.T, search, create string) {
	t.Helper()
	d := p.open(t, p.options)
	d.fileCaller("4711")
	d.retitle(t, "{crm.search_url}")
	if title, want := d.title(), d.address+search; title != want {
		t.Errorf("the page for a search is %s, want %s", title, want)
	}
	d.retitle(t, "{crm.create_url}")
	if title, want := d.title(), d.address+create; title != want {
		t.Errorf("the form for a new record is %s, want %s", title, want)
	}
}
