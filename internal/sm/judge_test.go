package sm_test

import (
	"bytes"
	"testing"

	"mulian/internal/judgetest"
	"mulian/internal/sm"
)

// TestJudgesAgreeOnSM: sm-crypto-v2 has the same SM3, takes our SM2 signatures and not
// changed ones, opens our SM4-GCM, and we take its own.
func TestJudgesAgreeOnSM(t *testing.T) {
	key, err := sm.FromSeed(sm.SM2, [32]byte{31: 5})
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("授权：仅一次，仅此一笔")
	sig, err := key.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	secret, nonce, aad := bytes.Repeat([]byte{7}, sm.SM4KeySize), bytes.Repeat([]byte{9}, 12), []byte("grant g-1")
	box, err := sm.NewSM4GCM(secret)
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal(nil, nonce, msg, aad)
	type signed struct {
		Message   []byte `json:"message"`
		Signature []byte `json:"signature"`
	}
	changed := append([]byte(nil), msg...)
	changed[0] ^= 1
	pub := key.Public()
	var got struct {
		SM3               []byte
		Verified          []bool
		Public, Signature []byte
		Opened, Sealed    struct {
			OK    []byte
			Error string
		}
	}
	judgetest.Ask(t, "sm", map[string]any{
		"message": msg, "public": pub.Bytes(), "signatures": []signed{{msg, sig}, {changed, sig}}, "key": secret, "nonce": nonce, "aad": aad, "sealed": sealed,
	}, &got)
	if sum := sm.SM3(msg); !bytes.Equal(got.SM3, sum[:]) {
		t.Errorf("SM3 %x", got.SM3)
	}
	if len(got.Verified) != 2 || !got.Verified[0] || got.Verified[1] {
		t.Errorf("our signatures: %v", got.Verified)
	}
	theirs, err := sm.ParsePublic(sm.SM2, got.Public)
	if err != nil || !theirs.Verify(msg, got.Signature) || theirs.Verify(changed, got.Signature) {
		t.Errorf("their signature: %v", err)
	}
	if !bytes.Equal(got.Opened.OK, msg) {
		t.Errorf("our SM4-GCM: %q %s", got.Opened.OK, got.Opened.Error)
	}
	if !bytes.Equal(got.Sealed.OK, sealed) {
		t.Errorf("their SM4-GCM: %x %s, ours %x", got.Sealed.OK, got.Sealed.Error, sealed)
	}
}
