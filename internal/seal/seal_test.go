package seal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"
)

const secret = "an example of a secret, 32 chars or more"

func given(t testing.TB, secrets ...string) *Ring {
	t.Helper()
	ring, err := Given(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func sealed(t testing.TB, r *Ring, content string, until time.Time) string {
	t.Helper()
	text, err := r.Seal(t.Context(), "chooser", []byte(content), until)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func opens(t testing.TB, r *Ring, text, want string) {
	t.Helper()
	content, err := r.Open(t.Context(), "chooser", text, time.Now())
	if err != nil || string(content) != want {
		t.Errorf("opened %q, %v, want %q", content, err, want)
	}
}

func TestWhatIsSealedIsOpenedAndCanNotBeRead(t *testing.T) {
	ring := given(t, secret)
	text := sealed(t, ring, "+33427466347 Camille Moreau", time.Now().Add(time.Minute))
	opens(t, ring, text, "+33427466347 Camille Moreau")
	if again := sealed(t, ring, "+33427466347 Camille Moreau", time.Now().Add(time.Minute)); again == text {
		t.Error("two seals of the same are the same")
	}
	raw, err := encoding.DecodeString(text)
	if err != nil || bytes.Contains(raw, []byte("Camille")) {
		t.Errorf("the seal holds its content openly (%v)", err)
	}
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("the seal needs escaping in an address: %s", text)
	}
}

func TestAChangedSealIsForeignWhereverItIsChanged(t *testing.T) {
	ring := given(t, secret)
	raw, err := encoding.DecodeString(sealed(t, ring, "content", time.Now().Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if _, err := ring.Open(t.Context(), "chooser", encoding.EncodeToString(changed), time.Now()); !errors.Is(err, ErrForeign) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := ring.Open(t.Context(), "chooser", encoding.EncodeToString(raw[:i]), time.Now()); !errors.Is(err, ErrForeign) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestASealIsGoodForOnePurposeAndForItsTime(t *testing.T) {
	ring := given(t, secret)
	text := sealed(t, ring, "content", time.Unix(1000, 0))
	if _, err := ring.Open(t.Context(), "card", text, time.Unix(999, 0)); !errors.Is(err, ErrForeign) {
		t.Errorf("for another purpose: %v", err)
	}
	if _, err := ring.Open(t.Context(), "chooser", text, time.Unix(1000, 0)); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	if _, err := ring.Open(t.Context(), "chooser", text, time.Unix(1001, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("a second later: %v", err)
	}
}

func TestAGivenKeyThatWasReplacedStillOpens(t *testing.T) {
	before := given(t, secret)
	text := sealed(t, before, "content", time.Now().Add(time.Minute))
	after := given(t, "a new secret that is long enough too", secret)
	opens(t, after, text, "content")
	opens(t, after, sealed(t, after, "new", time.Now().Add(time.Minute)), "new")
	if _, err := before.Open(t.Context(), "chooser", sealed(t, after, "new", time.Now().Add(time.Minute)), time.Now()); !errors.Is(err, ErrForeign) {
		t.Errorf("the old key opens the new one's: %v", err)
	}
}

func TestAShortKeyIsRefused(t *testing.T) {
	if _, err := Given("too short"); err == nil || !strings.Contains(err.Error(), "openssl rand") || strings.Contains(err.Error(), "too short") {
		t.Errorf("error %v", err)
	}
}

// shelf is a store as machines of a cluster share it.
type shelf struct {
	lock sync.Mutex // that of Lock and Unlock

	mu      sync.Mutex
	values  map[string][]byte
	saves   int
	failing error
	hangs   bool
}

func (s *shelf) Lock(context.Context, string) error   { s.lock.Lock(); return nil }
func (s *shelf) Unlock(context.Context, string) error { s.lock.Unlock(); return nil }

func (s *shelf) Load(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s.failing != nil {
		return nil, s.failing
	}
	value, ok := s.values[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return value, nil
}

func (s *shelf) Save(_ context.Context, name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	if s.values == nil {
		s.values = map[string][]byte{}
	}
	s.values[name] = value
	return nil
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = err
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func kept(t testing.TB, s Store, c *clock) *Ring {
	t.Helper()
	ring := Kept(s)
	ring.now = c.time
	t.Cleanup(ring.Close)
	return ring
}

func startedNow() *clock { return &clock{now: time.Now()} }

func TestMachinesShareKeysThatTheFirstMakes(t *testing.T) {
	store, now := &shelf{}, startedNow()
	var together sync.WaitGroup
	rings := make([]*Ring, 8)
	seals := make([]string, len(rings))
	for i := range rings {
		rings[i] = kept(t, store, now)
		together.Go(func() { seals[i] = sealed(t, rings[i], "content", time.Now().Add(time.Minute)) })
	}
	together.Wait()
	for _, ring := range rings {
		for _, text := range seals {
			opens(t, ring, text, "content")
		}
	}
	if store.saves != 1 {
		t.Errorf("%d keys were made", store.saves)
	}
}

func TestAMachineLearnsOfAKeyThatAnotherMade(t *testing.T) {
	store, now := &shelf{}, startedNow()
	first, second := kept(t, store, now), kept(t, store, now)
	opens(t, second, sealed(t, first, "content", time.Now().Add(time.Minute)), "content")
	now.pass(rotation + time.Minute)
	first.Prepare()
	first.trips.Wait()
	text := sealed(t, first, "newer", time.Now().Add(time.Minute))
	if len(first.keys) != 2 {
		t.Fatalf("%d keys after the rotation", len(first.keys))
	}
	opens(t, second, text, "newer")
	opens(t, first, sealed(t, second, "older", time.Now().Add(time.Minute)), "older")
}

func TestAnOldKeySealsWhileTheNewOneIsMade(t *testing.T) {
	store, now := &shelf{}, startedNow()
	ring := kept(t, store, now)
	sealed(t, ring, "content", time.Now().Add(time.Minute))
	now.pass(rotation + time.Minute)
	store.fail(errors.New("away"))
	text := sealed(t, ring, "content", time.Now().Add(time.Minute))
	opens(t, ring, text, "content")
	ring.trips.Wait()
	store.fail(nil)
	now.pass(storePause)
	sealed(t, ring, "content", time.Now().Add(time.Minute))
	ring.trips.Wait()
	if len(ring.keys) != 2 {
		t.Errorf("%d keys after the storage came back", len(ring.keys))
	}
}

func TestKeysThatNothingIsSealedWithAnyMoreAreForgotten(t *testing.T) {
	store, now := &shelf{}, startedNow()
	ring := kept(t, store, now)
	for range 4 {
		sealed(t, ring, "content", time.Now().Add(time.Minute))
		ring.trips.Wait()
		now.pass(rotation + time.Hour)
	}
	ring.Prepare()
	ring.trips.Wait()
	if len(ring.keys) > 2 {
		t.Errorf("%d keys are kept", len(ring.keys))
	}
}

// Links of before may be lost, as their key seemed to be old. New ones are good on
// every machine, and a jump does not make a key for each of them.
func TestAClockThatIsSetForwardAndBackLeavesKeysThatWork(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour} {
		store, now := &shelf{}, startedNow()
		ring := kept(t, store, now)
		sealed(t, ring, "before", time.Now().Add(time.Minute))
		for _, jump := range []time.Duration{by, -by, -by, by} {
			now.pass(jump)
			ring.Prepare()
			ring.trips.Wait()
			for range 3 {
				now.pass(2 * storePause)
				text := sealed(t, ring, "content", now.time().Add(time.Minute))
				for _, machine := range []*Ring{ring, kept(t, store, now)} {
					if content, err := machine.Open(t.Context(), "chooser", text, now.time()); string(content) != "content" || err != nil {
						t.Errorf("a clock that jumped by %s: opened %q, %v", jump, content, err)
					}
				}
			}
		}
		if store.saves > 2 {
			t.Errorf("%d keys were made", store.saves)
		}
	}
}

func TestAStorageThatFailsIsSaidAndAskedAgain(t *testing.T) {
	store, now := &shelf{failing: errors.New("the disk is away")}, startedNow()
	ring := kept(t, store, now)
	_, err := ring.Seal(t.Context(), "chooser", nil, time.Now())
	if err == nil || !strings.Contains(err.Error(), "the disk is away") {
		t.Errorf("error %v", err)
	}
	store.fail(nil)
	now.pass(storePause)
	opens(t, ring, sealed(t, ring, "content", time.Now().Add(time.Minute)), "content")
}

func TestACallDoesNotWaitForAStorageThatHangs(t *testing.T) {
	ring := kept(t, &shelf{hangs: true}, startedNow())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ring.Seal(ctx, "chooser", nil, time.Now()); err == nil || !strings.Contains(err.Error(), "has not answered") {
		t.Errorf("error %v", err)
	}
}

func TestForeignSealsDoNotKeepTheStorageBusy(t *testing.T) {
	store, now := &shelf{}, startedNow()
	ring := kept(t, store, now)
	sealed(t, ring, "content", time.Now().Add(time.Minute))
	counting := &countingStore{Store: store}
	ring.store = counting
	foreign := sealed(t, given(t, secret), "content", time.Now().Add(time.Minute))
	now.pass(storePause)
	for range 100 {
		if _, err := ring.Open(t.Context(), "chooser", foreign, time.Now()); !errors.Is(err, ErrForeign) {
			t.Fatal(err)
		}
	}
	if counting.loads != 1 {
		t.Errorf("the storage was read %d times", counting.loads)
	}
}

type countingStore struct {
	Store

	loads int
}

func (c *countingStore) Load(ctx context.Context, name string) ([]byte, error) {
	c.loads++
	return c.Store.Load(ctx, name)
}

func FuzzOpen(f *testing.F) {
	ring, err := Given(secret)
	if err != nil {
		f.Fatal(err)
	}
	good, err := ring.Seal(f.Context(), "chooser", []byte("content"), time.Now().Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(strings.Repeat("A", maxSealed+1))
	f.Fuzz(func(t *testing.T, text string) {
		content, err := ring.Open(t.Context(), "chooser", text, time.Now())
		if err == nil && (text != good || string(content) != "content") {
			t.Errorf("%q opened as %q", text, content)
		}
	})
}

// BenchmarkSeal is what each answer costs that opens a page of ours.
func BenchmarkSeal(b *testing.B) {
	ring, err := Given(strings.Repeat("secret", 6))
	if err != nil {
		b.Fatal(err)
	}
	content := []byte(strings.Repeat(`{"name":"Rosa Marin","url":"https://crm.example.com/contacts/4711"}`, 10))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Seal(b.Context(), "frame", content, time.Now().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
