//go:build !linux

package evidence

// kernelClock is not known where there is no adjtimex(2).
func kernelClock() Clock { return Clock{Source: UnknownClock} }
