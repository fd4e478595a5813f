package passkey_test

import (
	"testing"

	"mulian/internal/judgetest"
	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
)

// TestJudgesTakeOurAuthenticator: @simplewebauthn/server registers the passkeys of the
// software authenticator and takes its assertions over a transaction's challenge, so that
// what our checks are tested with is what the world calls a passkey; and it refuses what we
// refuse.
func TestJudgesTakeOurAuthenticator(t *testing.T) {
	const rp, origin = "box.example", "https://box.example"
	for name, a := range map[string]*passkeytest.Authenticator{"device": passkeytest.New(rp, origin, "judge"), "synced": passkeytest.Synced(rp, origin, "judge")} {
		challenge := passkey.Challenge([32]byte{1})
		attestation, client := a.Create(challenge[:])
		type assertion struct {
			Challenge []byte `json:"challenge"`
			Client    []byte `json:"client"`
			Data      []byte `json:"data"`
			Signature []byte `json:"signature"`
		}
		ask := func(change func()) assertion {
			was := *a
			change()
			s := a.Sign(challenge)
			count := a.Counter
			*a = was
			a.Counter = count
			return assertion{challenge[:], s.ClientDataJSON, s.AuthenticatorData, s.Signature}
		}
		cases := []struct {
			name string
			ask  assertion
			ok   bool
		}{
			{"good", ask(func() {}), true},
			{"again", ask(func() {}), true},
			{"without verification", ask(func() { a.Unverified = true }), false},
			{"another origin", ask(func() { a.Origin = "https://box.example.evil" }), false},
			{"another site", ask(func() { a.RPID = "evil" }), false},
			{"absent", ask(func() { a.Absent = true }), false},
		}
		other := cases[0].ask
		other.Challenge = make([]byte, 32)
		cases = append(cases, struct {
			name string
			ask  assertion
			ok   bool
		}{"another transaction", other, false})
		question := map[string]any{"rp": rp, "origin": origin, "id": a.CredentialID(), "attestation": attestation, "client": client, "challenge": challenge[:]}
		var asks []assertion
		for _, c := range cases {
			asks = append(asks, c.ask)
		}
		question["assertions"] = asks
		var got struct {
			Registered, Synced, BackedUp bool
			Assertions                   []struct{ Error string }
		}
		judgetest.Ask(t, "passkey", question, &got)
		if !got.Registered || got.Synced != a.BackupEligible || got.BackedUp != a.BackedUp {
			t.Errorf("%s: %+v", name, got)
		}
		for i, c := range cases {
			if (got.Assertions[i].Error == "") != c.ok {
				t.Errorf("%s, %s: %q", name, c.name, got.Assertions[i].Error)
			}
		}
	}
}
