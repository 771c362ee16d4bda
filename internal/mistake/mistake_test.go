package mistake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

func TestAMistakeSaysWhereFromTheOutsideIn(t *testing.T) {
	err := In("crm rest", In("lookup contact", In("url", io.EOF)))
	if err.Error() != "crm rest: lookup contact: url: EOF" {
		t.Errorf("err = %v", err)
	}
	var found *Mistake
	if !errors.As(err, &found) || !slices.Equal(found.Where, []string{"crm rest", "lookup contact", "url"}) {
		t.Errorf("where = %+v", found)
	}
	if !errors.Is(err, io.EOF) {
		t.Error("what is wrong is lost")
	}
}

func TestNoErrorIsNoMistake(t *testing.T) {
	if err := In("url", nil); err != nil {
		t.Errorf("err = %v", err)
	}
}

func TestTheInnerMistakeIsLeftAsItIs(t *testing.T) {
	inner := In("url", io.EOF)
	first, second := In("on one", inner), In("on many", inner)
	if first.Error() != "on one: url: EOF" || second.Error() != "on many: url: EOF" || inner.Error() != "url: EOF" {
		t.Errorf("%v, %v, %v", first, second, inner)
	}
}

// Where a mistake was wrapped on the way, its place still counts.
func TestAWrappedMistakeKeepsItsPlace(t *testing.T) {
	var found *Mistake
	err := In("on one", fmt.Errorf("for this call: %w", In("url", io.EOF)))
	if !errors.As(err, &found) || !slices.Equal(found.Where, []string{"on one", "url"}) {
		t.Errorf("where = %+v", found)
	}
}
