package browser

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

func TestMain(m *testing.M) {
	alone()
	os.Exit(m.Run())
}

// alone moves this process into a network of its own, in which there is only this machine.
// Tests that run beside it lay cables and cut them (city/trial), and at each of these a
// browser in the same network gives up what it is loading (ERR_NETWORK_CHANGED). Where a
// system does not let us, or does not have it, the process stays where it is.
func alone() {
	const there = "MULIAN_TEST_ALONE"
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getenv(there) != "" {
		return
	}
	into := []string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"}
	if exec.Command(unshare, append(into[1:], "true")...).Run() != nil {
		return
	}
	err = syscall.Exec(unshare, slices.Concat(into, os.Args), append(os.Environ(), there+"=1"))
	fmt.Fprintln(os.Stderr, "into a network of its own:", err)
	os.Exit(1)
}
