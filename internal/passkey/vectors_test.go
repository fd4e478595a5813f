package passkey

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// vectors reads the official ones: vector -> field -> bytes.
func vectors(t testing.TB) map[string]map[string][]byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/webauthn-l3.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string][]byte{}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "#" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		if out[f[0]] == nil {
			out[f[0]] = map[string][]byte{}
		}
		out[f[0]][f[1]] = b
	}
	return out
}

// official is what the vectors' relying party expects.
func official(challenge []byte, eligible bool) Expect {
	return Expect{
		Challenge: challenge, RPIDHash: RPIDHash("example.org"), BackupEligible: eligible,
		Origin: func(o string) bool { return o == "https://example.org" },
	}
}

// TestOfficialVectors: registrations and assertions of the standard's section 16. Where its
// authenticator did not verify the user, or the page was in a foreign frame, ours refuses, and
// the key and signature hold all the same.
func TestOfficialVectors(t *testing.T) {
	for name, want := range map[string]struct {
		reg, auth error
		eligible  bool
		id        int
		format    string
	}{
		"none-es256":                    {ErrUser, ErrUser, true, 32, "none"},
		"none-es256-crossOrigin":        {ErrClientData, ErrClientData, false, 32, "none"},
		"none-es256-long-credential-id": {ErrUser, nil, true, 1023, "none"},
		"packed-es256":                  {nil, nil, true, 32, "packed"},
		"packed-self-es256":             {nil, ErrUser, true, 32, "packed"},
	} {
		v, ok := vectors(t)[name]
		if !ok {
			t.Fatalf("there is no vector %s", name)
		}
		if _, err := official(v["reg.challenge"], want.eligible).ParseRegistration(v["reg.attestationObject"], v["reg.clientDataJSON"]); !errors.Is(err, want.reg) {
			t.Errorf("%s: registration: %v, want %v", name, err, want.reg)
		}
		format, data, err := attestationObject(v["reg.attestationObject"])
		if err != nil || format != want.format {
			t.Errorf("%s: attestation %q: %v", name, format, err)
			continue
		}
		r, err := attested(data)
		if err != nil || len(r.CredentialID) != want.id || r.RPIDHash != RPIDHash("example.org") {
			t.Errorf("%s: %+v, %v", name, r, err)
			continue
		}
		a := Assertion{v["auth.authenticatorData"], v["auth.clientDataJSON"], v["auth.signature"]}
		s, err := official(v["auth.challenge"], r.BackupEligible).Verify(r.Public, a)
		if !errors.Is(err, want.auth) || err == nil && s.Origin != "https://example.org" {
			t.Errorf("%s: %v, want %v", name, err, want.auth)
		}
		sig, err := oneForm(a.Signature)
		hash := sha256.Sum256(a.ClientDataJSON)
		if err != nil || !r.Public.Verify(append(a.AuthenticatorData, hash[:]...), sig) {
			t.Errorf("%s: the signature does not hold: %v", name, err)
		}
	}
}
