package trial

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"mulian/city/trial/skew"
)

// What is wrong with a member's process, by its environment.
const (
	skewBy = "MULIAN_TRIAL_SKEW"     // seconds that its clock is ahead of the true one
	roomBy = "MULIAN_TRIAL_FILE_MAX" // bytes at which a file of its cannot grow any more
)

// beFaulty makes this process, a member's, as faulty as its environment says.
func beFaulty() error {
	if text := os.Getenv(skewBy); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		if !skew.Set(seconds) {
			return fmt.Errorf("%s: the clock of this process cannot be made wrong here", skewBy)
		}
	}
	if text := os.Getenv(roomBy); text != "" {
		room, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return err
		}
		signal.Ignore(syscall.SIGXFSZ) // so that a write fails as on a full disk
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: room})
	}
	return nil
}
