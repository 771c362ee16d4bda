package crm

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// benchmarked is an answer of which the last record is the caller's.
func benchmarked(records int) string {
	var list []string
	for i := range records {
		phone := fmt.Sprintf("+331990%05d", i)
		if i == records-1 {
			phone = "04 27 46 63 47"
		}
		list = append(list, fmt.Sprintf(`{"id":"6b02d465ccd%06d","name":"Rosa Schmidt","emailAddress":"rosa.schmidt@example.com","phoneNumber":"%s",`+
			`"accountIsInactive":false,"createdAt":"2026-11-22 11:39:17","accountId":"6b02d464ddbd9ba66","accountName":"Olsen & Jonas SARL","assignedUserId":null}`, i, phone))
	}
	return `{"total":-1,"list":[` + strings.Join(list, ",") + `]}`
}

// answeredTransport answers at once, so that only our own work is measured.
type answeredTransport struct{ body string }

func (a answeredTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(a.body)),
		Request:    r,
	}, nil
}

// BenchmarkSearchAnswer is what one answer costs: reading, mapping and
// verifying its records.
func BenchmarkSearchAnswer(b *testing.B) {
	for _, records := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			d := espocrm("https://crm.example.com")
			d.Lookups = d.Lookups[:1]
			d.Lookups[0].Detail = nil
			rest := compiled(b, d, Options{
				Transport: answeredTransport{benchmarked(records)},
				Settings:  map[string]func(string) (string, error){"credential.": func(string) (string, error) { return recordedKey, nil }},
			})
			query := question(b, callersNumber)
			b.ReportAllocs()
			for b.Loop() {
				if result := rest.Search(b.Context(), query); result.Err != nil || len(result.Records) != 1 {
					b.Fatalf("records = %d, err = %v", len(result.Records), result.Err)
				}
			}
		})
	}
}
