package pane

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

var pageTemplates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

// view is what the templates see.
type view struct {
	Name    Page
	Texts   words
	Title   string
	Brand   brand
	Style   template.CSS
	Script  template.JS
	Content template.HTML
	Visit   sealed
	Caller  caller

	Groups                            []group
	Entry                             entry
	CreateLink, ResultLink, RetryLink string
	Heading, Text                     string

	companies group
	status    int
}

// words are the texts of one language, for templates.
type words struct{ texts }

// Say returns a text.
func (w words) Say(key string, values ...any) string { return w.say(key, values...) }

// Language is the language's tag.
func (w words) Language() string { return w.tag.String() }

// caller is who calls, as people write it.
type caller struct {
	// Shown is the number, and From where it is from, as far as is known.
	Shown, From string
}

func (s *Server) view(r *http.Request, c sealed, page Page, title string) *view {
	chosen := s.languages.choose(r.Header.Get("Accept-Language"))
	v := &view{
		Name: page, Texts: words{chosen}, Brand: s.look.brand, Style: s.look.style, Script: s.look.script,
		Visit: c, Caller: s.caller(c.Visit, chosen.tag.String()), status: http.StatusOK,
	}
	v.Title = v.Texts.Say(title)
	return v
}

func (s *Server) caller(visit Visit, language string) caller {
	number, err := s.options.Region.Parse(visit.Number)
	if err != nil {
		return caller{Shown: visit.Caller}
	}
	return caller{number.Shown(), number.From(language)}
}

// titled is the tab's title for a record.
func (v *view) titled(e entry) string {
	return cmp.Or(e.Name, e.Company, v.Texts.Say("unnamed"))
}

// DoneText is what the button says that closes the pane.
func (v *view) DoneText() string {
	if v.Name == "notice" {
		return v.Texts.Say("close")
	}
	return v.Texts.Say("done")
}

// entry is a record as a page shows it.
type entry struct {
	Record

	// Kind is what the kind is called in the page's language.
	Kind string
	// Link is where it opens; Tab is set if that is a window of its own, and Then
	// what the pane shows meanwhile.
	Link, Then string
	Tab        bool
	// MailTo is the address to write to.
	MailTo  template.URL
	Numbers []dialable

	company bool
}

// dialable is a number with the address that dials it.
type dialable struct {
	Text string
	Tel  template.URL
}

func (s *Server) entry(v *view, record Record) entry {
	e := entry{Record: record, Kind: v.Texts.kind(record.Kind), company: record.isCompany(), MailTo: mailTo(record.Email)}
	for _, text := range distinct(append([]string{record.Matched}, record.Phones...)) {
		e.Numbers = append(e.Numbers, dialable{text, s.tel(text)})
	}
	e.Link, e.Tab = e.URL, e.URL != "" && !e.MayFrame
	return e
}

// tel is the address that dials a number; "" if the text is none.
func (s *Server) tel(text string) template.URL {
	number, err := s.options.Region.Parse(text)
	if err != nil {
		return ""
	}
	return template.URL("tel:" + number.E164()) //nolint:gosec // a plus and digits
}

// addressForm is an e-mail address that needs no escaping in a link.
var addressForm = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$`)

func mailTo(address string) template.URL {
	if !addressForm.MatchString(address) {
		return ""
	}
	return template.URL("mailto:" + address) //nolint:gosec // as addressForm says
}

// isWeb reports whether an address is a web page's.
func isWeb(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != ""
}

// companyKinds are kinds of records that are not people.
var companyKinds = []string{"account", "accounts", "company", "organization", "organisation", "customer", "partner", "supplier", "vendor"}

func (r Record) isCompany() bool {
	return slices.Contains(companyKinds, strings.ToLower(r.Kind)) || r.Company != "" && r.Company == r.Name
}

// group is a part of the chooser.
type group struct {
	Title   string
	Entries []entry
}

// place puts a record into its group: people of one company together,
// companies below all people.
func (v *view) place(e entry) {
	if e.company {
		v.companies.Entries = append(v.companies.Entries, e)
		return
	}
	at := slices.IndexFunc(v.Groups, func(g group) bool { return g.Title == e.Company })
	if at < 0 {
		v.Groups = append(v.Groups, group{Title: e.Company})
		at = len(v.Groups) - 1
	}
	v.Groups[at].Entries = append(v.Groups[at].Entries, e)
}

// sort brings the groups into order. A company of one person is no group.
func (v *view) sort() {
	others := group{Title: v.Texts.Say("chooser_people")}
	var groups []group
	for _, g := range v.Groups {
		if g.Title == "" || len(g.Entries) == 1 {
			others.Entries = append(others.Entries, g.Entries...)
			continue
		}
		groups = append(groups, g)
	}
	v.companies.Title = v.Texts.Say("chooser_companies")
	v.Groups = slices.DeleteFunc(append(groups, others, v.companies), func(g group) bool { return len(g.Entries) == 0 })
}

// Count is how many records there are.
func (v *view) Count() int { return len(v.Visit.Records) + v.Visit.More }

// SeveralCRMs reports whether the records come from more than one CRM.
func (v *view) SeveralCRMs() bool {
	return slices.ContainsFunc(v.Visit.Records, func(r Record) bool { return r.CRM != v.Visit.Records[0].CRM })
}

// copied is a button that copies what stands before it.
type copied struct{ Text, Done, Label string }

// Copied returns the button for something that has a name.
func (v *view) Copied(name string) copied {
	return copied{v.Texts.Say("copy"), v.Texts.Say("copied"), v.Texts.Say("copy_what", name)}
}

// CopiedField is the same, by the key of the name.
func (v *view) CopiedField(key string) copied { return v.Copied(v.Texts.Say(key)) }

// render writes the page in one piece.
func (s *Server) render(w http.ResponseWriter, r *http.Request, v *view) {
	var content, page bytes.Buffer
	err := pageTemplates.ExecuteTemplate(&content, string(v.Name), v)
	if err == nil {
		v.Content = template.HTML(content.String()) //nolint:gosec // the template escaped it
		err = pageTemplates.ExecuteTemplate(&page, "layout", v)
	}
	header := w.Header()
	if err != nil {
		http.Error(w, "the page can't be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", v.Texts.Language())
	header.Add("Vary", "Accept-Language")
	w.WriteHeader(v.status)
	if r.Method != http.MethodHead {
		_, _ = page.WriteTo(w) // a browser that went away has no use for an error
	}
}

func distinct(texts []string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" && !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	return kept
}
