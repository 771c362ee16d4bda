package caddymodule

import (
	"bytes"
	"io"
	"log"
)

// unsolicited is how Go's HTTP client begins when it tells the standard log what a
// CRM sent beyond its answer, word for word: one that counts characters where it
// should count bytes sends names and numbers there.
var unsolicited = []byte("Unsolicited response received on idle HTTP channel")

// quiet is the standard log without that.
type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) {
	at := bytes.Index(line, unsolicited)
	if at < 0 {
		return q.Writer.Write(line)
	}
	_, err := q.Writer.Write(append(bytes.Clone(line[:at+len(unsolicited)]), "; what it says is left out\n"...))
	return len(line), err
}

// quieten is called whenever Caddy may have given the standard log another writer.
// The client has no log of its own that could be set instead.
func quieten() {
	if _, is := log.Writer().(quiet); !is {
		log.SetOutput(quiet{log.Writer()})
	}
}
