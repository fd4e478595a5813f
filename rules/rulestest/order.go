package rulestest

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/internal/fault"
)

// Try is one attempt at a verb: a world, who signs, and the message.
type Try[M proto.Message] struct {
	*World
	Account string
	Message M
}

// Breach is one check of a verb: what breaks it, and the code that then comes.
type Breach[M proto.Message] struct {
	Name  string
	Want  fault.Code
	Break func(*Try[M])
}

// Order walks the checks of a verb in their order. prepare makes an attempt that
// succeeds. Each row also breaks all rows behind it, and so proves that the earlier
// check wins; where two breaches touch the same place, the earlier one is done last.
func Order[M proto.Message](t *testing.T, prepare func(*testing.T) *Try[M], rows []Breach[M]) {
	t.Helper()
	for i := 0; i <= len(rows); i++ {
		name, want := "done", fault.OK
		if i < len(rows) {
			name, want = rows[i].Name, rows[i].Want
		}
		t.Run(name, func(t *testing.T) {
			try := prepare(t)
			for j := len(rows) - 1; j >= i; j-- {
				rows[j].Break(try)
			}
			if code := try.Do(try.Account, try.Message); code != want {
				t.Errorf("%s (%s: %s), want %s", code, try.Outcome.Rule, try.Text, want)
			}
		})
	}
}
