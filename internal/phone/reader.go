package phone

import "github.com/maypok86/otter/v2"

const (
	// maxKnown is how many texts a [Reader] remembers.
	maxKnown = 10_000
	// maxKnownText is the longest text that it remembers, in bytes.
	maxKnownText = 64
)

// Reader reads numbers as its region does, and remembers the latest that had to be
// searched: when a call rings in a queue, twenty browsers deliver the same text in
// one second, and libphonenumber takes longer for it than all the rest of an
// answer. It is safe for concurrent use.
type Reader struct {
	region Region
	known  *otter.Cache[string, reading]
}

// reading is what came of a text.
type reading struct {
	number Number
	err    error
}

// NewReader returns a Reader that knows nothing yet.
func NewReader(region Region) *Reader {
	return &Reader{region, otter.Must(&otter.Options[string, reading]{MaximumSize: maxKnown})}
}

// Parse is [Region.Parse].
func (r *Reader) Parse(text string) (Number, error) {
	if plain, ok := r.region.plain(text); ok {
		return plain, nil
	}
	if len(text) > maxKnownText {
		return r.region.Parse(text)
	}
	if known, ok := r.known.GetIfPresent(text); ok {
		return known.number, known.err
	}
	number, err := r.region.Parse(text)
	r.known.Set(text, reading{number, err})
	return number, err
}
