package seal_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"testing"

	"mulian/internal/canon"
	"mulian/internal/judgetest"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// TestJudgesOpenOurSeals: @hpke/core opens what Seal closed to a P-256 key, with the
// documented header, info and nonce, and not under another info.
func TestJudgesOpenOurSeals(t *testing.T) {
	secret, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := sm.ParsePublic(sm.P256, secret.PublicKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	content, aad := []byte("缴存证明：1234500 分"), []byte("grant g-1, till 7")
	sealed, err := seal.Seal(pub, aad, content)
	if err != nil {
		t.Fatal(err)
	}
	const head = 6 // "MS", version, suite, length
	enc := sealed[head : head+65]
	header, box := sealed[:head+65], sealed[head+65:]
	info := canon.Digest("mulian/seal/v1", []byte{2}, aad)
	binding := canon.Digest("mulian/seal/v1", header, aad)
	var got struct {
		Opened  struct{ OK []byte }
		Changed struct{ Error string }
	}
	judgetest.Ask(t, "seal", map[string]any{"secret": secret.Bytes(), "enc": enc, "info": info[:], "binding": binding[:], "box": box}, &got)
	if !bytes.Equal(got.Opened.OK, content) {
		t.Errorf("the judge opens %q", got.Opened.OK)
	}
	if got.Changed.Error == "" {
		t.Error("another info opens it, too")
	}
}
