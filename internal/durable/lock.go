package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// lockName is the file in a directory that carries its lock. It is never removed:
// removing it would let two processes lock two files of one name.
const lockName = "LOCK"

// ErrHeld is wrapped by the error of [LockDir] when another holds the directory.
var ErrHeld = errors.New("the directory is in use")

// Lock is the right of this process to be alone in a directory.
type Lock struct{ file *os.File }

// LockDir takes the lock of the directory for the given purpose ("mulian node").
// If another process has it, the error wraps [ErrHeld] and says who. The operating
// system frees the lock when the process ends, however it ends.
func LockDir(dir, purpose string) (*Lock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock directory %s: %w", dir, err)
	}
	held, err := tryLock(f)
	if err != nil || held {
		defer f.Close()
		if held {
			return nil, fmt.Errorf("%w: %s is held by %s; stop that process, or choose another directory", ErrHeld, dir, holder(f))
		}
		return nil, fmt.Errorf("lock directory %s: %w", dir, err)
	}
	// What is written is for people; the lock itself is the flock.
	host, _ := os.Hostname()
	line := fmt.Sprintf("%s, pid %d on %s, since %s\n", strings.ReplaceAll(purpose, "\n", " "), os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAt(f, line)); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock directory %s: %w", dir, err)
	}
	return &Lock{f}, nil
}

func writeAt(f *os.File, line string) error {
	_, err := f.WriteAt([]byte(line), 0)
	return err
}

// holder reads who wrote the lock file, in at most 300 bytes.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 300))
	if line, _, _ := strings.Cut(string(b), "\n"); err == nil && line != "" {
		return line
	}
	return "another process that has not written its name"
}

// Unlock gives the directory free. It is called once.
func (l *Lock) Unlock() error {
	// Empty the file first, so that nobody reads a holder who is gone.
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
