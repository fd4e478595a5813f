package rowkey_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"mulian/internal/consent"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
)

// TestBrowserSealed: what the box's page seals (console/src/box/rowkey.ts; its own test has
// written the file) opens here with both kinds of a gateway's key, and for nothing else.
func TestBrowserSealed(t *testing.T) {
	raw, err := os.ReadFile("testdata/browser.json")
	if err != nil {
		t.Fatal(err)
	}
	type sealedTo struct {
		Algorithm    sm.Algorithm
		Seed, Public string
		Sealed       []string
	}
	var g struct {
		Request, Subject, Provider, Grant, Salt, Owner, OwnerSalt, Commitment string

		Where     map[string]string
		SM2, P256 sealedTo
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if got := consent.GrantID(g.Request, g.Subject); got != g.Grant {
		t.Errorf("the grant is %s, the page says %s", got, g.Grant)
	}
	at := rowkey.Context{Grant: g.Grant, Provider: g.Provider, Subject: g.Subject}
	for _, to := range []sealedTo{g.SM2, g.P256} {
		key, err := sm.FromSeed(to.Algorithm, [32]byte(unhex(to.Seed)))
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(key.Public().Bytes()) != to.Public || len(to.Sealed) == 0 {
			t.Fatalf("kind %d: %d sealed to %s", to.Algorithm, len(to.Sealed), to.Public)
		}
		for i, s := range to.Sealed {
			k, err := rowkey.Open([]sm.PrivateKey{key}, at, unhex(g.Commitment), unhex(s))
			if err != nil {
				t.Fatalf("kind %d, %d: %v", to.Algorithm, i, err)
			}
			if k.GetOwner() != g.Owner || !bytes.Equal(k.GetOwnerSalt(), unhex(g.OwnerSalt)) || !bytes.Equal(k.GetSalt(), unhex(g.Salt)) || len(k.GetWhere()) != len(g.Where) {
				t.Fatalf("kind %d, %d: %v", to.Algorithm, i, k)
			}
			for _, w := range k.GetWhere() {
				if g.Where[w.GetItem()] != w.GetValue() {
					t.Errorf("kind %d, %d: %s is %s", to.Algorithm, i, w.GetItem(), w.GetValue())
				}
			}
			elsewhere := at
			elsewhere.Subject = "p-2"
			if _, err := rowkey.Open([]sm.PrivateKey{key}, elsewhere, unhex(g.Commitment), unhex(s)); err == nil {
				t.Fatalf("kind %d, %d opens for another owner, too", to.Algorithm, i)
			}
		}
	}
}
