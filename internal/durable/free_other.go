//go:build !linux && !darwin

package durable

// Free is not known here.
func Free(string) (uint64, bool) { return 0, false }
