package index

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"mulian/internal/fault"
)

// unwritten gives an error of the file its code: DiskFull if there is no room,
// Inaccessible if it cannot be written for another reason, which SQLite does not tell: a
// bound on the size of files, or a disk that fails. Any other error stays as it is.
func unwritten(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE:
		return &fault.Fault{Code: fault.DiskFull, Text: "the disk of the index is full", Err: err}
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE:
		return &fault.Fault{Code: fault.Inaccessible, Text: "the index cannot be written: a bound on the size of files, or the disk fails", Err: err}
	}
	return err
}
