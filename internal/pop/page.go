package pop

import (
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
	title   *template.Template[Situation]
	pause   *xucmgt.Pause
	address *template.Template[Situation]
	// refused is what becomes of a page that can't be framed: popup or card.
	refused string
	// automatic is set where nobody has chosen the pane: it is used only for
	// pages that work in it.
	automatic bool
}

func (p page) url(s Situation) (string, error) {
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
func (s Situation) unpaged() error {
	if s.Pages == nil || len(pageNames[s.Outcome]) == 0 {
		return nil
	}
	_, err := s.Pages.Address(pageNames[s.Outcome][0], s)
	return err
}

func (p page) popup(s Situation, url string, multitab bool) xucmgt.Answer {
	return xucmgt.Popup{Event: p.event, URL: url, Title: shown(p.title, s), Multitab: multitab}
}

func (p page) pane(s Situation, url string) xucmgt.Answer {
	return xucmgt.Open{Event: p.event, URL: url, Title: shown(p.title, s), Pause: p.pause}
}

// open shows a page in the pane, if that would not be a blank one.
func (p page) open(s Situation) (xucmgt.Answer, error) {
	url, err := p.url(s)
	if err != nil {
		return nil, err
	}
	framed := url
	if p.address.UsesAny("pane.") {
		if !p.address.Uses("pane." + frame) {
			return p.pane(s, url), nil
		}
		if framed = s.contact().URL; framed == "" {
			return p.card(s)
		}
	}
	if s.Pages == nil || s.Pages.MayFrame(framed) && (!p.automatic || s.Pages.IsSameSite(framed)) {
		return p.pane(s, url), nil
	}
	if p.refused == card && s.Outcome == One {
		return p.card(s)
	}
	return p.popup(s, framed, false), nil
}

// card shows what is known of the record, on a page of ours.
func (p page) card(s Situation) (xucmgt.Answer, error) {
	url, err := s.Pages.Address(card, s)
	if err != nil {
		return nil, fmt.Errorf("the card can't be opened: %w", err)
	}
	return p.pane(s, url), nil
}

// pageNames are the pages that an outcome can open.
var pageNames = map[Outcome][]string{
	One: {card, frame}, Many: {"chooser"}, None: {"unknown"}, Unreachable: {"waiting"},
}

// addPages declares {pane.<page>}.
func (o Options) addPages(scope *template.Scope[Situation], outcome Outcome) {
	there := slices.DeleteFunc(slices.Clone(pageNames[outcome]), func(name string) bool { return !slices.Contains(o.Pages, name) })
	scope.AddFamily("pane.", there, func(name string) (template.Placeholder[Situation], error) {
		if !slices.Contains(there, name) {
			return template.Placeholder[Situation]{}, noPage(name, outcome, there)
		}
		return address(func(s Situation) string { return s.page(name) }), nil
	})
}

func noPage(name string, outcome Outcome, there []string) error {
	if len(there) == 0 {
		return fmt.Errorf("the outcome %s has no page of ours", outcome)
	}
	return errors.New("the outcome " + string(outcome) + " has no page " + name + "; it has {pane." + strings.Join(there, "}, {pane.") + "}")
}

func (s Situation) page(name string) string {
	if s.Pages == nil {
		return ""
	}
	address, err := s.Pages.Address(name, s)
	if err != nil {
		return "" // the answer says that the url is empty
	}
	return address
}
