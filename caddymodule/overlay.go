package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// withPreset lays the options over the preset's.
func (c *REST) withPreset() (*REST, error) {
	if c.Preset == "" {
		if at := slices.IndexFunc(c.Lookups, func(l crm.Lookup) bool { return l.Off }); at >= 0 {
			return nil, mistake.In("lookup "+c.Lookups[at].Kind, notThere(nil))
		}
		return c, nil
	}
	base, err := readPreset(c.Preset)
	if err != nil {
		return nil, err
	}
	complete := *base
	complete.Credentials = c.Credentials
	complete.Settings = maps.Clone(base.Settings)
	if complete.Settings == nil {
		complete.Settings = map[string]string{}
	}
	maps.Copy(complete.Settings, c.Settings)
	complete.Name = cmp.Or(c.Name, c.Preset)
	complete.URL = c.URL
	complete.API = cmp.Or(c.API, base.API)
	complete.Headers = overlayHeaders(base.Headers, c.Headers)
	complete.Auth = overlayAuth(base.Auth, c.Auth)
	if c.API == "" && saysWhereTheAPIIs(c.Auth) {
		complete.API = "" // or settings would be missed that only the preset's api needs
	}
	if len(c.Spellings) > 0 {
		complete.Spellings = c.Spellings
	}
	complete.Dialect = cmp.Or(c.Dialect, base.Dialect)
	complete.Miss = cmp.Or(c.Miss, base.Miss)
	complete.Fail = cmp.Or(c.Fail, base.Fail)
	complete.FirstOnly = base.FirstOnly || c.FirstOnly
	complete.SearchURL = cmp.Or(c.SearchURL, base.SearchURL)
	complete.CreateURL = cmp.Or(c.CreateURL, base.CreateURL)
	complete.Timeout = cmp.Or(c.Timeout, base.Timeout)
	complete.Window = cmp.Or(c.Window, base.Window)
	complete.Limit = cmp.Or(c.Limit, base.Limit)
	complete.Protect = overlayProtect(base.Protect, c.Protect)
	complete.Lookups, err = overlayLookups(base.Lookups, c.Lookups)
	return &complete, err
}

// saysWhereTheAPIIs reports whether the user has it from the token answer.
func saysWhereTheAPIIs(auth *crm.Auth) bool {
	return auth != nil && auth.OAuth2 != nil && auth.OAuth2.BaseURL != ""
}

// overlayParams replaces parameters of the same name, and adds the others.
func overlayParams(base, over []crm.Param) []crm.Param {
	return overlayNamed(base, over, func(p crm.Param) string { return p.Name })
}

// overlayHeaders does so with header fields, whose names are written in any case.
func overlayHeaders(base, over []crm.Param) []crm.Param {
	return overlayNamed(base, over, func(p crm.Param) string { return http.CanonicalHeaderKey(p.Name) })
}

// overlayAuth changes what is written of a way that is the preset's too; another
// way replaces it.
func overlayAuth(base, over *crm.Auth) *crm.Auth {
	switch {
	case over == nil:
		return base
	case base == nil:
		return over
	case base.OAuth2 != nil && over.OAuth2 != nil:
		laid := overlay(forGrant(*base.OAuth2, over.OAuth2.Grant), *over.OAuth2)
		laid.Headers = overlayHeaders(base.OAuth2.Headers, over.OAuth2.Headers)
		laid.Params = overlayParams(base.OAuth2.Params, over.OAuth2.Params)
		return &crm.Auth{OAuth2: &laid}
	case base.Login != nil && over.Login != nil:
		laid := overlay(*base.Login, *over.Login)
		return &crm.Auth{Login: &laid}
	default:
		return over
	}
}

// forGrant leaves out what another grant than the preset's does not need: its
// credentials would be missed.
func forGrant(o crm.OAuth2, grant string) crm.OAuth2 {
	if grant == "" || grant == o.Grant || grant == "client_credentials" && o.Grant == "" {
		return o
	}
	o.ClientSecret, o.RefreshToken, o.Username, o.Password, o.Assertion = "", "", "", "", nil
	return o
}

func overlayLookups(base, over []crm.Lookup) ([]crm.Lookup, error) {
	result := slices.Clone(base)
	for _, lookup := range over {
		at := slices.IndexFunc(result, func(l crm.Lookup) bool { return l.Kind == lookup.Kind })
		switch {
		case at < 0 && lookup.Off:
			return nil, mistake.In("lookup "+lookup.Kind, notThere(base))
		case at < 0:
			result = append(result, lookup)
		default:
			result[at] = overlayLookup(result[at], lookup)
		}
	}
	return slices.DeleteFunc(result, func(l crm.Lookup) bool { return l.Off }), nil
}

// notThere is the error for leaving out a lookup that a definition has not.
func notThere(base []crm.Lookup) error {
	if len(base) == 0 {
		return errors.New("off leaves out a lookup of a preset, and there is none")
	}
	var kinds []string
	for _, l := range base {
		kinds = append(kinds, l.Kind)
	}
	return fmt.Errorf("the preset has none of this kind to leave out; it has %s", strings.Join(kinds, ", "))
}

// overlayLookup changes what is written; a request of its own replaces all of
// the preset's request, and with it the second search and the sample.
func overlayLookup(base, over crm.Lookup) crm.Lookup {
	if over.Path != "" {
		base.Ask, base.Spellings, base.Dialect, base.Filter, base.Each = crm.Ask{}, nil, "", nil, nil
		base.Otherwise, base.Sample = nil, nil
	}
	laid := overlay(base, over)
	laid.Query = overlayParams(base.Query, over.Query)
	laid.Form = overlayParams(base.Form, over.Form)
	laid.Headers = overlayHeaders(base.Headers, over.Headers)
	laid.Follows = overlayNamed(base.Follows, over.Follows, func(f crm.Follow) string { return f.Name })
	laid.Fields = overlayNamed(base.Fields, over.Fields, func(f crm.Field) string { return f.Name })
	if over.Unverified {
		laid.Phones = nil
	}
	if len(over.Phones) > 0 {
		laid.Unverified = false
	}
	return laid
}

// overlayNamed replaces things of the same name, and adds the others.
func overlayNamed[T any](base, over []T, name func(T) string) []T {
	kept := slices.DeleteFunc(slices.Clone(base), func(b T) bool {
		return slices.ContainsFunc(over, func(o T) bool { return name(o) == name(b) })
	})
	return append(kept, over...)
}

// overlay takes every member of a structure that is set over; those of
// embedded structures one by one.
func overlay[T any](base, over T) T {
	overlayValue(reflect.ValueOf(&base).Elem(), reflect.ValueOf(&over).Elem())
	return base
}

func overlayValue(base, over reflect.Value) {
	for i := range over.NumField() {
		switch field := over.Field(i); {
		case over.Type().Field(i).Anonymous:
			overlayValue(base.Field(i), field)
		case !field.IsZero():
			base.Field(i).Set(field)
		}
	}
}
