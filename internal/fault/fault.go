// Package fault is the one error type that crosses a border of the system: the
// state machine's result code, the API's error, the CLI's exit status and the
// console's message are all made from a [Code].
//
// Inside one package plain errors with %w are enough. Make a Fault only where a
// caller on the other side of a border must tell one cause from another.
//
// The code is agreed by consensus; the text is not. A code is never renumbered
// and never reused: add at the end of its class, retire in place. The classes
// 11xxx (what was sent), 12xxx (who sent it, and how much) and 13xxx (what the
// rules of sharing say) are those of NDI-TR-2025-06, annex D, extended by the
// states and items that the draft does not know; 14xxx (the owner, his box, his credentials) and 19xxx are ours.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Fault is an error with a code. Only Code, Rule and Item are part of the
// chain's agreed result; Text is for people and may differ between versions.
type Fault struct {
	Code Code
	Rule string // the rule that refused, "share/answer"; empty outside the rules
	Item int32  // which element of a message's list, from 1; 0 when it has none
	Text string
	Err  error // cause inside this process; logged, never sent
}

// Error returns the text and, where there is one, the cause. It does not repeat
// the code: whoever prints a fault prints the code beside it.
func (f *Fault) Error() string {
	if f.Err != nil {
		return f.Text + ": " + f.Err.Error()
	}
	return f.Text
}

// Unwrap returns the cause inside this process.
func (f *Fault) Unwrap() error { return f.Err }

// Newf returns a Fault with the given code and text.
func Newf(c Code, format string, args ...any) *Fault {
	return &Fault{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Wrap returns a Fault that keeps err as its cause. It returns nil if err is nil,
// and err itself if err already is a Fault.
func Wrap(c Code, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Fault](err); ok {
		return err
	}
	return &Fault{Code: c, Text: fmt.Sprintf(format, args...), Err: err}
}

// CodeOf returns the code of the outermost Fault in err's chain, OK if err is
// nil, Cancelled or Timeout for the context's errors, DiskFull where the system
// found no room (also for a quota), Inaccessible where it forbids or has no such path,
// and Internal otherwise.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.Code
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return DiskFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.EROFS):
		return Inaccessible
	}
	return Internal
}

// Is reports whether err carries the code c.
func Is(err error, c Code) bool { return err != nil && CodeOf(err) == c }
