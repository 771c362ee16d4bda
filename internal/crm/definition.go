package crm

// Definition describes how to ask a CRM over HTTP. It is what a user writes
// for a CRM of their own, and what presets are written in.
type Definition struct {
	// The CRM's name in rules, logs and `{crm.name}`. Default: the name of the
	// preset, else `rest`.
	Name string `json:"name,omitempty"`

	// Where the CRM's pages are: `https://crm.example.com`, with a path if it has
	// one. `{env.*}` and `{file.*}` are resolved when the configuration loads.
	URL string `json:"url,omitempty"`

	// Where its API is; the paths of all requests are below it. May hold
	// `{crm.url}`. Default: the URL.
	API string `json:"api,omitempty"`

	// Header fields of every request. The values may hold placeholders; the
	// place for credentials is `{env.*}` or `{file.*}`.
	Headers []Param `json:"headers,omitempty"`

	// How the CRM lets requests in, if not by a header field of every request.
	Auth *Auth `json:"auth,omitempty"`

	// In which spellings the number is asked for where a lookup uses `{number}`
	// or `{filter}`, in order: `e164`, `digits`, `idd`, `national`, `nsn`,
	// `international`, `spaced`, `dotted`, `dashed`, `like`, `last7` to `last10`,
	// or a mask such as `## ## ## ## ##`. Default: `e164`, `national`, `digits`.
	Spellings []string `json:"spellings,omitempty"`

	// The query language that values stand in, where a lookup does not say:
	// `odata`, `soql`, `sosl`, `sql`, `lucene`, `graphql`. Default: none; call
	// data in the middle of a text may then only hold harmless characters.
	Dialect string `json:"dialect,omitempty"`

	// What else counts as "not found", for lookups that do not say.
	Miss *Condition `json:"miss,omitempty"`

	// What counts as a failure although the status is 200, for lookups that do
	// not say.
	Fail *Condition `json:"fail,omitempty"`

	// Leave out the second searches (`otherwise`) of all lookups. Default: false.
	FirstOnly bool `json:"first_only,omitempty"`

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

// Ask is one request.
type Ask struct {
	// The HTTP method: `GET` or `POST`. Default: `GET`.
	Method string `json:"method,omitempty"`

	// The path of the request, below the address of the CRM's API. Required.
	Path string `json:"path,omitempty"`

	// The query parameters.
	Query []Param `json:"query,omitempty"`

	// A JSON document to POST. Placeholders inside its strings are escaped; one
	// that stands for a value keeps the type that it had.
	JSON string `json:"json,omitempty"`

	// An XML document to POST. Placeholders in its texts are escaped.
	XML string `json:"xml,omitempty"`

	// Form fields to POST.
	Form []Param `json:"form,omitempty"`

	// Header fields of this request.
	Headers []Param `json:"headers,omitempty"`
}

// Search is a request for records. Its texts may hold `{number}` (one request
// for each spelling, until one answers with a match), `{number.<spelling>}`,
// `{filter}`, `{each}` and `{call.*}`.
type Search struct {
	Ask

	// The spellings for `{number}` and `{filter}`. Default: the CRM's.
	Spellings []string `json:"spellings,omitempty"`

	// The query language that values stand in. Default: the CRM's.
	Dialect string `json:"dialect,omitempty"`

	// A fragment of a query language, rendered for every spelling and joined:
	// `{filter}`. One request then asks for all of them.
	Filter *Filter `json:"filter,omitempty"`

	// One request for each of these texts, at the same time: `{each}`.
	Each []string `json:"each,omitempty"`

	// The gjson path to the matches in the answer. Default: `@this`, the answer
	// itself. What stands there is a list or one object; an empty list or
	// object, `null` and `false` mean "not found".
	Records string `json:"records,omitempty"`

	// What else counts as "not found".
	Miss *Condition `json:"miss,omitempty"`

	// What counts as a failure although the status is 200.
	Fail *Condition `json:"fail,omitempty"`
}

// Lookup is one search in a CRM for one kind of record.
type Lookup struct {
	// The kind of record: `contact`, `account`, `lead`, ... Required.
	Kind string `json:"kind"`

	// Leave the preset's lookup of this kind out. Default: false.
	Off bool `json:"off,omitempty"`

	Search

	// What to ask when the search finds nobody: usually a slower, more forgiving
	// one. What it leaves out of header, records, miss and fail is as in the
	// first.
	Otherwise *Search `json:"otherwise,omitempty"`

	// A request that lists some records, whatever their numbers; `{limit}` is how
	// many. For `screenpop screen-pop check --sample`.
	Sample *Search `json:"sample,omitempty"`

	// Where one whole record is. It is asked for when the numbers in the list are
	// not the caller's: many CRMs search all of a record's numbers but list only
	// the first, or list ids alone. `{record.*}` then finds what either answer has.
	Detail *Detail `json:"detail,omitempty"`

	// Other objects that the mapping of a record needs.
	Follows []Follow `json:"follows,omitempty"`

	// The kind of each record, where one search returns several. Default: the
	// lookup's.
	RecordKind []string `json:"record_kind,omitempty"`

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

// Detail is the request for one whole record.
type Detail struct {
	// The request, which may hold `{record.*}`.
	Ask
	// The query language that values stand in. Default: the lookup's.
	Dialect string `json:"dialect,omitempty"`
	// The gjson path to the record in the answer. Default: `@this`.
	Records string `json:"records,omitempty"`
}

// Follow is the request for an object that belongs to a record: its company,
// its open tickets. It is made for records that are the caller's, ten at most,
// and not if anything in it is blank. When it fails, the record stays.
type Follow struct {
	// The name, for `{follow.<name>.<gjson path>}`.
	Name string `json:"name"`
	// The request, which may hold `{record.*}` and `{contact.id}`.
	Ask
	// The query language that values stand in. Default: the lookup's.
	Dialect string `json:"dialect,omitempty"`
	// What counts as "there is none". Default: the CRM's.
	Miss *Condition `json:"miss,omitempty"`
	// What counts as a failure although the status is 200. Default: the CRM's.
	Fail *Condition `json:"fail,omitempty"`
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
