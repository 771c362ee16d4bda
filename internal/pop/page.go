package pop

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// page makes the answers that open an address.
type page struct {
	event   xucmgt.Event
	title   *template.Template[*Situation]
	pause   *xucmgt.Pause
	address *template.Template[*Situation]
	// record is the address of the record's page in the CRM.
	record *template.Template[*Situation]
	// refused is what becomes of a page that can't be framed: popup or card.
	refused string
	// hasCard is set if our card may be opened.
	hasCard bool
	// automatic is set where nobody has chosen the pane: it is used only for
	// pages that work in it.
	automatic bool
	// multitab is for popups.
	multitab bool
}

// isFrame reports whether the page is ours with the record's in it.
func (p page) isFrame() bool { return p.address.Uses("pane." + frame) }

func (p page) url(s *Situation) (string, error) {
	url, err := p.address.Render(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("the url %s can't be opened: %w", p.address, err)
	case url == "" && s.unpaged() != nil:
		return "", fmt.Errorf("the url %s can't be made: %w", p.address, s.unpaged())
	case url == "":
		return "", fmt.Errorf("the url %s is empty for this call", p.address)
	}
	return url, nil
}

// unpaged is why there is no page of ours, if there is none.
func (s *Situation) unpaged() error {
	if s.Pages == nil || len(pageNames[s.Outcome]) == 0 {
		return nil
	}
	_, err := s.Pages.Address(pageNames[s.Outcome][0], s)
	return err
}

// open shows a page in the pane, if that would not be a blank one.
func (p page) open(s *Situation) (xucmgt.Answer, error) {
	url, framed, err := p.addresses(s)
	switch {
	case err != nil:
		return p.instead(s), err
	case framed == "":
		return p.pane(s, url), nil
	// Whether a page may be framed is asked of its CRM; the site is not.
	case (!p.automatic || s.Pages.IsSameSite(framed)) && s.Pages.MayFrame(framed):
		return p.pane(s, url), nil
	case p.refused == card && p.hasCard && s.Outcome == One:
		url, err = s.Pages.Address(card, s)
		return p.pane(s, url), err
	default:
		return p.popup(s, framed), nil
	}
}

// instead is the CRM's own page where ours can't be made, if it has one; nil if
// not. The agent is better off with it than with nothing.
func (p page) instead(s *Situation) xucmgt.Answer {
	address := ""
	switch {
	case p.isFrame():
		address, _ = p.record.Render(s) // one that is refused is none
	case p.address.Uses("pane.chooser"):
		address = s.Links.Search
	}
	if address == "" {
		return nil
	}
	return p.popup(s, address)
}

// window shows a page in a window of its own.
func (p page) window(s *Situation) (xucmgt.Answer, error) {
	url, framed, err := p.addresses(s)
	if err != nil {
		return nil, err
	}
	if p.isFrame() && framed != "" && !s.Pages.MayFrame(framed) {
		url = framed
	}
	return p.popup(s, url), nil
}

func (p page) pane(s *Situation, url string) xucmgt.Answer {
	return xucmgt.Open{Event: p.event, URL: url, Title: shown(p.title, s), Pause: p.pause}
}

func (p page) popup(s *Situation, url string) xucmgt.Answer {
	return xucmgt.Popup{Event: p.event, URL: url, Title: shown(p.title, s), Multitab: p.multitab}
}

// addresses returns the page's address, and that of the CRM's page which is
// framed with it; "" if none is. The card stands in for a record without a page.
func (p page) addresses(s *Situation) (url, framed string, err error) {
	if url, err = p.url(s); err != nil || s.Pages == nil {
		return url, "", err
	}
	if !p.isFrame() {
		if p.address.UsesAny("pane.") {
			return url, "", nil
		}
		return url, url, nil
	}
	if framed, err = p.record.Render(s); err == nil && framed != "" {
		return url, framed, nil
	}
	if !p.hasCard {
		return "", "", fmt.Errorf("the record's page can't be opened: %w", cmp.Or(err, errNoAddress))
	}
	url, err = s.Pages.Address(card, s)
	return url, "", err
}

var errNoAddress = errors.New("it has none")

// pageNames are the pages that an outcome can open.
var pageNames = map[Outcome][]string{
	One: {card, frame}, Many: {"chooser"}, None: {"unknown"}, Unreachable: {"waiting"},
}

// addPages declares {pane.<page>}.
func (o Options) addPages(scope *template.Scope[*Situation], outcome Outcome) {
	there := slices.DeleteFunc(slices.Clone(pageNames[outcome]), func(name string) bool { return !slices.Contains(o.Pages, name) })
	scope.AddFamily("pane.", there, func(name string) (template.Placeholder[*Situation], error) {
		if !slices.Contains(there, name) {
			return template.Placeholder[*Situation]{}, noPage(name, outcome, there)
		}
		return address(func(s *Situation) string { return s.page(name) }), nil
	})
}

func noPage(name string, outcome Outcome, there []string) error {
	switch {
	case slices.Contains(pageNames[outcome], name):
		return fmt.Errorf("pane leaves the page %s out", name)
	case len(there) == 0:
		return fmt.Errorf("the outcome %s has no page of ours", outcome)
	}
	return errors.New("the outcome " + string(outcome) + " has no page " + name + "; it has {pane." + strings.Join(there, "}, {pane.") + "}")
}

func (s *Situation) page(name string) string {
	if s.Pages == nil {
		return ""
	}
	address, err := s.Pages.Address(name, s)
	if err != nil {
		return "" // the answer says that the url is empty
	}
	return address
}
