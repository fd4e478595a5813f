//go:build linux || darwin

package durable

import "syscall"

// Free returns how many bytes this process may still write on the disk of a path; false
// where that is not known.
func Free(path string) (uint64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
