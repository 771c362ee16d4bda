package pop

// Definition is a site's rules, as they are configured.
type Definition struct {
	// What to answer for each outcome: `one`, `many`, `none`, `withheld`,
	// `internal`, `unreachable`. Default: `one` opens the record
	// (`popup {contact.url}`), `many` the CRM's search (`popup {crm.search_url}`),
	// all others do nothing.
	On map[Outcome]Response `json:"on,omitempty"`

	// Rules for some calls only. The first one that matches counts; what it
	// leaves out falls back to `on`.
	When []When `json:"when,omitempty"`
}

// When is a rule for the calls that match.
type When struct {
	// Which calls the rule is for. Of several conditions all must hold.
	Match Match `json:"match"`
	// What to answer, by outcome.
	On map[Outcome]Response `json:"on,omitempty"`
	// The names of the CRMs to ask. Default: all.
	Ask []string `json:"ask,omitempty"`
}

// Match is a set of conditions on a call. What is left out holds for any call.
type Match struct {
	// Names or display names of queues.
	Queue []string `json:"queue,omitempty"`
	// Patterns of the dialled number: digits, `*` and `?`; with `+` in front they
	// are compared in E.164.
	DID []string `json:"did,omitempty"`
	// Patterns of the caller's number, of the same form.
	Caller []string `json:"caller,omitempty"`
	// Ids of agents.
	Agent []string `json:"agent,omitempty"`
	// A key of the call's userData, and the values of it that match.
	Data *Data `json:"data,omitempty"`
	// A CEL expression over `call`, the payload by its own names. One that asks
	// for something absent is false.
	Expression string `json:"expression,omitempty"`
}

// Data is a condition on the data that XiVO attached to a call.
type Data struct {
	// The key in userData, such as `USR_CUSTOMER`.
	Key string `json:"key"`
	// The values that match. Default: any that is not blank.
	Values []string `json:"values,omitempty"`
}

// Response says what to answer for an outcome. What it leaves out falls back
// to the response outside of its rule, as far as the action can use it.
type Response struct {
	// What XucMgt does: `open` (in the pane), `popup`, `run` or `none`.
	Action string `json:"action,omitempty"`
	// The address to open. For `run`, the program on the agent's machine: a
	// literal, without placeholders.
	URL string `json:"url,omitempty"`
	// When: `EventRinging`, `EventEstablished` or `EventReleased`. The latter two
	// are lost when the answer comes after the event. Default: `EventRinging`.
	Event string `json:"event,omitempty"`
	// The title of the tab, for `open`, `popup` and `run`.
	Title string `json:"title,omitempty"`
	// Pause the agent while the pane is open, for `open` only: only a page that
	// posts `closeThirdParty` releases the agent. Default: false.
	Autopause *bool `json:"autopause,omitempty"`
	// The name of the pause status. Default: the plain pause.
	AutopauseReason string `json:"autopause_reason,omitempty"`
	// Open a new window for each call, for `popup` only. Default: false.
	Multitab *bool `json:"multitab,omitempty"`
	// The program's arguments, for `run` only. Each stays one argument.
	Args []string `json:"args,omitempty"`

	// automatic is set in defaults: the pane is used only where it works.
	automatic bool
}
