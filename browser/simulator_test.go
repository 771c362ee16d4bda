package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A simulator is one open agent simulator, or a tab with another page, with
// everything that went wrong in it and every request that it made.
type simulator struct {
	t   *testing.T
	ctx context.Context

	mutex    sync.Mutex
	requests []*network.EventRequestWillBeSent
	problems []string
	expected string
}

// openSimulator opens the simulator with the demo CRM in its normal mood.
func openSimulator(t *testing.T) *simulator {
	t.Helper()
	setMood(t, "normal")
	s := openTab(t)
	s.do(chromedp.Navigate("http://" + running.Simulator + "/"))
	s.waitUntil("the page is ready", `document.body.dataset.ready === 'true'`)
	return s
}

// openTab opens a tab in a fresh profile. At the end of the test it fails if a
// page had a console error, violated its policy, opened a dialog or loaded
// anything from elsewhere.
func openTab(t *testing.T) *simulator {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	s := &simulator{t: t, ctx: ctx}
	t.Cleanup(func() {
		closeTab()
		for _, problem := range s.unexpected() {
			t.Errorf("the page reported: %s", problem)
		}
		for _, request := range s.strayed() {
			t.Errorf("the page loaded something from elsewhere: %s", request)
		}
	})
	s.must(chromedp.Listen(ctx, s.observe))
	s.enableReports()
	return s
}

// enableReports asks Chromium to tell of requests and of what goes wrong.
func (s *simulator) enableReports() {
	s.t.Helper()
	_, err := chromedp.Call(s.ctx, network.Enable, network.EnableParams{})
	s.must(err)
	_, err = chromedp.Call(s.ctx, log.Enable, cdp.Empty{})
	s.must(err)
}

func (s *simulator) observe(event any) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		s.requests = append(s.requests, event)
	case *runtime.EventExceptionThrown:
		s.problems = append(s.problems, fmt.Sprintf("%s %+v", event.ExceptionDetails.Text, event.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError {
			s.problems = append(s.problems, fmt.Sprint("console.error ", event.Args))
		}
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError {
			s.problems = append(s.problems, event.Entry.Text+" "+event.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		s.problems = append(s.problems, "a dialog opened: "+event.Message)
		// Left open, it would block the page and so hide why the test fails.
		go func() {
			_, _ = chromedp.Call(s.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
		}()
	}
}

// expectProblem lets a test go wrong on purpose: reports that contain text are
// no failure.
func (s *simulator) expectProblem(text string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.expected = text
}

// reported tells whether anything went wrong that contains text.
func (s *simulator) reported(text string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.ContainsFunc(s.problems, func(problem string) bool { return strings.Contains(problem, text) })
}

func (s *simulator) unexpected() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var problems []string
	for _, problem := range s.problems {
		if s.expected == "" || !strings.Contains(problem, s.expected) {
			problems = append(problems, problem)
		}
	}
	return problems
}

// strayed lists what pages have loaded that is not of their own origin. The
// simulator may: it asks the gateway and the CRM. So may a frame or a window go
// to another page.
func (s *simulator) strayed() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var strayed []string
	for _, request := range s.requests {
		document, loaded := hostOf(request.DocumentURL), hostOf(request.Request.URL)
		if request.Type != network.ResourceTypeDocument && document != running.Simulator && loaded != document && loaded != "" {
			strayed = append(strayed, request.Request.URL+" for "+request.DocumentURL)
		}
	}
	return strayed
}

// hostOf is the host and port of an address; data that stands in the document has
// none.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	return parsed.Host
}

// --- what a person does ---

func (s *simulator) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulator) do(actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	s.must(chromedp.Do(ctx, actions...))
}

// evaluate runs a JavaScript expression in the page.
func evaluate[T any](s *simulator, expression string) T {
	s.t.Helper()
	return value(s, chromedp.Evaluate[T](expression))
}

// value runs an action that returns something.
func value[T any](s *simulator, action chromedp.Action[T]) T {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	s.must(err)
	return result
}

func (s *simulator) click(selector string) {
	s.t.Helper()
	s.do(chromedp.Click(chromedp.CSS(selector)))
}

func (s *simulator) press(key string) {
	s.t.Helper()
	s.do(chromedp.KeyEvent(key))
}

// set puts a value into a field or a selection, and tells the page as a person's
// typing would.
func (s *simulator) set(selector, value string) {
	s.t.Helper()
	script := fmt.Sprintf(`(() => {
		const field = document.querySelector(%s);
		field.value = %s;
		field.dispatchEvent(new Event('input', {bubbles: true}));
		field.dispatchEvent(new Event('change', {bubbles: true}));
		return true;
	})()`, quote(selector), quote(value))
	evaluate[bool](s, script)
	if got := s.value(selector); got != value {
		s.t.Fatalf("%s is %q, want %q: there is no such choice", selector, got, value)
	}
}

// show presses the button for one of the gateway's pages.
func (s *simulator) show(name string) {
	s.t.Helper()
	s.click(`[data-page=` + quote(name) + `]`)
}

// ring chooses a scenario and rings. It returns when the gateway has answered.
func (s *simulator) ring(scenario string) {
	s.t.Helper()
	s.set("#scenario", scenario)
	s.ringAsIs()
}

// ringAsIs rings with the fields as they are.
func (s *simulator) ringAsIs() {
	s.t.Helper()
	s.click("#ring")
	s.waitForAnswer()
}

func (s *simulator) waitForAnswer() {
	s.t.Helper()
	s.waitUntil("the gateway has answered", `!document.querySelector('#http-status').hidden`)
}

// --- what a person sees ---

// waitUntil waits for a JavaScript expression to become true.
func (s *simulator) waitUntil(what, expression string) {
	s.t.Helper()
	s.eventually(what, func() bool {
		return evaluate[bool](s, expression)
	})
}

func (s *simulator) waitForText(selector, want string) {
	s.t.Helper()
	var got string
	s.eventually(fmt.Sprintf("%s says %q", selector, want), func() bool {
		got = s.text(selector)
		return strings.Contains(got, want)
	})
}

func (s *simulator) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s in vain until %s; status %q, pane %q, events and windows:\n%s",
				patience, what, s.text("#status"), s.pane().text("main"), withoutSeals(s.text("#log")+fmt.Sprint(s.popups())))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// withoutSeals makes addresses of the gateway's pages readable.
func withoutSeals(text string) string { return sealInAddress.ReplaceAllString(text, "$1…") }

var sealInAddress = regexp.MustCompile(`(/pane/\w+/)[\w-]+`)

func (s *simulator) text(selector string) string {
	return s.read(selector, "textContent")
}

func (s *simulator) value(selector string) string {
	return s.read(selector, "value")
}

func (s *simulator) read(selector, property string) string {
	s.t.Helper()
	return evaluate[string](s, fmt.Sprintf(`String(document.querySelector(%s)?.[%s])`, quote(selector), quote(property)))
}

func (s *simulator) visible(selector string) bool {
	s.t.Helper()
	return evaluate[bool](s, fmt.Sprintf(`document.querySelector(%s)?.checkVisibility() ?? false`, quote(selector)))
}

// popups lists the addresses of the windows that the page has opened.
func (s *simulator) popups() []string {
	var addresses []string
	for _, info := range s.windows() {
		addresses = append(addresses, info.URL)
	}
	return addresses
}

func (s *simulator) windows() []*target.Info {
	s.t.Helper()
	targets, err := chromedp.Targets(s.ctx)
	s.must(err)
	here := chromedp.FromContext(s.ctx)
	var windows []*target.Info
	for _, info := range targets {
		if info.Type == "page" && info.BrowserContextID == here.BrowserContextID && info.TargetID != here.Target.TargetID {
			windows = append(windows, info)
		}
	}
	return windows
}

// waitForPopup waits for a window at an address that ends in path, and returns
// its text.
func (s *simulator) waitForPopup(path string) string {
	s.t.Helper()
	window := s.waitForWindow(func(at *url.URL) bool { return strings.HasSuffix(at.RequestURI(), path) })
	var text string
	window.eventually("the window shows a page", func() bool {
		text = window.top().text("main")
		return text != ""
	})
	return text
}

// waitForWindow waits for a window that the page opens at such an address.
func (s *simulator) waitForWindow(matches func(*url.URL) bool) *simulator {
	s.t.Helper()
	var found target.ID
	s.eventually("a window opens", func() bool {
		for _, info := range s.windows() {
			if at, err := url.Parse(info.URL); err == nil && matches(at) {
				found = info.TargetID
				return true
			}
		}
		return false
	})
	ctx, detach := chromedp.NewContext(s.ctx, chromedp.WithTargetID(found), chromedp.WithDetachOnCancel())
	s.t.Cleanup(detach)
	window := &simulator{t: s.t, ctx: ctx}
	s.must(chromedp.Listen(ctx, window.observe))
	window.enableReports()
	return window
}

// expectNothingOpened checks the agent's screen after an answer.
func (s *simulator) expectNothingOpened() {
	s.t.Helper()
	if popups := s.popups(); len(popups) > 0 {
		s.t.Errorf("windows opened: %v", popups)
	}
	for _, selector := range []string{"#pane", "#popup-box", "#popup-notice", "#run-box"} {
		if s.visible(selector) {
			s.t.Errorf("%s is visible: %s", selector, s.text(selector))
		}
	}
}

// lastCall is the body of the last POST as it went over the wire, with the
// request's headers.
func (s *simulator) lastCall() (body []byte, headers network.Headers) {
	s.t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, event := range slices.Backward(s.requests) {
		request := event.Request
		if request.Method == http.MethodPost && strings.Contains(request.URL, running.Gateway) {
			for _, entry := range request.PostDataEntries {
				body = append(body, entry.Bytes...)
			}
			return body, request.Headers
		}
	}
	s.t.Fatal("no call was posted to the gateway")
	return nil, nil
}

// sent tells whether a request with that method went to the gateway.
func (s *simulator) sent(method string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.ContainsFunc(s.requests, func(event *network.EventRequestWillBeSent) bool {
		return event.Request.Method == method && strings.Contains(event.Request.URL, running.Gateway)
	})
}

// quote writes a text as JavaScript does.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(quoted)
}
