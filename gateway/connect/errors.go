package connect

import (
	"errors"
	"fmt"
	"syscall"
)

// What can go wrong, for errors.Is.
var (
	// ErrUnreachable: no answer from the database (refused, lost, shutting down, file gone).
	// It says nothing about what the database holds: it is never drift.
	ErrUnreachable = errors.New("database unreachable")
	// ErrDenied: the account lacks a right, or the password is wrong.
	ErrDenied = errors.New("database refused the account")
	// ErrNoTable: there is no such table or view, or it may not be read.
	ErrNoTable = errors.New("no such table")
	// ErrNoColumn: the table has no such column, or it may not be read.
	ErrNoColumn = errors.New("no such column")
	// ErrNoKey: the table has no key to go on after, or the key holds a NULL.
	ErrNoKey = errors.New("table has no key")
	// ErrInvalid: the Selection, Target or URL is out of its bounds.
	ErrInvalid = errors.New("not valid")
	// ErrTooLarge: the database holds more than limits.go allows.
	ErrTooLarge = errors.New("too large")
	// ErrTargetDiffers: the asker's table cannot take the delivery's columns.
	ErrTargetDiffers = errors.New("target table differs")
	// ErrDeliveryDiffers: the same delivery id was loaded before with other rows.
	ErrDeliveryDiffers = errors.New("delivery was loaded before with other rows")
	// ErrConflict: a row breaks a key or constraint of the asker's table.
	ErrConflict = errors.New("row breaks a constraint of the target")
	// ErrChanged: a file or interface changed while it was read. What was read of it is no
	// state of the table: begin again.
	ErrChanged = errors.New("changed while it was read")
	// ErrFull: the database has no room. It is also the system's ENOSPC.
	ErrFull = fmt.Errorf("database has no room: %w", syscall.ENOSPC)
)

// A ValueError says which value cannot be carried, without the value.
type ValueError struct {
	Table  TableName
	Column string
	Row    int64 // counted from 1 within the scan, query, page or load; 0 if not known
	Reason string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("table %s, column %q, row %d: %s", e.Table, e.Column, e.Row, e.Reason)
}
