package caddymodule

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"golang.org/x/net/publicsuffix"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/framing"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/pane"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/seal"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// Pane is about our own pages, which the agent sees where the CRM has none that
// fits: to choose among several records, for unknown callers, while a slow CRM
// is still being asked.
type Pane struct {
	// Leave all of our pages out. Default: false.
	Off bool `json:"off,omitempty"`

	// The pages to use: `chooser`, `card`, `frame`, `unknown`, `waiting`.
	// Default: all.
	Pages []string `json:"pages,omitempty"`

	// Where agents' browsers reach the gateway, such as
	// `https://crm-pop.example.com`. Default: as the call's request says.
	URL string `json:"url,omitempty"`

	pane.Brand

	// How long a page's address is good for, at most a day. Default: `15m`.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long a slow CRM is waited for behind the waiting page. Default: `15s`.
	Patience caddy.Duration `json:"patience,omitempty"`

	// The languages of the pages: `en`, `fr`. The agent's browser chooses among
	// them; the first is for browsers that want none of them. Default: all,
	// English first.
	Languages []string `json:"languages,omitempty"`

	// Secrets that the pages' addresses are encrypted with, of 32 characters or
	// more: the first one for new addresses, the others to replace it without a
	// break. Default: keys that are kept in Caddy's storage, new ones each week.
	Keys []string `json:"keys,omitempty"`

	// What to do with a CRM page that is to be opened in the pane and refuses to
	// be framed: `popup` opens it in a popup, `card` our own page with a button.
	// Default: `popup`.
	Refused string `json:"refused,omitempty"`

	// Origins whose pages may be framed, whatever they say: for a CRM whose pages
	// the gateway can't reach to find out.
	Framed []string `json:"framed,omitempty"`
}

const (
	longestPatience = 2 * time.Minute
	shortestLink    = 10 * time.Second
)

// owns reports whether a path is one of our pages'.
func (h *Handler) owns(path string) bool {
	return len(h.pageNames) > 0 && h.pages.server.Owns(path)
}

// ownPages are our pages with what they need of the handler.
type ownPages struct {
	handler *Handler
	server  *pane.Server
	guard   *framing.Guard
	ring    *seal.Ring
	base    string
	// framed are origins that are taken at the administrator's word.
	framed []string
}

// use returns the names of the pages to use.
func (p *Pane) use() ([]string, error) {
	if p == nil || !p.Off && len(p.Pages) == 0 {
		return pageNames(), nil
	}
	if p.Off {
		return nil, nil
	}
	for _, name := range p.Pages {
		if !slices.Contains(pageNames(), name) {
			return nil, mistake.In("pages", fmt.Errorf("there is no page %q; there are %s", name, strings.Join(pageNames(), ", ")))
		}
	}
	return p.Pages, nil
}

func pageNames() []string {
	var names []string
	for _, page := range pane.Pages() {
		names = append(names, string(page))
	}
	return names
}

// preparePane checks the pane's options. The pages themselves need Caddy's
// storage.
func (h *Handler) preparePane(known template.Settings) error {
	config := Pane{}
	if h.Pane != nil {
		config = *h.Pane
	}
	use, err := config.use()
	if err != nil {
		return err
	}
	h.pageNames = use
	switch {
	case config.Refused != "" && config.Refused != "popup" && config.Refused != "card":
		return mistake.In("refused", fmt.Errorf("%q is not one of popup, card", config.Refused))
	case config.Refused == "card" && !slices.Contains(use, string(pane.Card)):
		return mistake.In("refused", errors.New("card needs the page card, which pages leaves out"))
	case config.Lifetime != 0 && (time.Duration(config.Lifetime) < shortestLink || time.Duration(config.Lifetime) > seal.LongestLifetime):
		return mistake.In("lifetime", fmt.Errorf("%s is not between %s and %s", time.Duration(config.Lifetime), shortestLink, seal.LongestLifetime))
	case config.Patience != 0 && (time.Duration(config.Patience) < time.Second || time.Duration(config.Patience) > longestPatience):
		return mistake.In("patience", fmt.Errorf("%s is not between 1s and %s", time.Duration(config.Patience), longestPatience))
	}
	h.pages = &ownPages{handler: h}
	if h.pages.base, err = paneURL(config.URL, known); err != nil {
		return mistake.In("url", err)
	}
	for _, text := range config.Framed {
		origin, err := paneURL(text, known)
		if err != nil {
			return mistake.In("framed", err)
		}
		h.pages.framed = append(h.pages.framed, origin)
	}
	if h.pages.ring, err = ringOf(config.Keys, known); err != nil {
		return mistake.In("key", err)
	}
	if known["file."] == nil {
		config.Logo = "" // files are read when the configuration loads
	}
	h.pages.server, err = pane.New(pane.Options{
		Endpoint: h.endpoint, Origins: h.origins.all(), Region: h.region, Ring: h.pages.ring,
		Lifetime:  orDefault(config.Lifetime, pane.DefaultLifetime),
		Patience:  orDefault(config.Patience, pane.DefaultPatience),
		Languages: config.Languages, Brand: config.Brand, Find: h.findAgain,
	})
	return err
}

func orDefault(configured caddy.Duration, otherwise time.Duration) time.Duration {
	if configured == 0 {
		return otherwise
	}
	return time.Duration(configured)
}

func paneURL(text string, known template.Settings) (string, error) {
	if text == "" {
		return "", nil
	}
	resolved, ok, err := resolve(text, known)
	if err != nil || !ok {
		return "", err
	}
	if strings.Contains(resolved, "*") {
		return "", fmt.Errorf("%q is a pattern; write each origin by itself", resolved)
	}
	return parseOrigin(resolved)
}

// ringOf makes the configured keys; nil if they are to be kept in a storage.
func ringOf(texts []string, known template.Settings) (*seal.Ring, error) {
	var secrets []string
	for _, text := range texts {
		secret, resolved, err := resolve(text, known)
		if err != nil {
			return nil, err
		}
		if !resolved {
			return nil, nil
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, nil
	}
	return seal.Given(secrets...)
}

// openPages gets the pages what they need to be served.
func (h *Handler) openPages(ctx caddy.Context) {
	if h.pages.ring == nil {
		h.pages.ring = seal.Kept(tokenStore{ctx.Storage()})
		h.pages.server.Keep(h.pages.ring)
	}
	h.pages.guard = newGuard(func(err error) {
		h.logger.Info("a CRM's pages are not opened in the pane", zap.Error(err))
	})
}

func newGuard(refused func(error)) *framing.Guard {
	return framing.New(http.DefaultTransport.(*http.Transport).Clone(), refused)
}

// rehearse gets the pages ready for a check: with a key of its own, so that
// nothing is left in the storage, which may be another user's.
func (p *ownPages) rehearse(refused func(error)) error {
	ring, err := seal.Given(rand.Text() + rand.Text())
	if err != nil {
		return err
	}
	p.close()
	p.ring, p.guard = ring, newGuard(refused)
	p.server.Keep(ring)
	return nil
}

// close ends what the pages do in the background.
func (p *ownPages) close() {
	if p == nil {
		return
	}
	if p.guard != nil {
		p.guard.Close()
	}
	if p.ring != nil {
		p.ring.Close()
	}
}

// prepare sees to it that there are keys by the time that a page is needed: the
// browser's preflight comes before its first call.
func (p *ownPages) prepare() {
	if len(p.handler.pageNames) > 0 {
		p.ring.Prepare()
	}
}

// refused is what becomes of pages that can't be framed.
func (h *Handler) refused() string {
	if h.Pane == nil {
		return ""
	}
	return h.Pane.Refused
}

// baseOf is where the agent's browser reaches the gateway.
func (p *ownPages) baseOf(r *http.Request) string {
	if p.base != "" {
		return p.base
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if trusted, ok := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); ok && trusted {
		if forwarded := strings.ToLower(r.Header.Get("X-Forwarded-Proto")); forwarded == "https" || forwarded == "http" {
			scheme = forwarded
		}
		if first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); first != "" {
			host = strings.TrimSpace(first)
		}
	}
	return scheme + "://" + host
}

// visitor is the agent's browser that a call's pages are for. It implements
// [pop.Pages].
type visitor struct {
	*ownPages

	ctx context.Context //nolint:containedctx // of one call, as long as its answer is made
	// until is when that must be made; zero: as long as the context.
	until time.Time
	// base is where it reaches us, and origin where the agent application is.
	base, origin string
	rule         string
}

// visitorOf is the browser that sends a request.
func (h *Handler) visitorOf(r *http.Request) visitor {
	return h.visitorFrom(r, r.Header.Get("Origin"))
}

// visitorFrom is the browser that sends a request, with the page that it is
// known to come from. "null" names no page.
func (h *Handler) visitorFrom(r *http.Request, origin string) visitor {
	v := h.visitorAt(h.pages.baseOf(r))
	v.ctx = r.Context()
	if origin != "" && origin != "null" {
		v.origin = origin
	}
	return v
}

// visitorHere is a browser for checks: of the first of the origins, and with
// the gateway where it is configured to be, or else beside the agents.
func (h *Handler) visitorHere() visitor {
	v := h.visitorAt(h.pages.base)
	v.base = cmp.Or(v.base, v.origin, "https://gateway.example.com")
	return v
}

// visitorAt is a browser that reaches us at an address, from the first of the
// agent application's.
func (h *Handler) visitorAt(base string) visitor {
	v := visitor{ownPages: h.pages, base: base}
	if len(h.origins.exact) > 0 {
		v.origin = h.origins.exact[0]
	}
	return v
}

// inTime is the context in which something is waited for.
func (v visitor) inTime() (context.Context, context.CancelFunc) {
	if v.until.IsZero() {
		return v.ctx, func() {}
	}
	return context.WithDeadlineCause(v.ctx, v.until, &crm.DeadlineError{Deadline: v.handler.deadline})
}

// Address returns the address of a page about a situation.
func (v visitor) Address(page string, s *pop.Situation) (string, error) {
	ctx, cancel := v.inTime()
	defer cancel()
	return v.server.Address(ctx, v.base, pane.Page(page), v.visit(s))
}

// MayFrame reports whether the agent application may show a page in its pane,
// itself and inside a page of ours.
func (v visitor) MayFrame(address string) bool {
	if v.isOurs(address) || slices.Contains(v.framed, originOf(address)) {
		return true
	}
	if v.origin == "" {
		return false
	}
	ctx, cancel := v.inTime()
	defer cancel()
	return v.guard.MayFrame(ctx, address, v.origin, originOf(v.base))
}

func (v visitor) isOurs(address string) bool {
	return v.base != "" && strings.HasPrefix(address, v.base+"/")
}

// IsSameSite reports whether a page and the agent application are of one site.
func (v visitor) IsSameSite(address string) bool {
	return sameSite(address, v.origin) && sameSite(address, v.base)
}

// sameSite compares the schemes and the registrable domains of two addresses.
func sameSite(a, b string) bool {
	one, errA := url.Parse(a)
	other, errB := url.Parse(b)
	if errA != nil || errB != nil || one.Scheme != other.Scheme {
		return false
	}
	return siteOf(one.Hostname()) == siteOf(other.Hostname())
}

func siteOf(host string) string {
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host // an IP address, or a name without a domain
}

func originOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Scheme + "://" + parsed.Host
}

// visit is what the pages about a situation need to know.
func (v visitor) visit(s *pop.Situation) pane.Visit {
	visit := pane.Visit{
		Origin: v.origin, Gateway: v.base, Number: s.Number.E164(), Queue: queueName(s.Call.Queue),
		CRM: s.CRM.Name, Search: s.Links.Search, Create: s.Links.Create,
		Rule: v.rule, Call: s.Call.JSON(),
	}
	if s.Number.IsZero() {
		visit.Caller = s.Call.Caller
	}
	for _, record := range s.Records {
		visit.Records = append(visit.Records, v.record(s, record))
	}
	return visit
}

func queueName(queue xucmgt.Queue) string {
	if queue.DisplayName != "" {
		return queue.DisplayName
	}
	return queue.Name
}

func (v visitor) record(s *pop.Situation, r crm.Record) pane.Record {
	shown := pane.Record{CRM: r.CRM, Kind: r.Kind, Name: r.Name, Company: r.Company, Email: r.Email, URL: r.URL}
	for _, text := range r.Phones {
		if shown.Matched == "" && v.handler.region.Same(s.Number, text) {
			shown.Matched = text
			continue
		}
		shown.Phones = append(shown.Phones, text)
	}
	for _, name := range sortedKeys(r.Fields) {
		if value := r.Fields[name]; value != "" {
			shown.Fields = append(shown.Fields, pane.Field{Name: name, Value: value})
		}
	}
	shown.MayFrame = r.URL != "" && slices.Contains(v.handler.pageNames, string(pane.Frame)) && v.IsSameSite(r.URL) && v.MayFrame(r.URL)
	return shown
}

// findPatiently asks the CRMs until they have answered or the context ends: what
// is on its way for the call first, and if that fails, once more without the
// timeouts that a call has.
func (h *Handler) findPatiently(ctx context.Context, t *trace, anew bool) lookup.Finding {
	terms := lookup.Terms{Arrived: t.arrived, Ask: t.rule.Ask, Anew: anew}
	finding := h.engine.Find(ctx, h.query(&t.situation), terms)
	if finding.Err == nil || len(finding.Records) > 0 || ctx.Err() != nil {
		return finding
	}
	terms.Patient = true
	return h.engine.Find(ctx, h.query(&t.situation), terms)
}

// findAgain looks a caller up again, for a page.
func (h *Handler) findAgain(ctx context.Context, again pane.Visit, anew bool) pane.Found {
	call, err := xucmgt.Decode(again.Call)
	if err != nil {
		call = xucmgt.Call{Caller: again.Number}
	}
	arrived := time.Now()
	who := h.identify(call)
	if number, err := h.region.Parse(again.Number); err == nil {
		who = caller{text: again.Number, number: number}
	}
	t := h.begin(call, arrived, who)
	t.rule, t.again, t.answer = h.rules.Named(again.Rule), true, xucmgt.None{}
	if t.caller.isKnowable() {
		t.finding = h.findPatiently(ctx, t, anew)
		t.situation.Records = t.finding.Records
		t.situation.Outcome = pop.OutcomeOf(len(t.finding.Records), t.finding.Err)
		h.describe(&t.situation, t.finding.CRM)
	}
	t.took = time.Since(arrived)
	t.abandoned = errors.Is(ctx.Err(), context.Canceled)
	h.log(t)

	v := visitor{ownPages: h.pages, ctx: ctx, base: again.Gateway, origin: again.Origin, rule: again.Rule}
	found := pane.Found{Visit: v.visit(&t.situation), Certain: t.situation.Outcome == pop.None}
	found.Visit.Caller = again.Caller
	for _, report := range t.finding.Reports {
		if report.Result.Err != nil {
			found.Failed = append(found.Failed, report.CRM)
		}
	}
	return found
}

var _ pop.Pages = visitor{}
