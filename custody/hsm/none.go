//go:build !cgo

package hsm

import (
	"crypto/ecdh"

	"mulian/internal/sm"
)

// Device is a token that is open. Without cgo there is none.
type Device struct{}

// Open returns [ErrNoModule].
func Open(Config) (*Device, error) { return nil, ErrNoModule }

// Generate returns [ErrNoModule].
func (*Device) Generate(string) (sm.PublicKey, error) { return sm.PublicKey{}, ErrNoModule }

// GenerateOpening returns [ErrNoModule].
func (*Device) GenerateOpening(string) (sm.PublicKey, error) { return sm.PublicKey{}, ErrNoModule }

// Labelled returns [ErrNoModule].
func (*Device) Labelled(string) (sm.PublicKey, error) { return sm.PublicKey{}, ErrNoModule }

// Opening returns [ErrNoModule].
func (*Device) Opening(string) (ecdh.KeyExchanger, error) { return nil, ErrNoModule }

// Sign returns [ErrNoModule].
func (*Device) Sign(string, []byte) ([]byte, error) { return nil, ErrNoModule }

// Close does nothing.
func (*Device) Close() error { return nil }
