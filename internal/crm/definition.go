package crm

// Definition describes how to ask a CRM over HTTP. It is what a user writes
// for a CRM of their own, and what presets are written in.
type Definition struct {
	// The CRM's name in rules, logs and `{crm.name}`. Default: the name of the
	// preset, else `rest`.
	Name string `json:"name,omitempty"`

	// Where the CRM lives: `https://crm.example.com`, with a path if it has one.
	// The paths of lookups are below it. `{env.*}` and `{file.*}` are resolved
	// when the configuration loads.
	URL string `json:"url,omitempty"`

	// Header fields of every request. The values may hold placeholders; the
	// place for credentials is `{env.*}` or `{file.*}`.
	Headers []Param `json:"headers,omitempty"`

	// In which spellings the number is asked for where a lookup uses `{number}`
	// or `{filter}`, in order: `e164`, `digits`, `idd`, `national`, `nsn`,
	// `international`, `spaced`, `dotted`, `dashed`, `like`, `last7` to `last10`,
	// or a mask such as `## ## ## ## ##`. Default: `e164`, `national`, `digits`.
	Spellings []string `json:"spellings,omitempty"`

	// What to look for. Lookups run in parallel. Required.
	Lookups []Lookup `json:"lookups,omitempty"`

	// The CRM's page that searches for the caller, for `{crm.search_url}`. May
	// hold `{number.*}`, `{call.*}` and `{crm.url}`.
	SearchURL string `json:"search_url,omitempty"`

	// The CRM's form for a new contact, for `{crm.create_url}`. May hold the
	// same placeholders.
	CreateURL string `json:"create_url,omitempty"`
}

// Param is a name with a value. Order and repetition are kept.
type Param struct {
	// The name of the header field, query parameter or form field.
	Name string `json:"name"`
	// The value, which may hold placeholders.
	Value string `json:"value"`
}

// Lookup is one search in a CRM for one kind of record.
type Lookup struct {
	// The kind of record: `contact`, `account`, `lead`, ... Required.
	Kind string `json:"kind"`

	// The HTTP method: `GET` or `POST`. Default: `GET`.
	Method string `json:"method,omitempty"`

	// The path of the request, below the CRM's URL. Required.
	Path string `json:"path,omitempty"`

	// The query parameters. A value may hold `{number}` (one request for each
	// spelling, until one answers with a match), `{number.<spelling>}`,
	// `{filter}` and `{call.*}`.
	Query []Param `json:"query,omitempty"`

	// A JSON document to POST. Placeholders inside its strings are escaped.
	JSON string `json:"json,omitempty"`

	// Form fields to POST.
	Form []Param `json:"form,omitempty"`

	// Header fields of this lookup's requests.
	Headers []Param `json:"headers,omitempty"`

	// A fragment of a query language, rendered for every spelling and joined:
	// `{filter}`. One request then asks for all of them.
	Filter *Filter `json:"filter,omitempty"`

	// The gjson path to the matches in the answer. Default: `@this`, the answer
	// itself. What stands there is a list or one object; an empty list or
	// object, `null` and `false` mean "not found".
	Records string `json:"records,omitempty"`

	// What else counts as "not found".
	Miss *Condition `json:"miss,omitempty"`

	// What counts as a failure although the status is 200.
	Fail *Condition `json:"fail,omitempty"`

	// The path of one record, below the CRM's URL, with `{record.*}`. It is asked
	// for when the numbers in the list are not the caller's: many CRMs search all
	// of a record's numbers but list only the first. `{record.*}` then finds
	// what either answer has.
	Detail string `json:"detail,omitempty"`

	// The record's id in the CRM. Default: `{record.id}`.
	ID []string `json:"id,omitempty"`

	// Its name, as the agent should read it; of several the first that is not
	// blank. Default: `{record.name}`.
	RecordName []string `json:"record_name,omitempty"`

	// The company that it belongs to.
	Company []string `json:"company,omitempty"`

	// Its e-mail address.
	Email []string `json:"email,omitempty"`

	// Every number that it has. A record none of whose numbers is the caller's
	// is dropped. Required, unless `unverified`.
	Phones []string `json:"phones,omitempty"`

	// Take what the CRM returns for granted. A CRM that searches loosely then
	// opens strangers' records. Default: false.
	Unverified bool `json:"unverified,omitempty"`

	// Its page in the CRM.
	URL []string `json:"url,omitempty"`

	// More fields, for `{contact.<name>}`.
	Fields []Field `json:"fields,omitempty"`
}

// Filter is a fragment of a query language for one spelling of the number.
type Filter struct {
	// The fragment, with `{number}`: `phone eq '{number}'`.
	Fragment string `json:"fragment"`
	// What stands between two fragments: ` or `.
	Join string `json:"join"`
}

// Condition is about an answer. It holds if one of its parts does.
type Condition struct {
	// HTTP statuses.
	Status []int `json:"status,omitempty"`
	// A CEL expression over `status` and `body`, the decoded answer. Something
	// absent is false.
	Expression string `json:"expression,omitempty"`
}

// Field is a field of a record under a name of its own.
type Field struct {
	// The name, for `{contact.<name>}`.
	Name string `json:"name"`
	// Its value; of several the first that is not blank.
	Value []string `json:"value"`
}
