package lookup

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// BenchmarkMemory is what a remembered caller takes: a usual record with nothing
// but what every record has.
func BenchmarkMemory(b *testing.B) {
	const callers = 100_000
	for b.Loop() {
		m := NewMemory(Settings{TTL: 5 * time.Minute, Stale: time.Hour, Size: callers})
		before := heap()
		for i := range callers {
			number := fmt.Sprintf("+336%08d", i)
			m.keep(number, Report{CRM: "espocrm", Result: crm.Result{Records: []crm.Record{{
				CRM: "espocrm", Kind: "Contact", ID: fmt.Sprintf("6b02d465ccd%06d", i), Name: "Rosa Marin", Company: "Quai Nord Logistique SARL", Email: "rosa.marin@quai-nord.example.org",
				Phones: []string{number, "06 39 98 00 01"}, URL: fmt.Sprintf("https://crm.example.com/#Contact/view/6b02d465ccd%06d", i),
			}}}})
		}
		m.entries.CleanUp()
		b.ReportMetric(float64(heap()-before)/callers, "bytes/caller")
		m.Close()
	}
}

func heap() uint64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}
