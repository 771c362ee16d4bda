package demo

import "hash/fnv"

// Event is one line of a contact's made-up history.
type Event struct {
	Date string
	Kind string
	Text string
}

var pastEvents = []Event{
	{"18 November 2026", "Call", "Asked when the delivery will arrive. Told: Thursday before noon."},
	{"12 November 2026", "Order", "Order 2026-1187 confirmed, two pallets."},
	{"4 November 2026", "Ticket", "Invoice sent twice; the second one cancelled."},
	{"23 October 2026", "Call", "Wants to be called back in the new year about the contract."},
	{"9 October 2026", "Note", "Prefers to be called in the morning."},
	{"1 October 2026", "Order", "Order 2026-0954 delivered and paid."},
	{"15 September 2026", "Ticket", "Access badge replaced."},
	{"2 September 2026", "Note", "Met at the fair in Lyon; sent the catalogue."},
}

// history picks a few events for a contact, always the same ones.
func history(c Contact) []Event {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(c.ID))
	choice := hash.Sum32()
	var events []Event
	for i, event := range pastEvents {
		if choice>>i&1 == 1 {
			events = append(events, event)
		}
	}
	return events
}
