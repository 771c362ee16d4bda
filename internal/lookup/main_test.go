package lookup

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing that a test started may still run when all are over.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
