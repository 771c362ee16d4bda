// Package expression compiles conditions in CEL, the Common Expression
// Language, over documents whose shape is not known beforehand.
package expression

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// costLimit bounds an evaluation, in CEL's own unit: rules and conditions on
// real calls and answers stay below a thousand, and a call must not wait.
const costLimit = 50_000

// Expression is a compiled condition. It is safe for concurrent use.
type Expression struct {
	text    string
	program cel.Program
}

// Compile reads a condition over the named variables. Errors show the place
// in the text.
func Compile(text string, variables ...string) (*Expression, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true), ext.Strings()}
	for _, name := range variables {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing CEL: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%q is not a CEL expression over %s: %w", text, strings.Join(variables, " and "), issues.Err())
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("%q gives a %s, not true or false", text, kind)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	return &Expression{text, program}, nil
}

// String returns the condition's text.
func (e *Expression) String() string { return e.text }

// Holds reports whether the condition is true. One that asks for something
// absent, or compares what can't be compared, does not hold.
func (e *Expression) Holds(values map[string]any) bool {
	result, _, err := e.program.Eval(values)
	if err != nil {
		return false
	}
	holds, ok := result.Value().(bool)
	return ok && holds
}
