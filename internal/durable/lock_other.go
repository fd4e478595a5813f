//go:build !unix

package durable

import (
	"errors"
	"os"
)

// onlyOwner says that file modes mean something on this system.
const onlyOwner = false

// tryLock refuses: a node that cannot be sure to be alone with its directory must
// not start. Mulian runs on Unix systems; elsewhere the command line still works.
func tryLock(*os.File) (held bool, err error) {
	return false, errors.New("this operating system has no flock(2)")
}
