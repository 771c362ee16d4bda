package demo

// A Caller is one scenario that the agent simulator offers: who calls, how the
// trunk writes the number, and what is worth watching.
type Caller struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	// Caller is what the trunk delivered; nil when it delivered nothing at all,
	// which is not the same as an empty text.
	Caller *string `json:"caller"`
	// Queue is the queue that the call comes through, or empty for a direct call.
	Queue    string            `json:"queue"`
	Note     string            `json:"note"`
	UserData map[string]string `json:"userData,omitempty"`
	// Page is the name of the gateway's page that the call is there to show, if
	// it is: the simulator has a button for it.
	Page string `json:"page,omitempty"`
	// Mood is what the demo CRM has to be in for that page.
	Mood Mood `json:"mood,omitempty"`
}

// Callers lists the scenarios, in the order in which a newcomer would try them.
func Callers() []Caller {
	return []Caller{
		{ID: "known", Label: "Known caller", Caller: new(knownNumber), Page: "Record", Note: "Camille Moreau of Moreau & Fils, Lyon. The CRM’s page opens in the pane while the telephone rings, below a bar with Done."},
		{ID: "known-support", Label: "Known caller, support queue", Caller: new(knownNumber), Queue: "support", Note: "The same, and the agent is on pause until Done is pressed in the pane."},
		{ID: "known-established", Label: "Known caller, Blue sky queue", Caller: new(knownNumber), Queue: "bluesky", Note: "The answer waits for EventEstablished: nothing opens until the call is answered."},
		{ID: "known-released", Label: "Known caller, Trucks queue", Caller: new(knownNumber), Queue: "trucks", Note: "The answer waits for EventReleased: the record opens after the call, for wrap-up. A call that was never answered opens nothing."},
		{ID: "known-popup", Label: "Known caller, in the popup", Caller: new(knownNumber), UserData: map[string]string{"USR_TAB": "popup"}, Note: "Call data set by the dialplan chose a rule with popup: one window, which every such call uses again."},
		{ID: "known-multitab", Label: "Known caller, a tab of its own", Caller: new(knownNumber), UserData: map[string]string{"USR_TAB": "new"}, Note: "Call data set by the dialplan chose a rule with multitab: every call gets another tab."},
		{ID: "known-run", Label: "Known caller, run a program", Caller: new(knownNumber), UserData: map[string]string{"USR_APP": "erp"}, Note: "The desktop application would start a program with the caller’s number. A browser can’t."},
		{ID: "known-e164", Label: "Trunk writes +33…", Caller: new("+33427466347"), Note: "The same Camille Moreau."},
		{ID: "known-idd", Label: "Trunk writes 0033…", Caller: new("0033427466347"), Note: "The same Camille Moreau."},
		{ID: "known-digits", Label: "Trunk writes 33…", Caller: new("33427466347"), Note: "Digits only, no plus: the same Camille Moreau."},
		{ID: "known-trunk-zero", Label: "Trunk writes +33 (0)…", Caller: new("+33 (0)4 27 46 63 47"), Note: "The same Camille Moreau."},
		{ID: "known-sip", Label: "Trunk writes a SIP address", Caller: new("sip:0427466347@trunk.example"), Note: "The same Camille Moreau."},
		{ID: "known-tel", Label: "Trunk writes a tel: address", Caller: new("tel:+33427466347"), Note: "The same Camille Moreau."},
		{ID: "known-mobile", Label: "Known caller, second number", Caller: new(knownMobile), Note: "Camille Moreau from her mobile: a record opens whichever of its numbers calls."},
		{ID: "switchboard", Label: "Switchboard of eight people", Caller: new(switchboardNumber), Page: "Chooser", Note: "Eight people of Transports Bellier share this number with a supplier. Nobody can know which of them calls, so the agent chooses."},
		{ID: "duplicate", Label: "One person, entered twice", Caller: new(duplicateNumber), Note: "Hélène Fabre is in the CRM twice, which is ambiguous too."},
		{ID: "supplier", Label: "A supplier, who has no page", Caller: new(supplierNumber), Page: "Card", Note: "The CRM knows Papeterie du Rhin but has no page for it: a card shows what the API tells."},
		{ID: "refused", Label: "A page that refuses to be framed", Caller: new(refusedNumber), Page: "Framing refused", Note: "The CRM sends X-Frame-Options: DENY with Solène Kerbrat’s page. In the pane it would be blank, so it opens in a popup."},
		{ID: "refused-too", Label: "Another page that refuses to be framed", Caller: new(otherRefused), Note: "Yann Kerbrat’s page, which opens in the same popup."},
		{ID: "unknown", Label: "Unknown number", Caller: new(unknownNumber), Page: "Unknown caller", Note: "Nobody has this number: the agent can search for the caller, or create a contact with the number filled in."},
		{ID: "slow", Label: "Known caller, slow CRM", Caller: new(knownNumber), Page: "Waiting", Mood: MoodSlow, Note: "The CRM takes two seconds, the answer must not: a page waits, and turns into the record."},
		{ID: "down", Label: "Known caller, CRM down", Caller: new(knownNumber), Page: "Could not ask", Mood: MoodDown, Note: "The CRM can’t be asked. The page says so, and offers to try again; it never says that nobody is known."},
		{ID: "strangers", Label: "A number that only strangers match", Caller: new(strangersNumber), Note: "The CRM’s search returns two people whose numbers contain these digits. Neither of them is calling: this is an unknown number."},
		{ID: "withheld", Label: "Withheld (empty)", Caller: new(""), Note: "The trunk delivered an empty number. Nothing is looked up."},
		{ID: "withheld-absent", Label: "Withheld (absent)", Note: "The trunk delivered no number, so the payload has no caller at all."},
		{ID: "anonymous", Label: "Anonymous", Caller: new("anonymous"), Note: "The word stands where the number should."},
		{ID: "colleague", Label: "A colleague, 1013", Caller: new("1013"), Note: "An internal extension: a colleague is not looked up in the CRM."},
		{ID: "foreign", Label: "From Germany", Caller: new(foreignNumber), Note: "Jürgen Weiß of Berlin, whose number stands in the CRM as +49 30/23125147."},
		{ID: "hostile", Label: "A record that tries to inject", Caller: new(hostileNumber), Queue: "support", Note: "Its name and company are written as HTML and as a command line. They must stay text everywhere."},
	}
}
