package demo

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// One template set for each page, because each defines its own "main" for the
// same layout.
var (
	listPage    = parsePage("list.html")
	contactPage = parsePage("contact.html")
	newPage     = parsePage("new.html")
	missingPage = parsePage("missing.html")
)

func parsePage(name string) *template.Template {
	return template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/"+name))
}

type listView struct {
	Title    string
	Query    string
	Contacts []Contact
}

type contactView struct {
	Title   string
	Contact Contact
	History []Event
}

type newView struct {
	Title string
	Phone string
	Sent  bool
}

type missingView struct{ Title string }

// pages serves what a person sees of the CRM.
func (c *CRM) pages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.FileServerFS(staticFiles))
	mux.HandleFunc("GET /{$}", c.list)
	mux.HandleFunc("GET /search", c.list)
	mux.HandleFunc("GET /contacts/{id}", c.contactIn(areaContacts))
	mux.HandleFunc("GET /confidential/{id}", refuseFraming(c.contactIn(areaConfidential)))
	mux.HandleFunc("GET /contacts/new", c.newContact)
	mux.HandleFunc("POST /contacts/new", c.newContact)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		render(w, http.StatusNotFound, missingPage, missingView{Title: "Not found"})
	})
	return c.guarded(mux)
}

// pagesPolicy forbids every page anything but its own files.
const pagesPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'"

// guarded gives every page its policy, by which only the demo's own origins may
// frame it.
func (c *CRM) guarded(next http.Handler) http.Handler {
	ancestors := strings.Join(append([]string{"'self'", c.Simulator}, c.FramedBy...), " ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagesPolicy+"; frame-ancestors "+ancestors)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func (c *CRM) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	render(w, http.StatusOK, listPage, listView{Title: "Contacts", Query: query, Contacts: c.contacts.byText(query)})
}

// refuseFraming makes pages forbid everybody to frame them, in the way that is
// most common. Browsers would ignore it beside frame-ancestors.
func refuseFraming(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagesPolicy)
		w.Header().Set("X-Frame-Options", "DENY")
		next(w, r)
	}
}

// contactIn shows the contacts of one area.
func (c *CRM) contactIn(area string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		contact, ok := c.contacts.byID(r.PathValue("id"))
		if !ok || contact.Area != area {
			render(w, http.StatusNotFound, missingPage, missingView{Title: "No such contact"})
			return
		}
		render(w, http.StatusOK, contactPage, contactView{
			Title: contact.FullName(), Contact: contact, History: history(contact),
		})
	}
}

func (c *CRM) newContact(w http.ResponseWriter, r *http.Request) {
	render(w, http.StatusOK, newPage, newView{
		Title: "New contact", Phone: r.FormValue("phone"), Sent: r.Method == http.MethodPost,
	})
}

// render writes a whole page or, when its template fails, none of it.
func render(w http.ResponseWriter, status int, page *template.Template, view any) {
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, "layout.html", view); err != nil {
		http.Error(w, "rendering the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}
