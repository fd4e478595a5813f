//go:build !linux

package trial

import "syscall"

// attributes: only Linux tells a process that the one that started it is gone.
func attributes() *syscall.SysProcAttr { return nil }
