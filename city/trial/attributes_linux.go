package trial

import "syscall"

// attributes let the kernel end a member when the one that started it is gone.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
