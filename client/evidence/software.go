package evidence

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// program is the running binary's hash, computed once.
var program struct {
	once sync.Once
	sum  Hex
	err  error
}

// ProgramHash returns the SHA-256 of the running program's file: what a court compares
// with the release. Empty if the file is gone or cannot be read: then it is not
// known, and not guessed.
func ProgramHash(ctx context.Context) (Hex, error) {
	program.once.Do(func() {
		path, err := os.Executable()
		if err != nil {
			program.err = fmt.Errorf("evidence: the program's file: %w", err)
			return
		}
		d, _, err := Look(context.WithoutCancel(ctx), path, nil)
		program.sum, program.err = d.SHA256, err
	})
	return program.sum, program.err
}
