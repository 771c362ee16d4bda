package browser

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

const chromiumPath = "/usr/bin/chromium"

// What every test shares: one demo, and one Chromium in which each test has a
// profile of its own.
var (
	running  *process
	chromium context.Context
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser tests:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	home, err := os.MkdirTemp("", "screenpop-browser-")
	if err != nil {
		return 1, fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(home) }()

	running, err = startDemo(home)
	if err != nil {
		return 1, err
	}
	defer func() { _ = running.interrupt() }()

	ctx, quit, err := startChromium(home)
	if err != nil {
		return 1, err
	}
	defer quit()
	chromium = ctx
	return m.Run(), nil
}

func startChromium(home string, more ...chromedp.ExecAllocatorOption) (context.Context, context.CancelFunc, error) {
	if _, err := os.Stat(chromiumPath); err != nil {
		return nil, nil, fmt.Errorf("finding Chromium (Debian's package chromium): %w", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromiumPath),
		chromedp.UserDataDir(home + "/chromium"),
		chromedp.WindowSize(1440, 1000),
		chromedp.Flag("headless", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("no-sandbox", true),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(patience),
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	quit := func() { cancel(); stop() }
	if err := chromedp.Do(ctx); err != nil {
		quit()
		return nil, nil, fmt.Errorf("starting Chromium: %w", err)
	}
	return ctx, quit, nil
}
