package safebox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

const account = "p-00000000000000000000000000000001"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vaultOf is what the ledger has of an open vault.
func vaultOf(t testing.TB, v *Vault) *safeboxv1.Vault {
	t.Helper()
	keys, err := v.PublicKeys()
	must(t, err)
	return &safeboxv1.Vault{Account: v.Account(), Keys: keys, KeyVersion: v.KeyVersion()}
}

// sealed makes an item of the content in the vault's box.
func sealed(t testing.TB, v *safeboxv1.Vault, suite safeboxv1.SealSuite, content []byte) (*safeboxv1.ItemHead, *safeboxv1.ItemCard, []byte) {
	t.Helper()
	sum := sha256.Sum256(content)
	card := &safeboxv1.ItemCard{Salt: NewSalt(), Schema: "estate-certificate/1", Title: "planted title", Bytes: uint64(len(content)), ContentSha256: sum[:]}
	_, id, err := Commitment(card)
	must(t, err)
	k, err := NewKey(suite)
	must(t, err)
	at := Place{Item: id, Version: 1, Account: v.Account}
	head, err := SealHead(k, at, card, v)
	must(t, err)
	var body bytes.Buffer
	must(t, SealBody(&body, k, at, card, bytes.NewReader(content)))
	if uint64(body.Len()) != head.BodyBytes {
		t.Fatalf("a body of %d bytes, the head says %d", body.Len(), head.BodyBytes)
	}
	return head, card, body.Bytes()
}

func read(v *Vault, head *safeboxv1.ItemHead, body []byte) ([]byte, error) {
	k, err := v.Unwrap(head)
	if err != nil {
		return nil, err
	}
	card, err := OpenCard(k, head)
	if err != nil {
		return nil, err
	}
	r, err := OpenBody(bytes.NewReader(body), k, PlaceOf(head), card)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestItemsComeBackInEverySuite(t *testing.T) {
	v := NewVault(account)
	for _, suite := range []safeboxv1.SealSuite{SM, P256, Hybrid} {
		for _, n := range []int{0, 1, ChunkBytes - 1, ChunkBytes, ChunkBytes + 1, 3 * ChunkBytes} {
			content := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
			head, _, body := sealed(t, vaultOf(t, v), suite, content)
			if bytes.Contains(body, []byte("0123456789abcdef")) || bytes.Contains(head.Card, []byte("planted")) {
				t.Fatal("content shows in what is stored")
			}
			raw, err := canon.Marshal(head)
			must(t, err)
			again, err := ParseHead(raw)
			must(t, err)
			got, err := read(v, again, body)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s, %d bytes: %d came back, %v", suite, n, len(got), err)
			}
		}
	}
}

// TestWrapSizes pins what the specification measured: 113 bytes for P-256, 1201 for the
// hybrid.
func TestWrapSizes(t *testing.T) {
	v := NewVault(account)
	for suite, want := range map[safeboxv1.SealSuite]int{P256: 113, Hybrid: 1201} {
		head, _, _ := sealed(t, vaultOf(t, v), suite, []byte("x"))
		if got := len(head.Wraps[0].Box); got != want {
			t.Errorf("%s: a wrap of %d bytes, want %d", suite, got, want)
		}
	}
}

// TestNothingMovesOrIsCut: a body does not open as another item, version, account, schema,
// with chunks exchanged, cut, or changed in any place that was tried.
func TestNothingMovesOrIsCut(t *testing.T) {
	v := NewVault(account)
	content := bytes.Repeat([]byte("0123456789abcdef"), 3*ChunkBytes/16)
	head, card, body := sealed(t, vaultOf(t, v), P256, content)
	k, err := v.Unwrap(head)
	must(t, err)
	box := ChunkBytes + Overhead
	exchanged := append(append(bytes.Clone(body[box:2*box]), body[:box]...), body[2*box:]...)
	flipped := bytes.Clone(body)
	flipped[box+5] ^= 1
	at := PlaceOf(head)
	other := func(f func(*Place)) Place { p := at; f(&p); return p }
	shorter := &safeboxv1.ItemCard{Salt: card.Salt, Schema: card.Schema, Bytes: card.Bytes - ChunkBytes, ContentSha256: card.ContentSha256}
	schema := &safeboxv1.ItemCard{Salt: card.Salt, Schema: "other/1", Bytes: card.Bytes, ContentSha256: card.ContentSha256}
	begins, differs := sha256.Sum256(content[:2*ChunkBytes]), sha256.Sum256([]byte("another content"))
	beginning := &safeboxv1.ItemCard{Salt: card.Salt, Schema: card.Schema, Bytes: 2 * ChunkBytes, ContentSha256: begins[:]}
	hash := &safeboxv1.ItemCard{Salt: card.Salt, Schema: card.Schema, Bytes: card.Bytes, ContentSha256: differs[:]}
	for name, c := range map[string]struct {
		at   Place
		card *safeboxv1.ItemCard
		body []byte
		want error
	}{
		"another item":    {other(func(p *Place) { p.Item = "x" }), card, body, ErrOpen},
		"another version": {other(func(p *Place) { p.Version++ }), card, body, ErrOpen},
		"another account": {other(func(p *Place) { p.Account = "p-2" }), card, body, ErrOpen},
		"another schema":  {at, schema, body, ErrOpen},
		"a shorter card":  {at, shorter, body, ErrOpen},
		"a beginning":     {at, beginning, body, ErrOpen}, // though its hash is right
		"another hash":    {at, hash, body, ErrOpen},
		"exchanged":       {at, card, exchanged, ErrOpen},
		"changed":         {at, card, flipped, ErrOpen},
		"cut":             {at, card, body[:2*box], io.ErrUnexpectedEOF},
		"empty":           {at, card, nil, io.ErrUnexpectedEOF},
	} {
		r, err := OpenBody(bytes.NewReader(c.body), k, c.at, c.card)
		must(t, err)
		if got, err := io.ReadAll(r); !errors.Is(err, c.want) || len(got) >= len(content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	swapped, err := SealHead(k, at, schema, vaultOf(t, v))
	must(t, err)
	if _, err := OpenCard(k, swapped); !errors.Is(err, ErrForm) {
		t.Errorf("another card under the item's id: %v", err)
	}
	head.Account = "p-2"
	if _, err := v.Unwrap(head); !errors.Is(err, ErrOpen) {
		t.Errorf("a wrap was opened in another box: %v", err)
	}
}

// TestGranteeWrapsAreBound: a wrap opens for its receiver, as that grant's and item's, and
// no other.
func TestGranteeWrapsAreBound(t *testing.T) {
	owner, grantee, other := NewVault(account), NewVault("p-2"), NewVault("p-3")
	for _, suite := range []safeboxv1.SealSuite{SM, P256, Hybrid} {
		head, _, _ := sealed(t, vaultOf(t, owner), suite, []byte("x"))
		k, err := owner.Unwrap(head)
		must(t, err)
		at := PlaceOf(head)
		w, err := WrapGrant(k, at, Grantee{"g1", "p-2", keyOf(vaultOf(t, grantee).Keys, suite)})
		must(t, err)
		got, err := grantee.UnwrapGrant(w, suite, at, "g1")
		if err != nil || !bytes.Equal(got.raw, k.raw) {
			t.Fatalf("%s: %v", suite, err)
		}
		moved := at
		moved.Version++
		_, grant := grantee.UnwrapGrant(w, suite, at, "g2")
		_, place := grantee.UnwrapGrant(w, suite, moved, "g1")
		_, person := other.UnwrapGrant(w, suite, at, "g1")
		w, err = WrapGrant(k, at, Grantee{"g1", "p-9", keyOf(vaultOf(t, grantee).Keys, suite)}) // his key, in another's name
		must(t, err)
		_, name := grantee.UnwrapGrant(w, suite, at, "g1")
		for name, err := range map[string]error{"grant": grant, "version": place, "person": person, "name": name} {
			if !errors.Is(err, ErrOpen) {
				t.Errorf("%s: it opens for another %s: %v", suite, name, err)
			}
		}
	}
}

// desk is a custodian with one key in memory; the real one is behind PKCS#11.
type desk struct{ secret []byte }

func (desk) Account() string { return "custodian" }
func (d desk) Wrap(_ context.Context, secret, bound []byte) ([]byte, error) {
	return closeWith(d.secret, "desk", bound, secret)
}

func (d desk) Unwrap(_ context.Context, box, bound []byte) ([]byte, error) {
	return openWith(d.secret, "desk", bound, box)
}

// unlockers returns one of each kind, and for each one that must not open.
func unlockers(t testing.TB) (right, wrong []Unlocker) {
	t.Helper()
	code, err := ByRecoveryCode(NewRecoveryCode())
	must(t, err)
	code2, err := ByRecoveryCode(NewRecoveryCode())
	must(t, err)
	s, err := NewSharing()
	must(t, err)
	s2, err := NewSharing()
	must(t, err)
	mixed, err := ByShares(s.Shares[0], s2.Shares[1])
	must(t, err)
	right = []Unlocker{ByPasskey([]byte("cred"), [32]byte{1}), code, s.Unlocker(), ByCustody(desk{random(32)}), passphraseUnlocker{"correct horse", 10}}
	wrong = []Unlocker{ByPasskey([]byte("cred"), [32]byte{2}), code2, mixed, ByCustody(desk{random(32)}), passphraseUnlocker{"wrong horse", 10}}
	return right, wrong
}

func TestEveryUnlockerOpensAndNoOther(t *testing.T) {
	v := NewVault(account)
	right, wrong := unlockers(t)
	for _, u := range right {
		must(t, v.Add(t.Context(), u, "x"))
	}
	raw, hash, err := v.File()
	must(t, err)
	if bytes.Contains(raw, v.seeds[0].seed[:]) {
		t.Fatal("the seed is in the file")
	}
	f, err := ParseFile(raw, hash)
	must(t, err)
	for i := range right {
		open, err := OpenVault(t.Context(), f, right[i])
		if err != nil || open.seeds[0].seed != v.seeds[0].seed {
			t.Errorf("%s does not open: %v", right[i].Kind(), err)
		}
		if _, err := OpenVault(t.Context(), f, wrong[i]); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: another one opens: %v", wrong[i].Kind(), err)
		}
	}
	moved, err := ParseFile(raw, hash)
	must(t, err)
	moved.Account = "p-2"
	for _, u := range right {
		if _, err := OpenVault(t.Context(), moved, u); !errors.Is(err, ErrOpen) {
			t.Errorf("%s opens under another account: %v", u.Kind(), err)
		}
	}
	raw[len(raw)-1] ^= 1
	if _, err := ParseFile(raw, hash); !errors.Is(err, ErrForm) {
		t.Errorf("another file than the ledger's: %v", err)
	}
}

func TestTwoKindsBeforeOwnItems(t *testing.T) {
	v := NewVault(account)
	must(t, v.Add(t.Context(), ByPasskey([]byte("a"), [32]byte{1}), ""))
	must(t, v.Add(t.Context(), ByPasskey([]byte("b"), [32]byte{2}), ""))
	if v.MayKeepOwn() {
		t.Error("two passkeys are one kind")
	}
	code, err := ByRecoveryCode(NewRecoveryCode())
	must(t, err)
	must(t, v.Add(t.Context(), code, ""))
	if !v.MayKeepOwn() {
		t.Errorf("kinds %v", v.Kinds())
	}
}

// TestRotation: after new keys old items open, are wrapped again, and open without the old
// seed; what was not wrapped again does not.
func TestRotation(t *testing.T) {
	v := NewVault(account)
	key := ByPasskey([]byte("a"), [32]byte{1})
	must(t, v.Add(t.Context(), key, ""))
	again, _, body := sealed(t, vaultOf(t, v), P256, []byte("kept"))
	lost, _, _ := sealed(t, vaultOf(t, v), SM, []byte("left"))
	must(t, v.Rotate())
	must(t, v.Add(t.Context(), key, ""))
	raw, hash, err := v.File()
	must(t, err)
	f, err := ParseFile(raw, hash)
	must(t, err)
	v, err = OpenVault(t.Context(), f, key)
	must(t, err)
	changed, err := v.Rewrap(again)
	if err != nil || !changed {
		t.Fatalf("%t, %v", changed, err)
	}
	if changed, err = v.Rewrap(again); err != nil || changed {
		t.Errorf("wrapped twice: %t, %v", changed, err)
	}
	v.Forget()
	if got, err := read(v, again, body); err != nil || string(got) != "kept" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := v.Unwrap(lost); !errors.Is(err, ErrOpen) {
		t.Errorf("a destroyed seed still opens: %v", err)
	}
}

func TestRecoveryCodeAsPeopleTypeIt(t *testing.T) {
	secret := bytes.Repeat([]byte{0x42, 0x10, 0xff, 0x01}, 5)
	code := printCode(secret)
	if len(strings.Split(code, "-")) != 9 {
		t.Fatalf("printed as %s", code)
	}
	for _, typed := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", " "), strings.NewReplacer("0", "O", "1", "l").Replace(code)} {
		if got, err := parseCode(typed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%q: %v", typed, err)
		}
	}
	text := strings.ReplaceAll(code, "-", "")
	for i := range text { // every single wrong character but the one of the same residue
		for _, c := range alphabet {
			wrong := text[:i] + string(c) + text[i+1:]
			same := (strings.IndexRune(alphabet, c)-strings.IndexByte(alphabet, text[i]))%31 == 0
			if _, err := parseCode(wrong); wrong != text && !same && err == nil {
				t.Fatalf("%s was taken for %s", wrong, text)
			}
		}
	}
	for _, bad := range []string{"", "x", code + "0", strings.Repeat("-", 300), strings.Replace(code, "-", "!", 1)} {
		if _, err := parseCode(bad); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnyTwoSharesAndNoOne(t *testing.T) {
	s, err := NewSharing()
	must(t, err)
	b, err := s.Unlocker().Close(t.Context(), account, 1, Seed{7})
	must(t, err)
	for _, pair := range [][2]int{{0, 1}, {1, 2}, {2, 0}} {
		x, err := ParseShare(s.Shares[pair[0]].Text())
		must(t, err)
		u, err := ByShares(x, s.Shares[pair[1]])
		must(t, err)
		if seed, err := u.Open(t.Context(), account, 1, b); err != nil || seed != (Seed{7}) {
			t.Errorf("%v: %v", pair, err)
		}
		must(t, CheckShare(b, x))
	}
	if _, err := ByShares(s.Shares[0], s.Shares[0]); !errors.Is(err, ErrForm) {
		t.Errorf("one share twice: %v", err)
	}
	bad := s.Shares[0]
	bad.Value[31] ^= 1
	if err := CheckShare(b, bad); !errors.Is(err, ErrOpen) {
		t.Errorf("a wrong share passes: %v", err)
	}
}

// TestSecretsDoNotPrint: in any form that a log could use.
func TestSecretsDoNotPrint(t *testing.T) {
	k := Key{P256, bytes.Repeat([]byte{0xab}, 32)}
	seed := Seed(bytes.Repeat([]byte{0xab}, 32))
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, x := range []any{k, seed, passphraseUnlocker{"abababab", 10}} {
			if got := fmt.Sprintf(verb, x); strings.Contains(got, "abab") || strings.Contains(got, "171") {
				t.Errorf("%s of %T: %s", verb, x, got)
			}
		}
	}
}

// TestDerivationIsPinned: a vault made today opens for ever.
func TestDerivationIsPinned(t *testing.T) {
	k, err := derive(Seed{1}, P256)
	must(t, err)
	m := k.hpke
	again, err := derive(Seed{1}, P256)
	must(t, err)
	x, y := m.PublicKey().Bytes(), again.hpke.PublicKey().Bytes()
	if !bytes.Equal(x, y) || len(x) != 65 {
		t.Errorf("%x, %x", x, y)
	}
	h := sha256.New()
	for _, s := range []safeboxv1.SealSuite{SM, P256, Hybrid} {
		k, err := derive(Seed{1}, s)
		must(t, err)
		h.Write(k.public().PublicKey)
	}
	const want = "eb2f8ddac44f7ad1c358e649db2a3dc3d5962f02d8fa951d88ef62b520269c4e"
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Errorf("the keys of a seed hash to %s, want %s", got, want)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte{})
	v := NewVault(account)
	must(f, v.Add(f.Context(), ByPasskey([]byte("a"), [32]byte{1}), ""))
	raw, _, err := v.File()
	must(f, err)
	f.Add(raw)
	head, _, _ := sealed(f, vaultOf(f, v), P256, []byte("x"))
	raw, err = canon.Marshal(head)
	must(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if file, err := ParseFile(raw, nil); err == nil {
			OpenVault(t.Context(), file, ByPasskey([]byte("a"), [32]byte{1}))
		}
		if head, err := ParseHead(raw); err == nil {
			v.Unwrap(head)
			OpenCard(Key{P256, make([]byte, 32)}, head)
		}
		parseCode(string(raw))
		ParseShare(string(raw))
	})
}

// FuzzBody: what is read of a body is a beginning of what was sealed, and to its end without
// an error only if nothing was changed, cut or moved.
func FuzzBody(f *testing.F) {
	v := NewVault(account)
	f.Add([]byte("content"), uint16(0), uint16(0), uint8(0), uint8(1))
	f.Add([]byte{}, uint16(1), uint16(1), uint8(0), uint8(2))
	f.Add(bytes.Repeat([]byte{7}, 100), uint16(2), uint16(50), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, content []byte, repeat, at uint16, change, cut uint8) {
		if len(content) > 0 {
			content = bytes.Repeat(content, 1+int(repeat)*ChunkBytes/len(content)/8%4)
		}
		if len(content) > 3*ChunkBytes {
			content = content[:3*ChunkBytes]
		}
		head, _, body := sealed(t, vaultOf(t, v), P256, content)
		changed := bytes.Clone(body)
		changed[int(at)*len(body)/(1<<16)] ^= change
		changed = changed[:len(changed)-int(cut)%len(changed)]
		got, err := read(v, head, changed)
		if !bytes.HasPrefix(content, got) {
			t.Fatalf("%d bytes are read that nobody sealed", len(got))
		}
		if whole := bytes.Equal(body, changed); whole != (err == nil) || whole && len(got) != len(content) {
			t.Fatalf("whole %v, %d of %d bytes, %v", whole, len(got), len(content), err)
		}
	})
}

// FuzzCode: what is taken for a code or a share is written the same however it was typed, and
// two shares that do not belong together open nothing.
func FuzzCode(f *testing.F) {
	sharing, err := NewSharing()
	must(f, err)
	shares := sharing.Shares
	v := NewVault(account)
	must(f, v.Add(f.Context(), sharing.Unlocker(), ""))
	must(f, v.Add(f.Context(), ByPasskey([]byte("a"), [32]byte{1}), ""))
	raw, _, err := v.File()
	must(f, err)
	file, err := ParseFile(raw, nil)
	must(f, err)
	f.Add(shares[0].Text())
	f.Add(strings.ToLower(shares[1].Text()))
	f.Add("0000 0000")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseShare(text)
		if err != nil {
			return
		}
		if again, err := ParseShare(s.Text()); err != nil || again != s {
			t.Fatalf("%q becomes %q", text, s.Text())
		}
		mine := false
		for _, one := range shares {
			mine = mine || one == s
		}
		u, err := ByShares(shares[0], s)
		if err != nil || mine {
			return
		}
		if _, err := OpenVault(t.Context(), file, u); err == nil {
			t.Fatalf("%q opens the vault", text)
		}
	})
}
