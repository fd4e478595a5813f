package act

import (
	"errors"

	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/internal/fault"
)

// HashBytes is the length of every hash in a message: SM3 and SHA-256 have the same.
const HashBytes = 32

// In gives a refusal the rule and the element (from 0) that it does not have yet.
func In(rule string, i int, err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	g := *f
	if g.Rule == "" {
		g.Rule = rule
	}
	if g.Item == 0 {
		g.Item = int32(i) + 1
	}
	return &g
}

// First returns the first error of a list of checks that were all made.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Count refuses a list of a message that is empty or over its bound.
func Count(rule string, n, limit int) error {
	switch {
	case n == 0:
		return Refuse(fault.Empty, rule, "the list is empty")
	case n > limit:
		return Refuse(fault.TooLong, rule, "%d elements, at most %d in one message", n, limit)
	}
	return nil
}

// AtMost refuses a list within an element that is over its bound.
func AtMost(rule, field string, n, limit int) error {
	if n > limit {
		return Refuse(fault.TooLong, rule, "%s: %d, at most %d", field, n, limit)
	}
	return nil
}

// Listed refuses a number that its list does not have. 0 stands for "not stated".
func Listed(rule, field string, v protoreflect.Enum) error {
	if v.Descriptor().Values().ByNumber(v.Number()) == nil {
		return Refuse(fault.OutOfRange, rule, "%s: %d is not in its list", field, v.Number())
	}
	return nil
}

// Hash refuses bytes that are not a hash; none at all may be allowed.
func Hash(rule, field string, b []byte, needed bool) error {
	switch {
	case len(b) == 0 && needed:
		return Refuse(fault.Missing, rule, "%s is missing", field)
	case len(b) != 0 && len(b) != HashBytes:
		return Refuse(fault.Malformed, rule, "%s: %d bytes, a hash has %d", field, len(b), HashBytes)
	}
	return nil
}
