//go:build !unix

package bench

import "time"

// ProcessCPU returns 0: this system tells it in another way.
func ProcessCPU() time.Duration { return 0 }
