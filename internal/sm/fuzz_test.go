package sm

import (
	"bytes"
	"testing"
)

// FuzzVerify: no bytes make Verify panic, and whatever it accepts has one form: a
// second signature of the same (r, s) or its twin cannot be made from it.
func FuzzVerify(f *testing.F) {
	keys := map[byte]PublicKey{}
	for _, alg := range algorithms {
		k := fixed(f, alg)
		keys[byte(alg)] = k.Public()
		sig, err := k.Sign([]byte("m"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(alg), []byte("m"), sig)
		f.Add(byte(alg), []byte("m"), append([]byte{0x30, 0x81}, sig...))
	}
	f.Fuzz(func(t *testing.T, alg byte, msg, sig []byte) {
		p := keys[alg%4]
		ok := p.Verify(msg, sig)
		if ok != p.Verify(bytes.Clone(msg), bytes.Clone(sig)) {
			t.Error("two answers to one question")
		}
		if low, err := LowS(sig); err == nil && p.Algorithm() == P256 && ok && !bytes.Equal(low, sig) {
			t.Error("an accepted signature has a twin that LowS prefers")
		}
	})
}

// FuzzParsePublic: whatever is accepted comes back byte for byte.
func FuzzParsePublic(f *testing.F) {
	for _, alg := range algorithms {
		f.Add(byte(alg), fixed(f, alg).Public().Bytes())
	}
	f.Fuzz(func(t *testing.T, alg byte, raw []byte) {
		p, err := ParsePublic(Algorithm(alg), raw)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), raw) || p.Algorithm() != Algorithm(alg) {
			t.Errorf("parsed %x as %s", raw, p)
		}
		p.Verify([]byte("m"), make([]byte, 64)) // must not panic
		if q, err := ParseText(p.String()); err != nil || !q.Equal(p) {
			t.Errorf("text form %s: %v", p, err)
		}
	})
}

// FuzzParsePrivate: whatever is accepted signs, and comes back from its file form.
func FuzzParsePrivate(f *testing.F) {
	for _, alg := range algorithms {
		text, err := fixed(f, alg).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePrivate(text)
		if err != nil {
			return
		}
		sig, err := k.Sign([]byte("m"))
		if err != nil || !k.Public().Verify([]byte("m"), sig) {
			t.Errorf("a key that was read signs wrongly: %v", err)
		}
		again, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParsePrivate(again); err != nil || !back.Public().Equal(k.Public()) {
			t.Errorf("does not come back: %v", err)
		}
	})
}
