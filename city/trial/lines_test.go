package trial

import (
	"os"
	"testing"
	"time"
)

// lines are the connections between the nodes of a trial, and what can be done to them.
// A test reaches the servers of all members whatever the lines do.
type lines interface {
	kind() string                 // what they are made of
	places() []Place              // where each member listens
	via(from, to int) string      // where one member dials another
	within(member int) []string   // what stands before the member's command
	split(groups ...[]int)        // members of different groups are out of each other's reach, silently
	heal()                        // everybody reaches everybody
	slow(d, j time.Duration) bool // everything takes so long, more or less; false if that cannot be had
}

// asBy names who the suite acts as: "root" needs network namespaces and mounts, "anyone"
// does without; not set, it takes what is allowed.
const asBy = "MULIAN_FAULTS_AS"

// asAnyone says that the suite must not use what only root may.
func asAnyone() bool { return os.Getenv(asBy) == "anyone" }

// newLines makes the lines: network namespaces where they are allowed, else a proxy.
func newLines(t *testing.T, members int, seed uint64, needSlow bool) lines {
	t.Helper()
	if !asAnyone() {
		l, err := newSpaces(t, members)
		switch {
		case err == nil && (!needSlow || l.slow(0, 0)):
			return l
		case err == nil:
			t.Log("this kernel has no netem: the lines are slowed by the proxy")
		case os.Getenv(asBy) == "root":
			t.Fatalf("%s=root: %v", asBy, err)
		default:
			t.Logf("no network namespaces: %v", err)
		}
	}
	return newProxied(t, members, seed)
}
