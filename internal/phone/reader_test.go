package phone

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestAReaderReadsAsItsRegion(t *testing.T) {
	r := region(t, "FR")
	reader := NewReader(r)
	for range 2 {
		for _, text := range append(seeds, strings.Repeat(" ", maxKnownText)+"0427466347") {
			want, wrong := r.Parse(text)
			got, err := reader.Parse(text)
			if got.E164() != want.E164() || errors.Is(err, ErrWithheld) != errors.Is(wrong, ErrWithheld) || (err == nil) != (wrong == nil) {
				t.Errorf("%q is %s, %v; want %s, %v", text, got.E164(), err, want.E164(), wrong)
			}
		}
	}
}

func TestAReaderIsBoundedAndServesMany(t *testing.T) {
	reader := NewReader(region(t, "FR"))
	var together sync.WaitGroup
	for i := range 4 {
		together.Go(func() {
			for n := range maxKnown {
				if number, err := reader.Parse(fmt.Sprintf("00 33 61%d%06d", i, n)); err != nil || number.IsZero() {
					t.Errorf("%d: %v", n, err)
					return
				}
			}
		})
	}
	together.Wait()
	reader.known.CleanUp()
	if size := reader.known.EstimatedSize(); size > maxKnown {
		t.Errorf("%d texts are remembered", size)
	}
}

func BenchmarkReader(b *testing.B) {
	r := region(b, "FR")
	reader := NewReader(r)
	for name, text := range map[string]string{"plain": "0427466347", "searched": "0033427466347"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = r.Parse(text)
			}
		})
	}
	b.Run("searched before", func(b *testing.B) {
		for b.Loop() {
			_, _ = reader.Parse("0033427466347")
		}
	})
}
