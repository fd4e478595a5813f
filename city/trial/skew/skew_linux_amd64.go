package skew

// offset is added to the seconds of the wall clock; read by clock, in assembly.
var offset int64

// install puts clock where the runtime looks for the kernel's clock.
func install()

// set is not for more than one goroutine at once.
func set(seconds int64) bool {
	offset = seconds
	install()
	return offset == seconds
}
