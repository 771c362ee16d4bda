package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A document is what one of the frames shows: the frames are one inside the
// other, so their depth names them. It is found anew for every question, because
// a pane goes from page to page.
type document struct {
	s     *simulator
	depth int
}

// top is what the tab itself shows.
func (s *simulator) top() document { return document{s, 0} }

// pane is what the agent application's pane shows: mostly a page of the gateway.
func (s *simulator) pane() document { return document{s, 1} }

// record is the CRM's page inside the gateway's.
func (s *simulator) record() document { return document{s, 2} }

// frame finds the document's frame, unless it is not there (yet).
func (d document) frame() (*cdp.Frame, bool) {
	d.s.t.Helper()
	result, err := chromedp.Call(d.s.ctx, page.GetFrameTree, cdp.Empty{})
	d.s.must(err)
	tree := result.FrameTree
	for range d.depth {
		if len(tree.ChildFrames) == 0 {
			return nil, false
		}
		tree = tree.ChildFrames[0]
	}
	return tree.Frame, true
}

// url is the document's address; "" if there is none.
func (d document) url() string {
	d.s.t.Helper()
	frame, ok := d.frame()
	if !ok {
		return ""
	}
	return frame.URL
}

// ask evaluates a JavaScript expression in a world of the test's own beside the
// document's, which no policy of the page's concerns. It fails while the
// document is being replaced.
func ask[T any](d document, expression string) (answer T, err error) {
	d.s.t.Helper()
	frame, ok := d.frame()
	if !ok {
		return answer, fmt.Errorf("there is no frame at depth %d", d.depth)
	}
	world, err := chromedp.Call(d.s.ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frame.ID, WorldName: "test"})
	if err != nil {
		return answer, err
	}
	yes := true
	result, err := chromedp.Call(d.s.ctx, runtime.Evaluate, runtime.EvaluateParams{
		Expression: expression, ContextID: world.ExecutionContextID, ReturnByValue: &yes, AwaitPromise: &yes,
	})
	if err != nil {
		return answer, err
	}
	if result.ExceptionDetails != nil {
		return answer, fmt.Errorf("%s %+v", result.ExceptionDetails.Text, result.ExceptionDetails.Exception)
	}
	return answer, json.Unmarshal(result.Result.Value, &answer)
}

// text is what an element says; "" while there is none.
func (d document) text(selector string) string {
	d.s.t.Helper()
	text, err := ask[string](d, fmt.Sprintf(`document.querySelector(%s)?.textContent ?? ''`, quote(selector)))
	if err != nil {
		return ""
	}
	return text
}

func (d document) waitForText(selector, want string) {
	d.s.t.Helper()
	d.s.eventually(fmt.Sprintf("%s of the document at depth %d says %q", selector, d.depth, want), func() bool {
		return strings.Contains(d.text(selector), want)
	})
}

// place is where the middle of an element is in the window.
type place struct{ X, Y float64 }

// click brings an element into view and presses the mouse on it.
func (d document) click(selector string) {
	d.s.t.Helper()
	var at place
	d.s.eventually(fmt.Sprintf("%s of the document at depth %d can be clicked", selector, d.depth), func() bool {
		var err error
		at, err = ask[place](d, fmt.Sprintf(`(() => {
			const element = document.querySelector(%s);
			element.scrollIntoView({block: 'center'});
			const box = element.getBoundingClientRect();
			if (!element.checkVisibility()) throw new Error('hidden');
			return {X: box.x + box.width / 2, Y: box.y + box.height / 2};
		})()`, quote(selector)))
		return err == nil
	})
	for depth := range d.depth {
		offset, err := ask[place](document{d.s, depth}, `(() => {
			const frame = document.querySelector('iframe');
			const box = frame.getBoundingClientRect();
			return {X: box.x + frame.clientLeft, Y: box.y + frame.clientTop};
		})()`)
		d.s.must(err)
		at.X, at.Y = at.X+offset.X, at.Y+offset.Y
	}
	_, err := chromedp.Run(d.s.ctx, chromedp.MouseClickXY(at.X, at.Y))
	// What closes its own window does not say that it was clicked.
	if !errors.Is(err, chromedp.ErrTargetDetached) {
		d.s.must(err)
	}
}

const ctrl = 2 // the key, in the protocol

// paste is Ctrl-V.
func (s *simulator) paste() {
	s.t.Helper()
	_, err := chromedp.Call(s.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Key: "v", Code: "KeyV", Modifiers: ctrl, Commands: []string{"paste"},
	})
	s.must(err)
}
