package rules

import "strconv"

// protocol is the highest protocol that this program knows. It is text and a variable
// for one reason: a test builds a program of the next protocol with
// -ldflags "-X mulian/rules.protocol=2". Nothing else sets it.
//
//	1  the rules from the genesis on
var protocol = "1"

// known is protocol as a number.
var known = func() uint32 {
	n, err := strconv.ParseUint(protocol, 10, 32)
	if err != nil || n == 0 {
		panic("rules: built with the protocol " + protocol)
	}
	return uint32(n)
}()

// Protocol returns the highest protocol that this program knows. It follows every
// chain whose protocol in force ([governance.Protocol]) is not higher: the rules of each
// block are those of the protocol in force for it, whatever the program knows besides.
func Protocol() uint32 { return known }
