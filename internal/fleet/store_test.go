package fleet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/screenpop/caddy-screenpop/internal/fleet/fleettest"
)

// Nothing that a test started may still run when all are over, but for what the
// client does for a second after a failure.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// eventually waits for something that takes its time.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond) // polls
	}
	t.Fatalf("never: %s", what)
}

// told are the changes that a store told of.
type told struct {
	mu      sync.Mutex
	changes []error
}

func (l *told) change(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, err)
}

func (l *told) was(count int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.changes) == count
}

func open(t testing.TB, address string) (*Store, *told) {
	t.Helper()
	changes := &told{}
	store, err := Open(address, changes.change)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store, changes
}

func shelf(t testing.TB, store *Store, secret string) *Shelf {
	t.Helper()
	shelf, err := On(store, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return shelf
}

// works reports whether something can be put on the shelf and taken from it.
func works(t testing.TB, s *Shelf, text string) bool {
	t.Helper()
	err := s.Put(t.Context(), "+33427466347", []byte(text), time.Minute)
	value, left, takeErr := s.Take(t.Context(), "+33427466347")
	if errors.Join(err, takeErr) != nil {
		return false
	}
	if string(value) != text || left <= 0 || left > time.Minute {
		t.Errorf("took %q, for %s", value, left)
	}
	return true
}

func TestWhatIsPutOnAShelfIsThereForOthers(t *testing.T) {
	server := fleettest.Run(t)
	one, _ := open(t, "redis://"+server.Address())
	other, _ := open(t, "redis://"+server.Address()+"/0")
	a, b := shelf(t, one, "secret"), shelf(t, other, "secret")
	if !works(t, a, "Rosa") {
		t.Fatal("nothing can be put there")
	}
	if value, _, err := b.Take(t.Context(), "+33427466347"); string(value) != "Rosa" || err != nil {
		t.Errorf("the other took %q, %v", value, err)
	}
	if err := b.Remove(t.Context(), "+33427466347"); err != nil {
		t.Error(err)
	}
	if value, _, err := a.Take(t.Context(), "+33427466347"); value != nil || err != nil {
		t.Errorf("after it was removed: %q, %v", value, err)
	}
	_ = a.Put(t.Context(), "+33427466347", []byte("Rosa"), time.Millisecond)
	eventually(t, "it goes after its time", func() bool {
		value, _, _ := a.Take(t.Context(), "+33427466347")
		return value == nil
	})
}

// Somebody else's value under one of our keys is not ours, and no reason to do
// without the store.
func TestAValueOfAnotherTypeIsNone(t *testing.T) {
	store, changes := open(t, "redis://"+fleettest.Run(t).Address())
	s := shelf(t, store, "secret")
	if !works(t, s, "Rosa") {
		t.Fatal("nothing can be put there")
	}
	keys, err := store.client.Do(t.Context(), store.client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	for _, result := range store.client.DoMulti(t.Context(), store.client.B().Del().Key(keys[0]).Build(), store.client.B().Lpush().Key(keys[0]).Element("x").Build()) {
		if err := result.Error(); err != nil {
			t.Fatal(err)
		}
	}
	if value, _, err := s.Take(t.Context(), "+33427466347"); value != nil || err != nil {
		t.Errorf("took %q, %v", value, err)
	}
	if !works(t, s, "Rosa") || changes.was(1) {
		t.Error("the store was given up")
	}
}

func TestOnlyOneClaims(t *testing.T) {
	server := fleettest.Run(t)
	store, _ := open(t, "redis://"+server.Address())
	s := shelf(t, store, "secret")
	for _, want := range []bool{true, false} {
		if ours, err := s.Claim(t.Context(), "a", time.Minute); ours != want || err != nil {
			t.Errorf("claimed %t, %v", ours, err)
		}
	}
	if ours, _ := s.Claim(t.Context(), "b", time.Millisecond); !ours {
		t.Error("another key can't be claimed")
	}
	eventually(t, "a claim ends", func() bool { ours, _ := s.Claim(t.Context(), "b", time.Minute); return ours })
	_ = s.Release(t.Context(), "a")
	if ours, _ := s.Claim(t.Context(), "a", time.Minute); !ours {
		t.Error("what was released can't be claimed")
	}
}

func TestTheStoreHoldsNothingThatCanBeRead(t *testing.T) {
	server := fleettest.Run(t)
	store, _ := open(t, "redis://"+server.Address())
	works(t, shelf(t, store, "secret"), "Rosa Marin")
	keys, err := store.client.Do(t.Context(), store.client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	value, _, err := store.Load(t.Context(), keys[0])
	if err != nil || len(value) == 0 {
		t.Fatalf("%q, %v", value, err)
	}
	for _, clear := range []string{"Rosa", "27466347"} {
		if bytes.Contains(value, []byte(clear)) || strings.Contains(keys[0], clear) {
			t.Errorf("%s can be read in %s = %q", clear, keys[0], value)
		}
	}
}

func TestAnotherSecretIsAnotherShelf(t *testing.T) {
	server := fleettest.Run(t)
	store, _ := open(t, "redis://"+server.Address())
	ours, theirs := shelf(t, store, "secret"), shelf(t, store, "another")
	works(t, ours, "Rosa")
	if value, _, err := theirs.Take(t.Context(), "+33427466347"); value != nil || err != nil {
		t.Errorf("they took %q, %v", value, err)
	}
	for _, forged := range []string{"", "short", strings.Repeat("x", 100)} {
		if err := store.Save(t.Context(), ours.name("k"), []byte(forged), time.Minute); err != nil {
			t.Fatal(err)
		}
		if value, _, err := ours.Take(t.Context(), "k"); value != nil || !errors.Is(err, errForeign) {
			t.Errorf("of %q we took %q, %v", forged, value, err)
		}
	}
	stored, _, _ := store.Load(t.Context(), ours.name("+33427466347"))
	_ = store.Save(t.Context(), ours.name("another number"), stored, time.Minute)
	if value, _, err := ours.Take(t.Context(), "another number"); value != nil || !errors.Is(err, errForeign) {
		t.Errorf("what was moved to another number is %q, %v", value, err)
	}
}

func TestAStoreIsLostAndFound(t *testing.T) {
	server := fleettest.Run(t)
	store, changes := open(t, "redis://"+server.Address())
	s := shelf(t, store, "secret")
	if !works(t, s, "Rosa") {
		t.Fatal("it does not work")
	}
	server.Kill()
	eventually(t, "it is lost", func() bool { works(t, s, "Rosa"); return changes.was(1) })
	if _, _, err := s.Take(t.Context(), "k"); !errors.Is(err, ErrDown) {
		t.Errorf("while it is left alone: %v", err)
	}
	server.Start()
	eventually(t, "it is found", func() bool { return works(t, s, "Rosa") })
	if !changes.was(2) || changes.changes[0] == nil || changes.changes[1] != nil {
		t.Errorf("told of %v", changes.changes)
	}
}

func TestAStoreThatIsNotThereYetIsFound(t *testing.T) {
	server := fleettest.Run(t)
	server.Kill()
	store, changes := open(t, "redis://"+server.Address())
	s := shelf(t, store, "secret")
	eventually(t, "it is lost", func() bool { return changes.was(1) })
	server.Start()
	eventually(t, "it is found", func() bool { return works(t, s, "Rosa") })
}

// A store that hangs is worse than one that is down.
func TestAStoreThatHangsIsLeftAlone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	store, changes := open(t, "redis://"+listener.Addr().String())
	s := shelf(t, store, "secret")
	eventually(t, "it is lost", func() bool {
		if _, _, err := s.Take(t.Context(), "k"); !errors.Is(err, ErrDown) {
			t.Fatalf("took from it: %v", err)
		}
		return changes.was(1)
	})
}

func TestAStoreThatHangsInBetweenIsLeftAlone(t *testing.T) {
	server := fleettest.Run(t)
	store, changes := open(t, "redis://"+server.Address())
	s := shelf(t, store, "secret")
	if !works(t, s, "Rosa") {
		t.Fatal("it does not work")
	}
	server.Freeze()
	eventually(t, "it is lost", func() bool { works(t, s, "Rosa"); return changes.was(1) })
	if _, _, err := s.Take(t.Context(), "k"); !errors.Is(err, ErrDown) {
		t.Errorf("while it is left alone: %v", err)
	}
	server.Thaw()
	eventually(t, "it is found", func() bool { return works(t, s, "Rosa") })
}

func TestWhoLeavesIsNoFailureOfTheStore(t *testing.T) {
	server := fleettest.Run(t)
	store, changes := open(t, "redis://"+server.Address())
	s := shelf(t, store, "secret")
	works(t, s, "Rosa")
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := s.Take(gone, "k"); err == nil {
		t.Error("took something for nobody")
	}
	if !changes.was(0) || !works(t, s, "Rosa") {
		t.Errorf("told of %v", changes.changes)
	}
}

func TestAPasswordIsSentAndNeverSaid(t *testing.T) {
	server := fleettest.Run(t, "--requirepass", "secret-of-this-test")
	right, _ := open(t, "redis://:secret-of-this-test@"+server.Address())
	if !works(t, shelf(t, right, "secret"), "Rosa") {
		t.Error("the password is not accepted")
	}
	_, changes := open(t, "redis://:wrong-password@"+server.Address())
	eventually(t, "it is refused", func() bool { return changes.was(1) })
	if said := changes.changes[0].Error(); strings.Contains(said, "wrong-password") || !strings.HasPrefix(said, server.Address()+": ") {
		t.Errorf("told: %s", said)
	}
}

func TestAnAddressThatIsNone(t *testing.T) {
	for _, address := range []string{"", "redis.example.com:6379", "http://redis.example.com", "redis://:secret-of-this-test@h/x", "redis://:secret-of-this-test%zz@h", "redis://", "redis://:secret-of-this-test@", "redis://redis.example.com:99999"} {
		if err := Check(address); err == nil || strings.Contains(err.Error(), "secret-of-this-test") || !strings.Contains(err.Error(), "write for example redis://") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"redis://redis.example.com", "rediss://user:password@redis.example.com:6380/2", "valkey://valkey.example.com", "unix:///run/redis.sock?db=1"} {
		if err := Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
