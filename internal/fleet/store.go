// Package fleet is about what the gateways of a fleet keep together: in a Redis
// or Valkey that each of them can do without.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience is how long one exchange may take. A store in the same data centre
	// takes a hundredth of it.
	patience = 100 * time.Millisecond
	// rest is how long a store that failed is left alone.
	rest = time.Second
)

// ErrDown is what is returned while the store is left alone.
var ErrDown = errors.New("the shared cache can't be reached")

// Store is a Redis or Valkey. It is safe for concurrent use.
type Store struct {
	options rueidis.ClientOption
	changed func(error)
	life    context.Context
	end     context.CancelFunc
	ready   chan struct{} // closed when there is a client

	mu     sync.Mutex
	client rueidis.Client
	// lost is set while the store can't be reached, and until is when it is tried
	// again.
	lost  bool
	until time.Time
}

// Open returns a store, which is connected to in the background. Changed is told
// why it can't be reached any longer, and nil when it can be again.
func Open(address string, changed func(error)) (*Store, error) {
	options, err := parse(address)
	if err != nil {
		return nil, err
	}
	s := &Store{options: options, changed: changed, ready: make(chan struct{})}
	s.life, s.end = context.WithCancel(context.Background())
	go s.connect()
	return s, nil
}

// Check reports what is wrong with an address.
func Check(address string) error {
	_, err := parse(address)
	return err
}

// parse reads an address. It may hold a password, so no error repeats it.
func parse(address string) (rueidis.ClientOption, error) {
	options, err := rueidis.ParseURL(address)
	if err != nil || len(options.InitAddress) == 0 || !isComplete(address) {
		return options, errors.New("is not the address of a Redis or Valkey; write for example redis://redis.example.com:6379/0, or rediss:// for TLS")
	}
	options.DisableCache = true // what is read often is in memory already
	options.DisableRetry = true // who waits has no time for it
	options.Dialer.Timeout = time.Second
	options.PipelineMultiplex = -1 // one connection: several would be lost one after the other
	options.ConnWriteTimeout = rest
	options.ReadBufferEachConn, options.WriteBufferEachConn = 32<<10, 32<<10
	return options, nil
}

// isComplete reports whether an address has a host, and no port that can't be
// one. That of a socket has neither.
func isComplete(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme == "unix" {
		return err == nil
	}
	_, err = strconv.ParseUint(cmp.Or(parsed.Port(), "6379"), 10, 16)
	return err == nil && parsed.Hostname() != ""
}

// connect tries until there is a connection. From then on the client mends it.
func (s *Store) connect() {
	for {
		client, err := rueidis.NewClient(s.options)
		if err == nil {
			s.connected(client)
			return
		}
		s.note(err)
		select {
		case <-time.After(rest):
		case <-s.life.Done():
			return
		}
	}
}

func (s *Store) connected(client rueidis.Client) {
	s.mu.Lock()
	if s.life.Err() != nil {
		s.mu.Unlock()
		client.Close()
		return
	}
	s.client = client
	s.mu.Unlock()
	close(s.ready)
	s.note(nil)
}

// Close ends all connections.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	if s.client != nil {
		s.client.Close()
	}
}

// Load returns what is stored, and for how long it still will be; nil if nothing
// is.
func (s *Store) Load(ctx context.Context, key string) (value []byte, left time.Duration, err error) {
	err = s.do(ctx, func(ctx context.Context, client rueidis.Client) error {
		answers := client.DoMulti(ctx, client.B().Get().Key(key).Build(), client.B().Pttl().Key(key).Build())
		milliseconds, err := answers[1].AsInt64()
		if err != nil {
			return err
		}
		left = time.Duration(max(0, milliseconds)) * time.Millisecond
		value, err = answers[0].AsBytes()
		if rueidis.IsRedisNil(err) || isOfAnotherType(err) {
			value = nil
			return nil
		}
		return err
	})
	return value, left, err
}

// isOfAnotherType reports whether a key holds what none of us has stored there.
func isOfAnotherType(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(reply.Error(), "WRONGTYPE")
}

// Save stores a value for a time.
func (s *Store) Save(ctx context.Context, key string, value []byte, lasting time.Duration) error {
	return s.do(ctx, func(ctx context.Context, client rueidis.Client) error {
		return client.Do(ctx, client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Px(max(lasting, time.Millisecond)).Build()).Error()
	})
}

// Claim reports whether nobody else has claimed a key, and does so for a time.
func (s *Store) Claim(ctx context.Context, key string, lasting time.Duration) (ours bool, err error) {
	err = s.do(ctx, func(ctx context.Context, client rueidis.Client) error {
		err := client.Do(ctx, client.B().Set().Key(key).Value("1").Nx().Px(lasting).Build()).Error()
		ours = err == nil
		if rueidis.IsRedisNil(err) {
			return nil
		}
		return err
	})
	return ours, err
}

// Delete removes a key.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do(ctx, func(ctx context.Context, client rueidis.Client) error {
		return client.Do(ctx, client.B().Del().Key(key).Build()).Error()
	})
}

// do makes an exchange, unless the store is left alone.
func (s *Store) do(ctx context.Context, exchange func(context.Context, rueidis.Client) error) error {
	if !s.mayTry(time.Now()) {
		return ErrDown
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.ready:
	case <-bounded.Done():
		return ErrDown
	}
	err := exchange(bounded, s.client)
	if ctx.Err() == nil { // else it is not the store's failure
		s.note(err)
	}
	return err
}

// mayTry reports whether the store is not left alone. Of a store that was lost
// one exchange at a time finds out whether it is there again.
func (s *Store) mayTry(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lost {
		return s.life.Err() == nil
	}
	if now.Before(s.until) {
		return false
	}
	s.until = now.Add(rest)
	return s.life.Err() == nil
}

// note tells when the store is lost, and when it is found.
func (s *Store) note(err error) {
	s.mu.Lock()
	changes := s.lost != (err != nil) && s.life.Err() == nil
	s.lost = err != nil
	if s.lost {
		s.until = time.Now().Add(rest)
	}
	s.mu.Unlock()
	if changes {
		s.changed(s.described(err))
	}
}

// described says of which store an error is.
func (s *Store) described(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", patience)
	}
	return fmt.Errorf("%s: %w", strings.Join(s.options.InitAddress, ", "), err)
}
