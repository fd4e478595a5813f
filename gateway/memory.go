package gateway

import (
	"os"
	"runtime/debug"
)

const (
	// heapGrowth is by how many hundredths the heap may grow between two collections. A
	// gateway's heap is some 20 MB: at Go's 100 a tenth of a busy one's processor time
	// went into collecting it (docs/performance.md).
	heapGrowth = 400
	// memoryBound is from where on it is collected more often: a gateway has at most
	// 256 MiB, of which the program itself takes some.
	memoryBound = 128 << 20
)

// TuneMemory lets a process that is a gateway, and nothing else, use the memory that it
// may have. Who set GOGC or GOMEMLIMIT has decided otherwise.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryBound)
	}
}
