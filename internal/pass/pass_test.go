package pass_test

import (
	"testing"
	"time"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/pass"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/signer"
	"mulian/internal/sm"
)

const (
	host = "box.example.cn"
	page = "https://box.example.cn"
)

// TestRoundTrip: what New makes is read as it was made, and holds for its key alone, with each
// algorithm.
func TestRoundTrip(t *testing.T) {
	now := time.UnixMilli(1_770_000_000_000)
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256, sm.Ed25519} {
		key, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := pass.New("chain", "p-1", key, now)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pass.Read(text)
		if err != nil || p.Account != "p-1" || p.ChainId != "chain" {
			t.Fatalf("%s: %v, %v", alg, p, err)
		}
		if err := pass.InTime(p, "chain", now.Add(pass.Life-time.Millisecond)); err != nil {
			t.Error(err)
		}
		if err := pass.InTime(p, "chain", now.Add(pass.Life)); !fault.Is(err, fault.Expired) {
			t.Error(err)
		}
		acc := &identityv1.Account{Id: "p-1", State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Keys: []*identityv1.Key{{
			Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm(alg), PublicKey: key.Public().Bytes(), State: identityv1.KeyState_KEY_STATE_ACTIVE,
		}}}
		k, err := signer.Key(acc, p.Key, now.UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		if err := pass.Verify(p, k, nil); err != nil {
			t.Error(err)
		}
		p.Account = "p-2"
		if err := pass.Verify(p, k, nil); !fault.Is(err, fault.BadAuthorisation) {
			t.Errorf("%s, another account: %v", alg, err)
		}
	}
}

// TestPasskeys: a person whose only key is in a browser signs a pass with it, on the pages
// that the consortium names.
func TestPasskeys(t *testing.T) {
	par := &governancev1.Parameters{PasskeyRpIds: []string{host}, PasskeyOrigins: []string{page}}
	for name, x := range map[string]struct {
		par  *governancev1.Parameters
		page string
		edit func(*identityv1.ReadPass)
		want fault.Code
	}{
		"good":         {par, page, nil, fault.OK},
		"changed":      {par, page, func(p *identityv1.ReadPass) { p.ExpiresMs++ }, fault.BadAuthorisation},
		"no assertion": {par, page, func(p *identityv1.ReadPass) { p.Signature = []byte{1} }, fault.Malformed},
		"another page": {par, "https://evil.example.cn", nil, fault.OriginUnknown},
	} {
		phone := passkeytest.New(host, x.page, "reads")
		k := phone.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT)
		p, m, err := pass.Draft("chain", "p-1", k.Id, time.UnixMilli(5000))
		if err != nil {
			t.Fatal(err)
		}
		p.Signature = phone.SignTx(pass.PasskeyID(m))
		if x.edit != nil {
			x.edit(p)
		}
		if err := pass.Verify(p, k, x.par); fault.CodeOf(err) != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
}

// FuzzRead: no header text ends the server, and what is read is written the same again.
func FuzzRead(f *testing.F) {
	key, err := sm.Generate(sm.P256)
	if err != nil {
		f.Fatal(err)
	}
	text, err := pass.New("chain", "p-1", key, time.UnixMilli(1000))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{text, "", "!!", text[:len(text)/2], "CgVjaGFpbg"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := pass.Read(s)
		if err != nil {
			return
		}
		if again, err := pass.Text(p); err != nil || again != s {
			t.Errorf("%q is written as %q, %v", s, again, err)
		}
		_ = pass.Verify(p, &identityv1.Key{Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN}, nil)
	})
}
