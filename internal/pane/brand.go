package pane

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// Brand is how the pages show whose they are.
type Brand struct {
	// The company's name, shown above the caller's number.
	Name string `json:"name,omitempty"`
	// The path of an image file, at most 6 KiB: SVG, PNG, JPEG, GIF or WebP. It
	// becomes part of each page.
	Logo string `json:"logo,omitempty"`
	// The colour of buttons and links: `#0b57d0`.
	Colour string `json:"colour,omitempty"`
}

// brand is a [Brand] as pages show it.
type brand struct {
	Name string
	Logo template.URL
	// style is added to the pages' own.
	style string
}

// maxLogo is the largest logo, in bytes: it is in every page.
const maxLogo = 6 << 10

var colourForm = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

func parseBrand(b Brand) (brand, error) {
	parsed := brand{Name: b.Name}
	if b.Colour != "" {
		if !colourForm.MatchString(b.Colour) {
			return brand{}, mistake.In("colour", fmt.Errorf("%q is not six hexadecimal digits; write for example \"#0b57d0\"", b.Colour))
		}
		parsed.style = fmt.Sprintf(":root { --accent: %s; --on-accent: %s; }\n"+
			"@media (prefers-color-scheme: light) { a { color: %s; } }\n@media (prefers-color-scheme: dark) { a { color: %s; } }\n",
			b.Colour, inkOn(b.Colour), readable(b.Colour, lightPaper, -1), readable(b.Colour, darkPaper, 1))
	}
	logo, err := readLogo(b.Logo)
	parsed.Logo = logo
	return parsed, mistake.In("logo", err)
}

// readLogo reads an image file as an address that has it in it.
func readLogo(file string) (template.URL, error) {
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file) //nolint:gosec // the administrator names it
	switch {
	case err != nil:
		return "", fmt.Errorf("can't be read: %w", err)
	case len(content) > maxLogo:
		return "", fmt.Errorf("%s has %d bytes; it is part of every page and may have %d", file, len(content), maxLogo)
	}
	mediaType, err := imageType(file, content)
	if err != nil {
		return "", err
	}
	return template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(content)), nil //nolint:gosec // the administrator's own file, as an image
}

func imageType(file string, content []byte) (string, error) {
	if strings.EqualFold(filepath.Ext(file), ".svg") {
		return "image/svg+xml", nil
	}
	mediaType := http.DetectContentType(content)
	if !strings.HasPrefix(mediaType, "image/") {
		return "", errors.New("is not an image; there are SVG, PNG, JPEG, GIF and WebP")
	}
	return mediaType, nil
}

const (
	lightPaper = "#ffffff"
	darkPaper  = "#16191d"
	// enough is the contrast that text needs (WCAG 2.2, 1.4.3).
	enough = 4.5
)

// inkOn returns the colour that can be read on another.
func inkOn(colour string) string {
	if contrast("#ffffff", colour) >= contrast("#000000", colour) {
		return "#ffffff"
	}
	return "#000000"
}

// readable makes a colour darker (-1) or lighter (1) until it can be read.
func readable(colour, paper string, direction int) string {
	for range 100 {
		if contrast(colour, paper) >= enough {
			return colour
		}
		var shifted strings.Builder
		shifted.WriteByte('#')
		for _, channel := range channels(colour) {
			fmt.Fprintf(&shifted, "%02x", min(255, max(0, channel+direction*4)))
		}
		colour = shifted.String()
	}
	return colour
}

func channels(colour string) [3]int {
	var parsed [3]int
	for i := range parsed {
		value, err := strconv.ParseInt(colour[1+2*i:3+2*i], 16, 32)
		if err == nil {
			parsed[i] = int(value)
		}
	}
	return parsed
}

// contrast is that of WCAG 2.2: from 1 to 21.
func contrast(a, b string) float64 {
	lighter, darker := luminance(a), luminance(b)
	if lighter < darker {
		lighter, darker = darker, lighter
	}
	return (lighter + 0.05) / (darker + 0.05)
}

func luminance(colour string) float64 {
	linear := func(channel int) float64 {
		if c := float64(channel) / 255; c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((float64(channel)/255+0.055)/1.055, 2.4)
	}
	c := channels(colour)
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}
