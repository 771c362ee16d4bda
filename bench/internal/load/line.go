// Package load rings calls as agents' browsers do, over plain connections: it
// must cost less than what it measures.
package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long an answer is waited for, however late it is.
const patience = 30 * time.Second

// Line is a connection over which calls are rung, one after the other.
type Line struct {
	connection net.Conn
	reader     *bufio.Reader
	address    string
	body       []byte
}

// Answer is what a call got. Its body is good until the line's next call.
type Answer struct {
	Status int
	Body   []byte
}

// Succeeded reports an answer that is none.
func (a Answer) Succeeded() error {
	if a.Status != 200 {
		return fmt.Errorf("answered %d %s", a.Status, a.Body)
	}
	return nil
}

// UnansweredError is why a call got no byte of an answer.
type UnansweredError struct{ Err error }

func (e *UnansweredError) Error() string { return "not answered: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UnansweredError) Unwrap() error { return e.Err }

// Dial opens a line to host:port.
func Dial(address string) (*Line, error) {
	connection, err := (&net.Dialer{Timeout: patience}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, &UnansweredError{err}
	}
	return &Line{connection: connection, reader: bufio.NewReader(connection), address: address}, nil
}

// Close closes it.
func (l *Line) Close() error { return l.connection.Close() }

// Ring rings a call and reads its answer.
func (l *Line) Ring(caller, id string) (Answer, error) {
	if err := l.connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return Answer{}, &UnansweredError{err}
	}
	if _, err := io.WriteString(l.connection, l.request(caller, id)); err != nil {
		return Answer{}, &UnansweredError{err}
	}
	if _, err := l.reader.Peek(1); err != nil {
		return Answer{}, &UnansweredError{err}
	}
	return l.answer()
}

// request is a call as XucMgt posts it.
func (l *Line) request(caller, id string) string {
	body := `{"user":{"userId":4,"agentId":29,"firstName":"James","lastName":"Bond","fullName":"James Bond","token":"x"},"callee":"1000","caller":"` + caller +
		`","userData":{"XIVO_CONTEXT":"default","XIVO_DSTNUM":"3000","XIVO_SRCNUM":"` + caller + `"},"callDataCallId":"` + id + `","queue":{"id":2,"name":"bluesky","displayName":"Blue sky","number":"3001"}}`
	return "POST / HTTP/1.1\r\nHost: " + l.address + "\r\nOrigin: https://xuc.example.com\r\nContent-Type: application/json;charset=utf-8\r\n" +
		"Accept: application/json, text/plain, */*\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func (l *Line) answer() (a Answer, err error) {
	status, err := l.reader.ReadString('\n')
	if err != nil {
		return a, err
	}
	parts := strings.Fields(status)
	if len(parts) < 2 {
		return a, fmt.Errorf("%q is no status", status)
	}
	if a.Status, err = strconv.Atoi(parts[1]); err != nil {
		return a, err
	}
	length, chunked, err := l.header()
	if err != nil {
		return a, err
	}
	a.Body, err = l.read(length, chunked)
	return a, err
}

// header reads what the header says of the body; a length of -1 is none.
func (l *Line) header() (length int, chunked bool, err error) {
	length = -1
	for {
		line, err := l.reader.ReadString('\n')
		if err != nil {
			return length, chunked, err
		}
		if line = strings.TrimSpace(line); line == "" {
			return length, chunked, nil
		}
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return length, chunked, err
			}
		case "transfer-encoding":
			chunked = strings.TrimSpace(value) == "chunked"
		}
	}
}

// read reads a body.
func (l *Line) read(length int, chunked bool) ([]byte, error) {
	l.body = l.body[:0]
	if !chunked {
		if length < 0 {
			return nil, errors.New("an answer without a length")
		}
		return l.body, l.add(length)
	}
	for {
		line, err := l.reader.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return nil, err
		}
		if err := l.add(int(size)); err != nil {
			return nil, err
		}
		if _, err := l.reader.Discard(len("\r\n")); err != nil {
			return nil, err
		}
		if size == 0 {
			return l.body, nil
		}
	}
}

// add reads a part of a body.
func (l *Line) add(size int) error {
	from := len(l.body)
	l.body = append(l.body, make([]byte, size)...)
	_, err := io.ReadFull(l.reader, l.body[from:])
	return err
}
