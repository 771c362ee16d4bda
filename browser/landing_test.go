package browser

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// XiVO's sheet opens popupUrl with folderNumber behind it.
func TestSheetShowsTheDecisionAsAPage(t *testing.T) {
	for number, page := range map[string]string{"0427466347": "frame", "0353010100": "chooser", "0353010150": "card", "0536490999": "unknown"} {
		t.Run(page, func(t *testing.T) {
			s := openSimulator(t)
			s.set("#caller", number)
			s.show("Sheet")
			window := s.waitForWindow(func(at *url.URL) bool { return strings.Contains(at.Path, "/pane/"+page+"/") })
			window.top().waitForText("header", "Done")
		})
	}
}

func TestDoneClosesTheSheetsWindow(t *testing.T) {
	s := openSimulator(t)
	s.show("Sheet")
	window := s.waitForWindow(func(at *url.URL) bool { return strings.Contains(at.Path, "/pane/frame/") })
	window.top().click("[data-done]")
	s.eventually("the window is closed", func() bool { return len(s.popups()) == 0 })
}

func TestSheetOpensNothingForAColleagueAndSaysSo(t *testing.T) {
	s := openSimulator(t)
	s.set("#caller", "1013")
	s.show("Sheet")
	window := s.waitForWindow(func(at *url.URL) bool { return at.Path == "/call" })
	window.top().waitForText("h1", "Nothing to show")
}

func TestSheetIsForTheAgentApplicationOnly(t *testing.T) {
	stranger := newPage(t, `<a href="http://`+running.Gateway+`/call?number=0427466347">Who is that?</a>`)
	s := openTab(t)
	s.expectProblem("403 (Forbidden)")
	s.do(chromedp.Navigate(stranger))
	s.top().click("a")
	s.top().waitForText("h1", "This page is not for you")
}
