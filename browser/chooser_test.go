package browser

import (
	"strings"
	"testing"
)

func TestSeveralPeopleBehindOneNumberAreChosenFrom(t *testing.T) {
	s := openSimulator(t)
	s.ring("switchboard")
	pane := s.pane()
	pane.waitForText("h1", "Who is calling?")
	pane.waitForText(".lead", "9")
	headings, err := ask[[]string](pane, `[...document.querySelectorAll('h2')].map((heading) => heading.textContent)`)
	s.must(err)
	if got, want := strings.Join(headings, ", "), "Transports Bellier, Companies and others"; got != want {
		t.Errorf("the groups are %s; want the people first: %s", got, want)
	}
	records, err := ask[[]string](pane, `[...document.querySelectorAll('.record')].map((record) => record.textContent)`)
	s.must(err)
	for i, record := range records {
		if !strings.Contains(record, "matches") {
			t.Errorf("record %d does not say why it is there: %q", i+1, record)
		}
	}
}

func TestChosenPersonOpensInThePane(t *testing.T) {
	s := openSimulator(t)
	s.show("Chooser")
	s.pane().click("section:first-of-type li:nth-child(2) .record")
	s.record().waitForText("#name", "Bruno Kessler")
	s.pane().waitForText(".number", "03 53 01 01 00")
}

func TestChosenRecordWithoutAPageOpensAsACard(t *testing.T) {
	s := openSimulator(t)
	s.show("Chooser")
	s.pane().click("section:last-of-type .record")
	s.pane().waitForText("h1", "Bellier Logistique")
	s.pane().waitForText("dl", "401-0042")
}

func TestDuplicatesAreNotGuessedAt(t *testing.T) {
	s := openSimulator(t)
	s.ring("duplicate")
	s.pane().waitForText("main", "Hélène Fabre")
	s.pane().waitForText("main", "Helene FABRE")
}

func TestCardShowsWhatTheCRMKnows(t *testing.T) {
	s := openSimulator(t)
	s.show("Card")
	pane := s.pane()
	pane.waitForText("h1", "Papeterie du Rhin")
	for _, want := range []string{"contact@papeterie-du-rhin.example", "03 53 01 01 50", "03.53.01.01.51", "401-0117", "Strasbourg"} {
		pane.waitForText("dl", want)
	}
	links, err := ask[[]string](pane, `[...document.querySelectorAll('dd a')].map((link) => link.href)`)
	s.must(err)
	want := "mailto:contact@papeterie-du-rhin.example tel:+33353010150 tel:+33353010151"
	if got := strings.Join(links, " "); got != want {
		t.Errorf("the links are %s, want %s", got, want)
	}
}

func TestCopyButtonsCopyInThePane(t *testing.T) {
	s := openSimulator(t)
	s.show("Card")
	s.pane().waitForText("h1", "Papeterie du Rhin")
	const account = "dd:nth-of-type(5)"
	s.pane().waitForText(account, "401-0117")
	s.pane().click(account + " .copy")
	s.pane().waitForText(account+" .copy", "Copied")
	// A screen reader hears the label, not the text.
	s.pane().waitForText(account+" .copy[aria-label=Copied]", "Copied")
	// What was copied is seen by pasting it.
	s.set("#user-data", "")
	s.click("#user-data")
	s.paste()
	if got := s.value("#user-data"); got != "401-0117" {
		t.Errorf("pasting writes %q, want what was copied", got)
	}
}
