package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// load is what is sent in one round.
type load struct {
	address     string // host:port
	connections int
	duration    time.Duration
	// caller returns the number of the nth call.
	caller func(n int64) string
}

// round is what one round brought.
type round struct {
	calls    int
	perSec   float64
	p50, p99 time.Duration
	worst    time.Duration
	errors   int
	firstErr error
}

// run rings from all connections until the time is over. Each connection sends
// its next call when the last one was answered.
func (l load) run(next func() int64) round {
	var (
		together sync.WaitGroup
		mu       sync.Mutex
		all      []time.Duration
		result   round
	)
	started := time.Now()
	until := started.Add(l.duration)
	for range l.connections {
		together.Go(func() {
			took, err := l.ring(until, next)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				result.errors++
				result.firstErr = err
			}
		})
	}
	together.Wait()
	elapsed := time.Since(started)
	slices.Sort(all)
	result.calls = len(all)
	result.perSec = float64(len(all)) / elapsed.Seconds()
	if len(all) > 0 {
		result.p50, result.p99, result.worst = quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999)
	}
	return result
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ring sends calls over one connection.
func (l load) ring(until time.Time, next func() int64) (took []time.Duration, err error) {
	connection, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for time.Now().Before(until) {
		sent := time.Now()
		if _, err := io.WriteString(connection, l.request(l.caller(next()))); err != nil {
			return took, err
		}
		if err := readAnswer(reader); err != nil {
			return took, err
		}
		took = append(took, time.Since(sent))
	}
	return took, nil
}

// request is a call as XucMgt posts it.
func (l load) request(caller string) string {
	body := `{"user":{"userId":4,"agentId":29,"firstName":"James","lastName":"Bond","fullName":"James Bond","token":"x"},"callee":"1000","caller":"` + caller +
		`","userData":{"XIVO_CONTEXT":"default","XIVO_DSTNUM":"3000","XIVO_SRCNUM":"` + caller + `"},"callDataCallId":"1469709757.74","queue":{"id":2,"name":"bluesky","displayName":"Blue sky","number":"3001"}}`
	return "POST / HTTP/1.1\r\nHost: " + l.address + "\r\nOrigin: https://xuc.example.com\r\nContent-Type: application/json;charset=utf-8\r\n" +
		"Accept: application/json, text/plain, */*\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// readAnswer reads one answer and throws it away; it must be a success.
func readAnswer(reader *bufio.Reader) error {
	status, err := reader.ReadString('\n')
	if err != nil {
		return err
	}
	length := -1
	chunked := false
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		case "transfer-encoding":
			chunked = strings.TrimSpace(value) == "chunked"
		}
	}
	if err := discard(reader, length, chunked); err != nil {
		return err
	}
	if !strings.Contains(status, " 200 ") {
		return fmt.Errorf("answered %s", strings.TrimSpace(status))
	}
	return nil
}

func discard(reader *bufio.Reader, length int, chunked bool) error {
	if !chunked {
		if length < 0 {
			return errors.New("an answer without a length")
		}
		_, err := reader.Discard(length)
		return err
	}
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		if _, err := reader.Discard(int(size) + 2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// sameCaller always calls from one number, and otherCaller never twice from the
// same: French mobile numbers that there can be.
func sameCaller(int64) string    { return "0612345678" }
func otherCaller(n int64) string { return fmt.Sprintf("06%08d", 10_000_000+n%60_000_000) }
