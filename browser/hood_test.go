package browser

import (
	"encoding/json"
	"testing"
)

func TestAnswerIsReadableUnderTheHood(t *testing.T) {
	s := openSimulator(t)
	s.ring("colleague")
	var answer map[string]any
	body := evaluate[string](s, `document.querySelector('#response').textContent.split('\n\n').at(-1)`)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("the answer shown is no JSON: %v\n%s", err, body)
	}
	if len(answer) != 1 || answer["action"] != "none" {
		t.Errorf("the answer is %v, want exactly action none", answer)
	}
}
