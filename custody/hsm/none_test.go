//go:build !cgo

package hsm_test

import (
	"errors"
	"testing"

	"mulian/custody/hsm"
)

// TestWithoutCgo: a program that cannot load modules says so, and which build can.
func TestWithoutCgo(t *testing.T) {
	if _, err := hsm.Open(hsm.Config{}); !errors.Is(err, hsm.ErrNoModule) {
		t.Fatalf("%v", err)
	}
}
