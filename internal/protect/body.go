package protect

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
)

// wholeBody is the body of an answer that was read.
type wholeBody struct {
	rest *bytes.Reader
	all  []byte
	// err is why the answer broke off.
	err error
	// longest is how long it may be.
	longest int64
}

func (w *wholeBody) Read(p []byte) (int, error) {
	n, err := w.rest.Read(p)
	if err == io.EOF && w.err != nil { //nolint:errorlint // a bytes.Reader returns it so
		return n, w.err
	}
	return n, err
}

func (w *wholeBody) Close() error { return nil }

// mostAhead is how much room is made at once for an answer that says how long it
// will be: it may not be true.
const mostAhead = 1 << 20

// readWhole reads an answer, at most one byte beyond the longest, and gives the
// connection back.
func readWhole(response *http.Response, longest int64) error {
	var read bytes.Buffer
	if response.ContentLength > 0 {
		read.Grow(int(min(response.ContentLength, mostAhead)) + bytes.MinRead)
	}
	_, err := read.ReadFrom(&yielding{Reader: io.LimitReader(response.Body, longest+1)})
	_ = response.Body.Close()
	response.Body = &wholeBody{bytes.NewReader(read.Bytes()), read.Bytes(), err, longest}
	return err
}

// slice is how much of an answer is read before others have their turn, in bytes.
const slice = 64 << 10

// yielding reads so that whoever waits for a processor gets one. A CRM that sends
// without an end is never waited for: sixteen such answers would keep calls from
// being answered for as long as the scheduler lets each of them run.
type yielding struct {
	io.Reader

	read int // since others had their turn
}

func (y *yielding) Read(p []byte) (int, error) {
	if y.read >= slice {
		y.read = 0
		runtime.Gosched()
	}
	n, err := y.Reader.Read(p[:min(len(p), slice)])
	y.read += n
	return n, err
}

// brokenOff is why an answer is not whole.
func brokenOff(response *http.Response) error {
	if body, ok := response.Body.(*wholeBody); ok {
		return body.err
	}
	return nil
}

// isTooLong reports whether an answer goes on where none does. One that was never
// to end keeps a place and a processor busy as one that does not come.
func isTooLong(response *http.Response) bool {
	body, ok := response.Body.(*wholeBody)
	return ok && int64(len(body.all)) > body.longest
}

// ReadAll reads the body of an answer, at most one byte beyond the longest. It
// does not copy what a [Transport] has read already.
func ReadAll(response *http.Response, longest int64) ([]byte, error) {
	if body, ok := response.Body.(*wholeBody); ok {
		return body.all, body.err
	}
	return io.ReadAll(io.LimitReader(response.Body, longest+1))
}
