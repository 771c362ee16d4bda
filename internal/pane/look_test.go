package pane

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/seal"
)

func TestTheAgentsBrowserChoosesTheLanguage(t *testing.T) {
	for _, test := range []struct {
		languages []string
		accepted  string
		want      string
	}{
		{nil, "", "en"},
		{nil, "fr", "fr"},
		{nil, "fr-FR,fr;q=0.9,en;q=0.8", "fr"},
		{nil, "fr-CA", "fr"},
		{nil, "en-GB,fr;q=0.5", "en"},
		{nil, "de,fr;q=0.5,en;q=0.1", "fr"},
		{nil, "ja", "en"},
		{nil, "<script>;;q=x", "en"},
		{nil, strings.Repeat("fr,", 5000), "fr"},
		{[]string{"fr", "en"}, "ja", "fr"},
		{[]string{"fr", "en"}, "en", "en"},
		{[]string{"fr"}, "en", "fr"},
	} {
		s := serve(t, func(o *Options) { o.Languages = test.languages })
		d := s.show(Unknown, about(), "Accept-Language", test.accepted)
		got := attribute(d.all("html")[0], "lang")
		title := map[string]string{"en": "Unknown caller", "fr": "Appelant inconnu"}[got]
		if got != test.want || d.header.Get("Content-Language") != got || text(d.all("h1")[0]) != title {
			t.Errorf("%q of %q: %s, %s", test.accepted, test.languages, got, text(d.all("h1")[0]))
		}
	}
}

func TestAPageThatSaysWhyThereIsNoOtherIsInTheAgentsLanguage(t *testing.T) {
	serve(t, nil).open("/pane/card/AAAA", "Accept-Language", "fr").want(http.StatusNotFound, "Ce lien n’est pas valable")
}

func textsOf(t *testing.T, language string) map[string]string {
	t.Helper()
	content, err := textFiles.ReadFile("texts/" + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(content, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

var slot = regexp.MustCompile(`\{\d\}`)

func TestEveryLanguageHasTheSameTexts(t *testing.T) {
	english := textsOf(t, "en")
	if languages := Languages(); len(languages) < 2 || !slices.Contains(languages, "fr") {
		t.Fatalf("languages %q", languages)
	}
	for _, language := range Languages() {
		texts := textsOf(t, language)
		if got, want := slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
			t.Errorf("%s has the keys %q\nwant %q", language, got, want)
		}
		for key, text := range texts {
			if strings.TrimSpace(text) == "" || !slices.Equal(slot.FindAllString(text, -1), slot.FindAllString(english[key], -1)) {
				t.Errorf("%s: %s is %q, in English %q", language, key, text, english[key])
			}
		}
	}
}

// sources is the text of the templates and the program.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(content)
		}
	}
	return all.String()
}

func TestEveryTextIsUsedAndEveryUsedTextIsThere(t *testing.T) {
	source, texts := sources(t), textsOf(t, "en")
	for key := range texts {
		notice, isNotice := strings.CutSuffix(strings.TrimSuffix(key, "_text"), "_title")
		used := strings.Contains(source, `"`+key+`"`) || strings.HasPrefix(key, "kind_") ||
			(isNotice || strings.HasSuffix(key, "_text")) && strings.Contains(source, `"`+notice+`"`)
		if !used {
			t.Errorf("no page uses %s", key)
		}
	}
	for _, match := range regexp.MustCompile(`(?:Say|say|CopiedField) ?\(?"(\w+)"`).FindAllStringSubmatch(source, -1) {
		if texts[match[1]] == "" {
			t.Errorf("there is no text %s", match[1])
		}
	}
}

func TestTheBrandIsOnEveryPage(t *testing.T) {
	branded := func(o *Options) {
		o.Brand = Brand{Name: "Quai <Nord>", Colour: "#0B6E4F", Logo: logoFile(t, "logo.SVG", `<svg xmlns="http://www.w3.org/2000/svg"/>`)}
	}
	for name, d := range everyPage(serve(t, branded)) {
		images := d.all("img")
		if len(images) != 1 || !strings.HasPrefix(attribute(images[0], "src"), "data:image/svg+xml;base64,") {
			t.Errorf("%s has no logo", name)
		}
		if !strings.Contains(text(d.all("header")[0]), "Quai <Nord>") || !strings.Contains(d.body, "--accent: #0B6E4F") {
			t.Errorf("%s lacks the brand", name)
		}
	}
}

func TestALogoIsAnImage(t *testing.T) {
	for content, want := range map[string]string{
		"\x89PNG\r\n\x1a\n": "image/png", "\xff\xd8\xff\xe0": "image/jpeg", "GIF89a": "image/gif", "RIFF\x00\x00\x00\x00WEBPVP": "image/webp",
	} {
		parsed, err := parseBrand(Brand{Logo: logoFile(t, "logo", content)})
		if err != nil || !strings.HasPrefix(string(parsed.Logo), "data:"+want+";base64,") {
			t.Errorf("%s: %s, %v", want, parsed.Logo, err)
		}
	}
}

func TestAnyColourCanBeRead(t *testing.T) {
	for _, colour := range []string{"#000000", "#ffffff", "#FFFF00", "#ff0000", "#0b57d0", "#777777", "#16191d", "#123456"} {
		if got := contrast(inkOn(colour), colour); got < enough {
			t.Errorf("text on %s has a contrast of %.1f", colour, got)
		}
		for paper, direction := range map[string]int{lightPaper: -1, darkPaper: 1} {
			if got := contrast(readable(colour, paper, direction), paper); got < enough {
				t.Errorf("a link of %s on %s has a contrast of %.1f", colour, paper, got)
			}
		}
	}
}

// WCAG 2.2: black on white is 21, a colour on itself 1.
func TestContrast(t *testing.T) {
	for pair, want := range map[[2]string]string{
		{"#000000", "#ffffff"}: "21.00", {"#777777", "#777777"}: "1.00", {"#ffffff", "#767676"}: "4.54", {"#ff0000", "#ffffff"}: "4.00",
	} {
		if got := fmt.Sprintf("%.2f", contrast(pair[0], pair[1])); got != want {
			t.Errorf("%s on %s: %s, want %s", pair[0], pair[1], got, want)
		}
	}
}

func TestMistakesInOptionsAreNamed(t *testing.T) {
	region, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.Given(key)
	if err != nil {
		t.Fatal(err)
	}
	for want, options := range map[string]Options{
		`languages: there are no texts in "de"; there are en, fr`:                    {Languages: []string{"de"}},
		`colour: "green" is not six hexadecimal digits; write for example "#0b57d0"`: {Brand: Brand{Colour: "green"}},
		`colour: "#0b57d0; }" is not`:                                                {Brand: Brand{Colour: "#0b57d0; }"}},
		"logo: is not an image; there are SVG, PNG, JPEG, GIF and WebP":              {Brand: Brand{Logo: logoFile(t, "logo.png", "text")}},
		"has 6145 bytes; it is part of every page and may have 6144":                 {Brand: Brand{Logo: logoFile(t, "logo.svg", strings.Repeat("x", maxLogo+1))}},
		"logo: can't be read: open /nonexistent.svg: no":                             {Brand: Brand{Logo: "/nonexistent.svg"}},
	} {
		options.Region, options.Ring = region, ring
		if _, err := New(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}
