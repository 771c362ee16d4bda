package pane

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/seal"
)

// Options are what a [Server] needs.
type Options struct {
	// Endpoint is the path below which pages are served, as in / or /pop.
	Endpoint string
	// Origins are the pages that may frame ours; "*" is any.
	Origins []string
	// Region is the country whose numbers are written nationally.
	Region phone.Region
	// Ring has the keys of addresses.
	Ring *seal.Ring
	// Lifetime is how long an address is good for.
	Lifetime time.Duration
	// Patience is how long a lookup behind the waiting page may take.
	Patience time.Duration
	// Languages are the languages to choose from; the first is the default.
	Languages []string
	Brand     Brand
	// Find looks a caller up again: anew asks the CRMs whatever is remembered.
	Find func(ctx context.Context, again Visit, anew bool) Found
}

// Found is what a lookup behind a page found.
type Found struct {
	// Visit is the one that was asked for, with what was found.
	Visit Visit
	// Certain is set if every CRM answered: only then is nobody known.
	Certain bool
	// Failed are the CRMs that could not be asked.
	Failed []string
}

const (
	// DefaultLifetime is how long an address is good for.
	DefaultLifetime = 15 * time.Minute
	// DefaultPatience is how long a lookup behind the waiting page may take.
	DefaultPatience = 15 * time.Second
)

// Server makes the pages' addresses and serves them. It keeps nothing between
// requests: any machine that has the keys serves what another one sealed.
type Server struct {
	options   Options
	prefix    string
	languages languages
	look      look
	now       func() time.Time
}

// New returns a Server. The error says which option is wrong.
func New(options Options) (*Server, error) {
	s := &Server{options: options, prefix: strings.TrimSuffix(options.Endpoint, "/") + "/pane/", now: time.Now}
	var err error
	if s.languages, err = parseLanguages(options.Languages); err != nil {
		return nil, mistake.In("languages", err)
	}
	if s.look, err = parseLook(options.Brand, options.Origins); err != nil {
		return nil, err
	}
	return s, nil
}

// Keep gives the server the keys of addresses, if it was made without.
func (s *Server) Keep(ring *seal.Ring) { s.options.Ring = ring }

// Owns reports whether a path is one of the pages'.
func (s *Server) Owns(path string) bool { return strings.HasPrefix(path, s.prefix) }

// Address returns a page's address for a visit. base is where the gateway is, as
// in https://pop.example.com; "" leaves it out.
func (s *Server) Address(ctx context.Context, base string, page Page, visit Visit) (string, error) {
	path, err := s.path(ctx, string(page), visit)
	return base + path, err
}

// The places that are no pages of their own.
const (
	result      = "result"      // of a lookup behind the waiting page
	create      = "create"      // looks again before a contact is created
	unreachable = "unreachable" // after a lookup behind the waiting page
)

// sealed is a visit with what only the pages themselves add to it.
type sealed struct {
	Visit

	Failed []string `json:"z,omitempty"`
	// Note is the key of a text that says why the page is shown.
	Note string `json:"y,omitempty"`
}

func (s *Server) path(ctx context.Context, place string, visit Visit) (string, error) {
	return s.sealedPath(ctx, place, sealed{Visit: visit})
}

func (s *Server) sealedPath(ctx context.Context, place string, content sealed) (string, error) {
	content.Visit, content.Failed = content.bounded(), shortened(content.Failed)
	if slices.Contains([]string{string(Chooser), string(Card), string(Frame)}, place) {
		content.Call = nil // nobody is looked up from there
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	text, err := s.options.Ring.Seal(ctx, place, plain, s.now().Add(s.options.Lifetime))
	if err != nil {
		return "", err
	}
	return s.prefix + place + "/" + text, nil
}

// ServeHTTP serves a page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.look.write(w.Header())
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.notice(w, r, http.StatusMethodNotAllowed, "foreign")
		return
	}
	place, text, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, s.prefix), "/")
	serve, ok := map[string]func(http.ResponseWriter, *http.Request, sealed){
		string(Chooser): s.chooser,
		string(Card):    s.card,
		string(Frame):   s.frame,
		string(Unknown): s.unknown,
		string(Waiting): s.waiting,
		result:          s.result,
		create:          s.create,
		unreachable:     s.unreachable,
	}[place]
	if !ok {
		s.notice(w, r, http.StatusNotFound, "foreign")
		return
	}
	content, err := s.open(r.Context(), place, text)
	switch {
	case errors.Is(err, seal.ErrExpired):
		s.notice(w, r, http.StatusGone, "expired")
	case err != nil:
		s.notice(w, r, http.StatusNotFound, "foreign")
	default:
		serve(w, r, content)
	}
}

func (s *Server) open(ctx context.Context, place, text string) (content sealed, err error) {
	plain, err := s.options.Ring.Open(ctx, place, text, s.now())
	if err != nil {
		return sealed{}, err
	}
	err = json.Unmarshal(plain, &content)
	return content, err
}

// chooser shows several records, or the one of them that was picked: its
// address holds them all, and picking needs no other one.
func (s *Server) chooser(w http.ResponseWriter, r *http.Request, c sealed) {
	if picked := r.URL.Query().Get(pick); picked != "" {
		s.picked(w, r, c, picked)
		return
	}
	v := s.view(r, c, Chooser, "chooser_title")
	for i, record := range c.Records {
		entry := s.entry(v, record)
		link := "?" + pick + "=" + strconv.Itoa(i)
		if entry.Tab {
			entry.Then = link
		} else {
			entry.Link = link
		}
		v.place(entry)
	}
	v.sort()
	s.render(w, r, v)
}

// pick is the parameter of a chooser's address that says which record.
const pick = "record"

func (s *Server) picked(w http.ResponseWriter, r *http.Request, c sealed, picked string) {
	at, err := strconv.Atoi(picked)
	if err != nil || at < 0 || at >= len(c.Records) {
		s.notice(w, r, http.StatusNotFound, "foreign")
		return
	}
	c.Records, c.More = c.Records[at:at+1], 0
	if c.Records[0].MayFrame {
		s.frame(w, r, c)
		return
	}
	s.card(w, r, c)
}

func (s *Server) card(w http.ResponseWriter, r *http.Request, c sealed) {
	v, ok := s.record(w, r, c, Card)
	if !ok {
		return
	}
	if v.Entry.URL != "" && !v.Entry.Tab {
		link, err := s.path(r.Context(), string(Frame), c.Visit)
		if err != nil {
			s.broken(w, r)
			return
		}
		v.Entry.Link = link
	}
	s.render(w, r, v)
}

func (s *Server) frame(w http.ResponseWriter, r *http.Request, c sealed) {
	v, ok := s.record(w, r, c, Frame)
	switch {
	case !ok:
	case v.Entry.URL == "":
		s.card(w, r, c)
	default:
		allowFrame(w.Header(), v.Entry.URL)
		s.render(w, r, v)
	}
}

// record is the view of a page about one record, the first.
func (s *Server) record(w http.ResponseWriter, r *http.Request, c sealed, page Page) (*view, bool) {
	if len(c.Records) == 0 {
		s.notice(w, r, http.StatusNotFound, "nothing")
		return nil, false
	}
	v := s.view(r, c, page, "")
	v.Entry = s.entry(v, c.Records[0])
	v.Title = v.titled(v.Entry)
	return v, true
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request, c sealed) {
	v := s.view(r, c, Unknown, "unknown_title")
	if c.Create != "" {
		link, err := s.path(r.Context(), create, c.Visit)
		if err != nil {
			s.broken(w, r)
			return
		}
		v.CreateLink = link
	}
	s.render(w, r, v)
}

func (s *Server) waiting(w http.ResponseWriter, r *http.Request, c sealed) {
	link, err := s.path(r.Context(), result, c.Visit)
	if err != nil {
		s.broken(w, r)
		return
	}
	v := s.view(r, c, Waiting, "waiting_title")
	v.ResultLink = link
	s.render(w, r, v)
}

// unreachable says which CRMs could not be asked. It never says that nobody is
// known.
func (s *Server) unreachable(w http.ResponseWriter, r *http.Request, c sealed) {
	link, err := s.path(r.Context(), string(Waiting), c.Visit)
	if err != nil {
		s.broken(w, r)
		return
	}
	v := s.view(r, c, unreachable, "unreachable_title")
	v.RetryLink = link
	s.render(w, r, v)
}

// result looks the caller up, and tells the waiting page where to go on.
func (s *Server) result(w http.ResponseWriter, r *http.Request, c sealed) {
	next, err := s.next(r.Context(), s.find(r.Context(), c.Visit, false))
	if err != nil {
		s.broken(w, r)
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"next": next}) // a browser that went away has no use for an error
}

func (s *Server) find(ctx context.Context, visit Visit, anew bool) Found {
	ctx, cancel := context.WithTimeout(ctx, s.options.Patience)
	defer cancel()
	return s.options.Find(ctx, visit, anew)
}

// next is the page for what was found.
func (s *Server) next(ctx context.Context, found Found) (string, error) {
	switch {
	case len(found.Visit.Records) > 1:
		return s.path(ctx, string(Chooser), found.Visit)
	case len(found.Visit.Records) == 1 && found.Visit.Records[0].MayFrame:
		return s.path(ctx, string(Frame), found.Visit)
	case len(found.Visit.Records) == 1:
		return s.path(ctx, string(Card), found.Visit)
	case found.Certain:
		return s.path(ctx, string(Unknown), found.Visit)
	default:
		return s.sealedPath(ctx, unreachable, sealed{Visit: found.Visit, Failed: found.Failed})
	}
}

// create looks again before the CRM's form opens: somebody else may have been
// faster.
func (s *Server) create(w http.ResponseWriter, r *http.Request, c sealed) {
	if c.Create == "" {
		s.notice(w, r, http.StatusNotFound, "nothing")
		return
	}
	found := s.find(r.Context(), c.Visit, true)
	switch {
	case len(found.Visit.Records) > 0:
		next, err := s.sealedPath(r.Context(), string(Chooser), sealed{Visit: found.Visit, Note: "create_found"})
		if err != nil {
			s.broken(w, r)
			return
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	case found.Certain:
		http.Redirect(w, r, c.Create, http.StatusSeeOther)
	default:
		c.Failed = shortened(found.Failed)
		v := s.view(r, c, "uncertain", "unreachable_title")
		v.CreateLink = r.URL.Path
		s.render(w, r, v)
	}
}

// Notice shows a page that says why there is no other: "refused" or "nothing".
func (s *Server) Notice(w http.ResponseWriter, r *http.Request, status int, why string) {
	s.look.write(w.Header())
	s.notice(w, r, status, why)
}

func (s *Server) notice(w http.ResponseWriter, r *http.Request, status int, why string) {
	v := s.view(r, sealed{}, "notice", why+"_title")
	v.Heading, v.Text, v.status = v.Texts.Say(why+"_title"), v.Texts.Say(why+"_text"), status
	s.render(w, r, v)
}

// broken is for keys that could not be had.
func (s *Server) broken(w http.ResponseWriter, r *http.Request) {
	s.notice(w, r, http.StatusServiceUnavailable, "broken")
}
