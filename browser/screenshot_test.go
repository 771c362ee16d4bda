package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The pictures are for people: they are written, and looked at, not compared.
// What the test checks is that the page never scrolls sideways.
func TestScreenshots(t *testing.T) {
	folder := screenshots(t)
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{
		{"light", "light", 1440}, {"dark", "dark", 1440}, {"narrow", "light", 900},
	} {
		t.Run(look.name, func(t *testing.T) {
			s := openSimulator(t)
			s.look(look.scheme, look.width)
			for _, step := range steps {
				step.take(s)
				s.picture(filepath.Join(folder, look.name+"-"+step.name+".png"))
			}
		})
	}
}

// screenshots is the folder for pictures.
func screenshots(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = "screenshots"
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// steps are the moments of a visit that are worth a picture, in order.
var steps = []struct {
	name string
	take func(s *simulator)
}{
	{"1-start", func(*simulator) {}},
	{"2-popup", func(s *simulator) {
		s.ring("known-popup")
		s.waitForText("#status", "The popup was opened.")
	}},
	{"3-pane", func(s *simulator) {
		s.click("#hangup")
		s.ring("known-support")
		s.waitForText("#status", "Pane open")
		s.record().waitForText("#name", "Camille")
		s.click("#answer")
	}},
	{"4-run", func(s *simulator) {
		s.click("#hangup")
		s.click("#pane-close")
		s.ring("known-run")
		s.waitForText("#run-box", "would run")
	}},
	{"5-established", func(s *simulator) {
		s.click("#hangup")
		s.click("summary")
		s.ring("known-established")
		s.waitForText("#status", "EventEstablished")
	}},
	{"6-search", func(s *simulator) {
		s.do(chromedp.Navigate("http://" + running.CRM + "/search?q=0353010100"))
	}},
	{"7-contact", func(s *simulator) {
		s.do(chromedp.Navigate("http://" + running.CRM + "/contacts/c-0001"))
	}},
	{"8-new-contact", func(s *simulator) {
		s.do(chromedp.Navigate("http://" + running.CRM + "/contacts/new?phone=%2B33536490999"))
	}},
}

func (s *simulator) look(scheme string, width int64) {
	s.t.Helper()
	s.do(chromedp.EmulateViewport(width, 1000))
	_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	s.must(err)
}

func (s *simulator) picture(path string) {
	s.t.Helper()
	const png = 100
	image := value(s, chromedp.FullScreenshot(png))
	s.must(os.WriteFile(path, image, 0o644))
	if excess := evaluate[int](s, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); excess > 0 {
		s.t.Errorf("%s: the page is %d pixels wider than its window", path, excess)
	}
}
