// Package skew makes the wall clock of its own process wrong, for tests of what a
// consortium does with a member whose clock is.
//
// It is for test programs only: nothing of the product imports it, and a process that
// does not call [Set] has the right time. There is no other way that is true to life: a
// static Go program takes no preloaded library, time namespaces leave the wall clock
// alone, and a clock that the product would let tests set would have to be asked by the
// engine, too, which is not ours. So the clock is changed below all of them: Go's runtime
// asks the kernel for the time through one pointer, and Set lets it point to a function
// that asks the kernel and adds the offset. The monotonic clock, and with it every
// timeout, is right; that is how a wrong clock looks in life.
//
// It knows Go's runtime on Linux and amd64; its test fails when the runtime changes.
package skew

// Set shifts the wall clock of this process by so many seconds from the true one. It
// reports whether it could; it cannot but on Linux on amd64. Call it before other
// goroutines run.
func Set(seconds int64) bool { return set(seconds) }
