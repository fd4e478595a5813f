//go:build unix

package durable

import (
	"errors"
	"os"
	"syscall"
)

// onlyOwner says that file modes mean something on this system.
const onlyOwner = true

// tryLock takes the lock of f without waiting, and says whether another has it.
func tryLock(f *os.File) (held bool, err error) {
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
