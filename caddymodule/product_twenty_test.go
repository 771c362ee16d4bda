package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Twenty as its source has it: filters of its own over a number that it takes
// apart, and over additional ones as the text of their JSON. Without a filter
// it returns everybody.
var twenty = product{
	preset:   "twenty",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized: UNAUTHENTICATED",
	kinds: []kind{
		{name: "person", phones: 9, page: "$CRM/object/person/$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /rest/people", func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			limit, err := strconv.Atoi(query.Get("limit"))
			depth := query.Get("depth")
			filter := twentyEverybody
			var wrong error
			if text := query.Get("filter"); text != "" {
				filter, wrong = twentyFilter(text)
			}
			switch {
			case r.Header.Get("Authorization") != "Bearer the-key":
				twentyError(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Token invalid.")
			case o.is(failing):
				twentyError(w, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "Internal server error")
			case err != nil || limit > 60 || depth != "0" && depth != "1" || wrong != nil:
				twentyError(w, http.StatusBadRequest, "BadRequestException", fmt.Sprint(wrong))
			default:
				people := []any{}
				for _, c := range o.search("person", func(c card) bool { return filter(twentyPhones(c)) }) {
					person := map[string]any{
						"id": c.ID, "name": map[string]any{"firstName": c.First, "lastName": c.Last}, "emails": map[string]any{"primaryEmail": c.Email},
						"phones": twentyPhones(c), "companyId": "c-1", "jobTitle": "Buyer",
					}
					if depth == "1" {
						person["company"] = map[string]any{"id": "c-1", "name": c.Company}
					}
					people = append(people, person)
				}
				reply(w, map[string]any{"data": map[string]any{"people": people}, "pageInfo": map[string]any{"hasNextPage": false}, "totalCount": len(people)})
			}
		})
		return mux
	},
}

type twentyPhone struct {
	Number      string `json:"number"`
	CallingCode string `json:"callingCode"`
	CountryCode string `json:"countryCode"`
}

// twentyNumber is how Twenty saves a number. One behind "raw:" was saved
// before it took numbers apart.
func twentyNumber(typed string) twentyPhone {
	if raw, ok := strings.CutPrefix(typed, "raw:"); ok {
		return twentyPhone{Number: raw}
	}
	if belgian, ok := strings.CutPrefix(typed, "+32"); ok {
		return twentyPhone{digits(belgian), "+32", "BE"}
	}
	national := digits(typed)
	for _, prefix := range []string{"0033", "33", "0"} {
		if rest, ok := strings.CutPrefix(national, prefix); ok {
			return twentyPhone{rest, "+33", "FR"}
		}
	}
	return twentyPhone{national, "+33", "FR"}
}

// twentyPhones is the composite field of a card.
func twentyPhones(c card) map[string]any {
	phones := map[string]any{"primaryPhoneNumber": "", "primaryPhoneCallingCode": "", "primaryPhoneCountryCode": "", "additionalPhones": nil}
	var additional []twentyPhone
	for i, typed := range c.Phones {
		saved := twentyNumber(typed)
		switch {
		case typed == "" && i > 0:
			additional = append(additional, twentyPhone{"200000000", "+33", "FR"}) // keeps the others in their places
		case typed == "":
		case i == 0:
			phones["primaryPhoneNumber"], phones["primaryPhoneCallingCode"], phones["primaryPhoneCountryCode"] = saved.Number, saved.CallingCode, saved.CountryCode
		default:
			additional = append(additional, saved)
		}
	}
	if len(additional) > 0 {
		phones["additionalPhones"] = additional
	}
	return phones
}

func twentyEverybody(map[string]any) bool { return true }

var (
	twentyGroup = regexp.MustCompile(`^(or|and|not)\((.+)\)$`)
	twentyBase  = regexp.MustCompile(`^([^\[]+)\[([^\]]+)\]:(.+)$`)
)

// twentyFilter reads a filter: or(a[in]:["x","y"],b[like]:"%x%").
func twentyFilter(text string) (func(map[string]any) bool, error) {
	group := twentyGroup.FindStringSubmatch(text)
	if group == nil {
		return twentyCondition(text)
	}
	var all []func(map[string]any) bool
	for _, part := range twentyParts(group[2]) {
		one, err := twentyFilter(part)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return func(phones map[string]any) bool {
		held := 0
		for _, one := range all {
			if one(phones) {
				held++
			}
		}
		return map[string]bool{"or": held > 0, "and": held == len(all), "not": held == 0}[group[1]]
	}, nil
}

// twentyParts splits at commas outside of quotes, brackets and parentheses.
func twentyParts(text string) []string {
	var parts []string
	start, level, quoted, bracketed := 0, 0, false, false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '[' || c == ']':
			bracketed = !bracketed
		case c == '(':
			level++
		case c == ')':
			level--
		case c == ',' && level == 0 && !quoted && !bracketed:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func twentyCondition(text string) (func(map[string]any) bool, error) {
	base := twentyBase.FindStringSubmatch(text)
	if base == nil {
		return nil, fmt.Errorf("'filter' invalid for '%s'. eg: price[gte]:10", text)
	}
	field, ok := strings.CutPrefix(base[1], "phones.")
	if !ok || field != "primaryPhoneNumber" && field != "additionalPhones" {
		return nil, fmt.Errorf("field %s does not exist", base[1])
	}
	column := func(phones map[string]any) string {
		if saved, ok := phones[field].(string); ok {
			return saved
		}
		saved, _ := json.Marshal(phones[field])
		return strings.NewReplacer(`":`, `": `, `",`, `", `).Replace(string(saved)) // as PostgreSQL prints it
	}
	value := strings.Trim(base[3], `"`)
	switch {
	case base[2] == "in" && field == "primaryPhoneNumber":
		list, ok := strings.CutPrefix(strings.TrimSuffix(base[3], "]"), "[")
		if !ok || !strings.HasSuffix(base[3], "]") {
			return nil, errors.New("'filter' invalid for 'in' operator")
		}
		return func(phones map[string]any) bool {
			return slices.Contains(strings.Split(strings.ReplaceAll(list, `"`, ""), ","), column(phones))
		}, nil
	case base[2] == "like":
		return func(phones map[string]any) bool { return percentPattern(value).MatchString(column(phones)) }, nil
	}
	return nil, fmt.Errorf("operator %s is not supported for %s", base[2], field)
}

func twentyError(w http.ResponseWriter, status int, code, words string) {
	w.WriteHeader(status)
	reply(w, map[string]any{"statusCode": status, "error": code, "messages": []string{words}})
}

func TestTwenty(t *testing.T) { twenty.test(t) }

func TestTwentyFindsByItsFirstSearch(t *testing.T) {
	twenty.testFirst(t, measured, []string{"raw:01 23 45 67 89"})
}

func TestTwentyTheSameNationalNumberOfAnotherCountryIsAStrangers(t *testing.T) {
	d := twenty.open(t, twenty.options)
	for _, phones := range [][]string{{"+32 123456789"}, {"", "+32 123456789"}} {
		d.office.file("person", card{ID: "4712", First: "Ole", Phones: phones})
		d.expect(t, nonePage)
	}
}

func TestTwentyNumbersFromBeforeItTookThemApartAreFound(t *testing.T) {
	d := twenty.open(t, twenty.options)
	for _, stored := range slices.Concat(measured, []string{"+33 (0)1 23 45 67 89"}) {
		for _, phones := range [][]string{{"raw:" + stored}, {"", "raw:" + stored}} {
			d.office.file("person", card{ID: "4711", First: "Rosa", Phones: phones})
			d.expect(t, d.address+"/object/person/4711")
		}
	}
}

func TestTwentyHasItsAPIElsewhere(t *testing.T) {
	p := twenty
	p.options += "\napi $CRM/api"
	p.standIn = func(o *office) http.Handler { return http.StripPrefix("/api", twenty.standIn(o)) }
	d := p.showing(t, "{contact.job_title} {contact.company_url}")
	d.office.file("person", card{ID: "4711", First: "Rosa", Phones: []string{"0123456789"}})
	d.expect(t, d.address+"/object/person/4711")
	d.wantTitle(t, "Buyer "+d.address+"/object/company/c-1")
}
