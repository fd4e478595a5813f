package rowkey_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
)

func where(pairs ...string) (out []*gatewayv1.KeyValue) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, &gatewayv1.KeyValue{Item: pairs[i], Value: pairs[i+1]})
	}
	return out
}

var context = rowkey.Context{Grant: "0123456789abcdef", Provider: "A/g/main", Subject: "p-1"}

// TestSealed: the gateway opens what the owner sealed, and nothing that is for another
// grant, gateway or owner, was changed, or is another key than the ledger's.
func TestSealed(t *testing.T) {
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256} {
		key, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		other, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		k, err := rowkey.New(where("case", "不动产〔2026〕7 号", "holder", "11010519491231002X"), "11010519491231002X", bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := rowkey.Seal(key.Public(), context, k)
		if err != nil {
			t.Fatal(err)
		}
		commitment := rowkey.Commitment(k)
		got, err := rowkey.Open([]sm.PrivateKey{other, key}, context, commitment, sealed)
		if err != nil || rowkey.Text(got) != rowkey.Text(k) || got.Owner != k.Owner {
			t.Fatalf("%v, %v", got, err)
		}
		if bytes.Contains(sealed, []byte("11010519491231002X")) {
			t.Error("the number can be read in what is sealed")
		}
		if _, err = rowkey.Open([]sm.PrivateKey{other}, context, commitment, sealed); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("another gateway: %v", err)
		}
		for name, c := range map[string]rowkey.Context{
			"grant":    {Grant: "0123456789abcdee", Provider: context.Provider, Subject: context.Subject},
			"provider": {Grant: context.Grant, Provider: "B/g/main", Subject: context.Subject},
			"subject":  {Grant: context.Grant, Provider: context.Provider, Subject: "p-2"},
		} {
			if _, err := rowkey.Open([]sm.PrivateKey{key}, c, commitment, sealed); !fault.Is(err, fault.VerificationFailed) {
				t.Errorf("for another %s: %v", name, err)
			}
		}
		again, err := rowkey.New(k.Where, k.Owner, k.OwnerSalt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rowkey.Open([]sm.PrivateKey{key}, context, rowkey.Commitment(again), sealed); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("another commitment of the same row: %v", err)
		}
		sealed[len(sealed)-1] ^= 1
		if _, err := rowkey.Open([]sm.PrivateKey{key}, context, commitment, sealed); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("changed on the way: %v", err)
		}
	}
}

// TestCheck: one row has one text, and nothing can be written so that it reads as
// something else.
func TestCheck(t *testing.T) {
	salt := bytes.Repeat([]byte{1}, rowkey.SaltBytes)
	for name, c := range map[string]struct {
		key  *gatewayv1.RowKey
		want fault.Code
	}{
		"as it should be":  {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1", "b", "")}, fault.OK},
		"no salt":          {&gatewayv1.RowKey{Where: where("a", "1")}, fault.Malformed},
		"no condition":     {&gatewayv1.RowKey{Salt: salt}, fault.Malformed},
		"too many":         {&gatewayv1.RowKey{Salt: salt, Where: where("a", "", "b", "", "c", "", "d", "", "e", "", "f", "", "g", "", "h", "", "i", "")}, fault.Malformed},
		"twice":            {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1", "a", "2")}, fault.Malformed},
		"not ascending":    {&gatewayv1.RowKey{Salt: salt, Where: where("b", "1", "a", "2")}, fault.Malformed},
		"no item":          {&gatewayv1.RowKey{Salt: salt, Where: where("", "1")}, fault.Malformed},
		"line in a value":  {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1\nb=2")}, fault.Malformed},
		"sign in an item":  {&gatewayv1.RowKey{Salt: salt, Where: where("a=b", "1")}, fault.Malformed},
		"long value":       {&gatewayv1.RowKey{Salt: salt, Where: where("a", strings.Repeat("x", 513))}, fault.TooLong},
		"long owner":       {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1"), Owner: strings.Repeat("1", 65)}, fault.Malformed},
		"long owner salt":  {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1"), OwnerSalt: make([]byte, 33)}, fault.Malformed},
		"line in an owner": {&gatewayv1.RowKey{Salt: salt, Where: where("a", "1"), Owner: "1\n"}, fault.Malformed},
	} {
		if got := fault.CodeOf(rowkey.Check(c.key)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestGoldenCommitment: SHA-256("mulian-rowkey-v1" 00 || 16 bytes 01 || "a=1\nb=2"), as
// printf and sha256sum compute it.
func TestGoldenCommitment(t *testing.T) {
	k := &gatewayv1.RowKey{Salt: bytes.Repeat([]byte{1}, rowkey.SaltBytes), Where: where("a", "1", "b", "2")}
	const want = "8213c4e4da8513e091e676bc32d490e8da14770e5b302a1421be67fde1bc48d4"
	if got := hex.EncodeToString(rowkey.Commitment(k)); got != want {
		t.Errorf("got %s", got)
	}
}

// FuzzOpen: whatever comes in place of a sealed key is refused, and nothing breaks.
func FuzzOpen(f *testing.F) {
	key, err := sm.Generate(sm.P256)
	if err != nil {
		f.Fatal(err)
	}
	k, err := rowkey.New(where("a", "1"), "", nil)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := rowkey.Seal(key.Public(), context, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed[:20])
	f.Add([]byte("MS\x01\x02\x00\x41"))
	f.Add(append([]byte{}, make([]byte, 200)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := rowkey.Open([]sm.PrivateKey{key}, context, rowkey.Commitment(k), raw); err == nil && rowkey.Text(got) != "a=1" {
			t.Errorf("opened as %q", rowkey.Text(got))
		}
	})
}

// TestCommitmentIsOne: what the owner's program signs, and what the gateway opens, is the
// commitment that the rules name.
func TestCommitmentIsOne(t *testing.T) {
	k, err := rowkey.New(where("case", "不动产〔2026〕7 号", "holder", "11010519491231002X"), "11010519491231002X", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := consent.RowKey(k.Salt, rowkey.Text(k))
	if err != nil || !bytes.Equal(sum, rowkey.Commitment(k)) || rowkey.SaltBytes != consent.SaltBytes {
		t.Errorf("%x and %x, %v", sum, rowkey.Commitment(k), err)
	}
}

// TestProofing: the commitment is that of the specification (proto identity.v1
// RecordProofing), and hangs on salt and number.
func TestProofing(t *testing.T) {
	salt := bytes.Repeat([]byte{7}, 32)
	if got, want := rowkey.Proofing(salt, "11010519491231002X"), sha256.Sum256([]byte("mulian-proofing-v1\x00"+string(salt)+"11010519491231002X")); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
	if rowkey.Proofing(salt, "11010519491231002X") == rowkey.Proofing(salt[1:], "11010519491231002X") {
		t.Error("another salt gives the same")
	}
}
