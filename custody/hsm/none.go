//go:build !cgo

package hsm

import "mulian/internal/sm"

// Device is a token that is open. Without cgo there is none.
type Device struct{}

// Open returns [ErrNoModule].
func Open(Config) (*Device, error) { return nil, ErrNoModule }

// Generate returns [ErrNoModule].
func (*Device) Generate(string) (sm.PublicKey, error) { return sm.PublicKey{}, ErrNoModule }

// Sign returns [ErrNoModule].
func (*Device) Sign(string, []byte) ([]byte, error) { return nil, ErrNoModule }

// Close does nothing.
func (*Device) Close() error { return nil }
