package ledger

import (
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// yielding is a disk on which the store's background work steps aside. A flush or a
// compaction computes for hundreds of milliseconds, and Go lets a goroutine run for
// 10 ms before another one's turn: on two processors each of the ten steps of a block
// that is being made waited for that (a block of 40 transactions took 100 ms instead
// of 6, for as long as a compaction ran). They write their tables in pieces of about
// 5 KB; here they let everybody else go first at each piece.
type yielding struct{ vfs.FS }

// Create makes the file; one of a table steps aside at each write.
func (y yielding) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := y.FS.Create(name, category)
	if err == nil && strings.HasSuffix(name, ".sst") {
		f = yieldingFile{f}
	}
	return f, err
}

// Unwrap returns the disk below.
func (y yielding) Unwrap() vfs.FS { return y.FS }

type yieldingFile struct{ vfs.File }

func (f yieldingFile) Write(b []byte) (int, error) {
	runtime.Gosched()
	return f.File.Write(b)
}
