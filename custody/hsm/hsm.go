package hsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"mulian/internal/fault"
)

// ErrNoModule is returned by Open in a program that was built without cgo: PKCS#11 modules are
// shared libraries in C.
var ErrNoModule = errors.New("this program was built without cgo and cannot load a PKCS#11 module: custody needs the build with CGO_ENABLED=1")

// ErrNoKey is returned for a key that the module does not have.
var ErrNoKey = errors.New("the module has no such key")

// ErrDevice is returned when the module did not do what it was asked for: a session that has
// ended, a token that was taken out. The next call logs in anew.
var ErrDevice = errors.New("the hardware failed")

// ErrManyKeys is returned for a label that several whole keys have.
var ErrManyKeys = errors.New("the module has several such keys")

// Config names a token.
type Config struct {
	Module  string // path of the PKCS#11 library, "/usr/lib/softhsm/libsofthsm2.so"
	Token   string // label of the token
	PINFile string // file with the user's PIN, readable by its owner alone
}

const maxPIN = 256 // bytes; our own choice, above what any module takes

// pin reads the PIN. Neither it nor the file's content is in an error.
func (c Config) pin() (string, error) {
	f, err := os.Open(c.PINFile)
	if err != nil {
		return "", fmt.Errorf("open the PIN's file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the PIN's file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", c.PINFile)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxPIN+1))
	text := strings.TrimRight(string(raw), "\r\n")
	if err != nil || text == "" || len(raw) > maxPIN {
		return "", fault.Newf(fault.Malformed, "%s has no PIN in it", c.PINFile)
	}
	return text, nil
}
