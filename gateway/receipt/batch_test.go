package receipt

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

func seeded(t *testing.T, alg sm.Algorithm) sm.PrivateKey {
	t.Helper()
	key, err := sm.FromSeed(alg, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestBatchOfAnySize: each record of a batch has a signature that holds for it, for no
// other record, under no other key, and with no byte changed.
func TestBatchOfAnySize(t *testing.T) {
	t.Parallel()
	key, other := seeded(t, sm.SM2), seeded(t, sm.P256)
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 64, 65, MaxBatch} {
		records := make([][]byte, n)
		for i := range records {
			records[i] = fmt.Appendf(nil, "record %d of %d", i, n)
		}
		sigs, err := SignBatch(key, records...)
		if err != nil {
			t.Fatal(err)
		}
		var v Verifier
		for i, sig := range sigs {
			if err := Verify(key.Public(), records[i], sig); err != nil {
				t.Fatalf("record %d of %d: %v", i, n, err)
			}
			if err := v.Verify(key.Public(), records[i], sig); err != nil {
				t.Fatalf("record %d of %d, remembered: %v", i, n, err)
			}
			if len(sig) > MaxSignature {
				t.Fatalf("record %d of %d has a signature of %d bytes", i, n, len(sig))
			}
			wrong := []struct {
				what   string
				pub    sm.PublicKey
				record []byte
				sig    []byte
			}{
				{"another key", other.Public(), records[i], sig},
				{"another record", key.Public(), []byte("another"), sig},
				{"cut", key.Public(), records[i], sig[:len(sig)-1]},
				{"longer", key.Public(), records[i], append(bytes.Clone(sig), 0)},
			}
			if n > 1 {
				wrong = append(wrong, struct {
					what   string
					pub    sm.PublicKey
					record []byte
					sig    []byte
				}{"its neighbour's", key.Public(), records[i], sigs[(i+1)%n]})
			}
			for _, w := range wrong {
				if !fault.Is(Verify(w.pub, w.record, w.sig), fault.VerificationFailed) || !fault.Is(v.Verify(w.pub, w.record, w.sig), fault.VerificationFailed) {
					t.Fatalf("record %d of %d: holds with %s", i, n, w.what)
				}
			}
		}
		if n > 1 && n < 10 {
			for at := range sigs[0] {
				bent := bytes.Clone(sigs[0])
				bent[at] ^= 1
				if Verify(key.Public(), records[0], bent) == nil {
					t.Fatalf("batch of %d: holds with byte %d changed", n, at)
				}
			}
		}
	}
}

// TestBatchBounds: what is no batch is refused before anything is computed.
func TestBatchBounds(t *testing.T) {
	t.Parallel()
	key := seeded(t, sm.Ed25519)
	if _, err := SignBatch(key); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("of none: %v", err)
	}
	if _, err := SignBatch(key, make([][]byte, MaxBatch+1)...); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("of too many: %v", err)
	}
	for _, head := range [][8]byte{{}, {0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 2, 0, 0, 0, 2}, {0, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 0, 0, 255, 255, 255, 255}} {
		sig := append(append([]byte(batchMagic), head[:]...), make([]byte, 200)...)
		if _, _, err := Unbatch([]byte("r"), sig); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("head %x: %v", head, err)
		}
	}
}

// TestSignerServesAll: whoever asks gets a signature of his own record.
func TestSignerServesAll(t *testing.T) {
	t.Parallel()
	key := seeded(t, sm.SM2)
	s := NewSigner(key)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			record := fmt.Appendf(nil, "record %d", i)
			sig, err := s.Sign(record)
			if err != nil || Verify(key.Public(), record, sig) != nil {
				t.Errorf("record %d: %v", i, err)
			}
		})
	}
	all.Wait()
}
