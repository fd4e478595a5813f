package annotated

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

const (
	bank     = "11110000MULN00003B"
	other    = "11110000MULN00004X"
	owner    = "p-0123456789abcdef0123456789abcdef"
	issuer   = "https://estate.gov.example"
	vct      = "https://estate.gov.example/vct/estate/1"
	anchorID = "00112233445566778899aabbccddeeff"
)

func key(t testing.TB, n byte) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(sm.P256, [32]byte{31: n})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var now = time.UnixMilli(1_790_000_000_000)

// licence is a credential of a synthetic person, bound to the second key.
func licence(t testing.TB, bound bool) string {
	t.Helper()
	jwk, err := sdjwt.JWK(key(t, 2).Public())
	if err != nil {
		t.Fatal(err)
	}
	c := sdjwt.Object{
		{Name: "iss", Value: issuer},
		{Name: "iat", Value: now.Unix()},
		{Name: "vct", Value: vct},
		{Name: "status", Value: sdjwt.Object{{Name: "status_list", Value: sdjwt.Object{{Name: "idx", Value: int64(977)}, {Name: "uri", Value: "https://gw.example/st/ESTATE/0"}}}}},
		{Name: "cert_no", Value: sdjwt.Hidden{Value: "京(2026)0001"}},
		{Name: "area", Value: sdjwt.Hidden{Value: int64(88)}},
		{Name: "price", Value: sdjwt.Hidden{Value: "SECRET-PRICE"}},
	}
	if bound {
		c = append(c, sdjwt.Member{Name: "cnf", Value: sdjwt.Object{{Name: "jwk", Value: jwk}}})
	}
	d, err := sdjwt.Prepare(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Sign(sdjwt.Header{KeyID: "1"}, key(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return made.Text
}

func order(t testing.TB) Order {
	return Order{
		Text: licence(t, true), Credential: anchorID, Fields: []string{"cert_no", "area"}, Titles: map[string]string{"cert_no": "证书号"}, Title: "不动产权证书",
		IssuerName: "试验市不动产登记中心", Holder: key(t, 2), Maker: owner, Recipient: bank, RecipientName: "示范银行", Cause: "办理住房贷款", Expires: now.Add(30 * 24 * time.Hour), Now: now,
	}
}

// made is a copy with its record as the ledger keeps it.
func made(t testing.TB, o Order) (*Copy, *credentialv1.AnnotatedCopy) {
	t.Helper()
	c, err := Make(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Record()
	if err != nil {
		t.Fatal(err)
	}
	r.Maker, r.State, r.MadeMs = o.Maker, credentialv1.CopyState_COPY_STATE_MADE, now.UnixMilli()
	return c, r
}

func anchor() *credentialv1.Credential {
	return &credentialv1.Credential{Id: anchorID, Issuer: "ESTATE", List: 0, Index: 977, State: credentialv1.CredentialState_CREDENTIAL_STATE_VALID}
}

func trust(t testing.TB) func(sdjwt.Signature) (sm.PublicKey, error) {
	return func(s sdjwt.Signature) (sm.PublicKey, error) {
		if s.Issuer != issuer {
			return sm.PublicKey{}, errors.New("unknown")
		}
		return key(t, 1).Public(), nil
	}
}

// TestWhoeverGetsACopyChecksIt: file and code hold for the recipient, and what was not chosen
// is not in the copy.
func TestWhoeverGetsACopyChecksIt(t *testing.T) {
	c, r := made(t, order(t))
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(sdjwt.Encode([]byte("SECRET-PRICE")))) || strings.Contains(string(raw), "SECRET") {
		t.Error("a field that was not chosen is in the copy")
	}
	read, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, now.Add(29 * 24 * time.Hour)} {
		if _, err := read.Check(t.Context(), r, anchor(), bank, at, trust(t)); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	p, err := ParseCode(strings.ToLower(c.Code))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckCode(r, p, bank, now.UnixMilli()); err != nil || CredentialOf(p.Short, r) != anchorID {
		t.Errorf("%v, %s", err, CredentialOf(p.Short, r))
	}
	id, _ := hex.DecodeString(anchorID)
	if bytes.Contains(r.GetCredential(), id[:8]) {
		t.Error("the record shows the credential to who has no copy")
	}
}

// TestACopyIsRefused: each way in which a copy does not hold has its code, by the code on the
// paper and by the file alike.
func TestACopyIsRefused(t *testing.T) {
	for name, x := range map[string]struct {
		change    func(c *Copy, r *credentialv1.AnnotatedCopy, a *credentialv1.Credential)
		presenter string
		at        time.Time
		file      fault.Code
	}{
		"passed on to somebody else": {presenter: other, file: fault.CopyForwarded},
		"after its end":              {at: now.Add(30 * 24 * time.Hour), file: fault.Expired},
		"ended by its maker": {change: func(_ *Copy, r *credentialv1.AnnotatedCopy, _ *credentialv1.Credential) {
			r.State = credentialv1.CopyState_COPY_STATE_ENDED
		}, file: fault.CopyEnded},
		"other letters": {change: func(c *Copy, _ *credentialv1.AnnotatedCopy, _ *credentialv1.Credential) {
			c.Code = c.Code[:len(c.Code)-1] + map[bool]string{true: "1", false: "0"}[c.Code[len(c.Code)-1] == '0']
		}, file: fault.CopyCode},
		"another cause": {change: func(c *Copy, _ *credentialv1.AnnotatedCopy, _ *credentialv1.Credential) { c.Cause = "出售" }, file: fault.VerificationFailed},
		"another recipient in the file": {change: func(c *Copy, _ *credentialv1.AnnotatedCopy, _ *credentialv1.Credential) {
			c.Recipient = other
		}, file: fault.VerificationFailed},
		"another value on the paper": {change: func(c *Copy, _ *credentialv1.AnnotatedCopy, _ *credentialv1.Credential) {
			c.Fields[1].Value = "188"
		}, file: fault.VerificationFailed},
		"suspended": {change: func(_ *Copy, _ *credentialv1.AnnotatedCopy, a *credentialv1.Credential) {
			a.State = credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED
		}, file: fault.StatusSuspended},
		"revoked": {change: func(_ *Copy, _ *credentialv1.AnnotatedCopy, a *credentialv1.Credential) {
			a.State = credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED
		}, file: fault.StatusInvalid},
		"another credential's anchor": {change: func(_ *Copy, _ *credentialv1.AnnotatedCopy, a *credentialv1.Credential) {
			a.Index = 978
		}, file: fault.StatusUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			c, r := made(t, order(t))
			a, who, at := anchor(), bank, now
			if x.change != nil {
				x.change(c, r, a)
			}
			if x.presenter != "" {
				who = x.presenter
			}
			if !x.at.IsZero() {
				at = x.at
			}
			if _, err := c.Check(t.Context(), r, a, who, at, trust(t)); !fault.Is(err, x.file) {
				t.Errorf("%v, want %s", err, x.file)
			}
		})
	}
}

// TestAChangedFileHasOtherLetters: whoever changes an annotation and prints it anew has no
// letters for it that the record knows, also if he writes them by the rule.
func TestAChangedFileHasOtherLetters(t *testing.T) {
	c, r := made(t, order(t))
	p, err := ParseCode(c.Code)
	if err != nil {
		t.Fatal(err)
	}
	c.Cause = "出售房屋"
	p.Mac = letters(p.Short, c.annotated())
	c.Code = p.String()
	if _, err := c.Check(context.Background(), r, anchor(), bank, now, trust(t)); !fault.Is(err, fault.CopyCode) {
		t.Error(err)
	}
}

// TestTheHolderSigns: a bound credential gives no copy without its holder's key, and none for
// somebody else than he has signed for.
func TestTheHolderSigns(t *testing.T) {
	o := order(t)
	o.Holder = nil
	if _, err := Make(o); !fault.Is(err, fault.HolderProofBad) {
		t.Error(err)
	}
	o.Holder = key(t, 3)
	if _, err := Make(o); !fault.Is(err, fault.HolderProofBad) {
		t.Error(err)
	}
	// A thief of the file records it anew for somebody else: the holder's signature names the first.
	c, _ := made(t, order(t))
	c.Recipient = other
	code := qr.NewShort()
	c.Code = qr.Payload{Kind: qr.Verify, Short: code, Mac: letters(code, c.annotated())}.String()
	r, err := c.Record()
	if err != nil {
		t.Fatal(err)
	}
	r.Maker, r.State = owner, credentialv1.CopyState_COPY_STATE_MADE
	if _, err := c.Check(t.Context(), r, anchor(), other, now, trust(t)); !fault.Is(err, fault.PresentationAudience) {
		t.Error(err)
	}
	// And one who says that nobody had to sign.
	c.Bound = false
	c.Code = qr.Payload{Kind: qr.Verify, Short: code, Mac: letters(code, c.annotated())}.String()
	if r, err = c.Record(); err != nil {
		t.Fatal(err)
	}
	r.Maker, r.State = owner, credentialv1.CopyState_COPY_STATE_MADE
	if _, err := c.Check(t.Context(), r, anchor(), other, now, trust(t)); !fault.Is(err, fault.KeyBindingMissing) {
		t.Error(err)
	}
}

// TestThePaper: the same bytes each time; the code in it can be read, and its length is what
// fits into a small code.
func TestThePaper(t *testing.T) {
	c, _ := made(t, order(t))
	var first, second bytes.Buffer
	if err := errors.Join(c.Paper(&first), c.Paper(&second)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) || !bytes.HasPrefix(first.Bytes(), []byte("%PDF-")) || first.Len() > 500<<10 {
		t.Errorf("%d and %d bytes", first.Len(), second.Len())
	}
	d, err := qr.Draw(c.Code)
	if err != nil || d.Size() > 33 {
		t.Errorf("%d modules, %v", d.Size(), err)
	}
	if text, err := qr.Read(d.PNG()); err != nil || text != c.Code {
		t.Errorf("%s, %v", text, err)
	}
	if dir := os.Getenv("MULIAN_KEEP_PDF"); dir != "" { // for a person to look at
		if err := os.WriteFile(filepath.Join(dir, "copy.pdf"), first.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzParse: no file makes the reader fall over.
func FuzzParse(f *testing.F) {
	c, err := Make(order(f))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := c.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":"mulian-annotated-copy-v1","fields":[{"name":"a","value":"b"}],"recipient":"x","cause":"y"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse(raw)
		if err != nil {
			return
		}
		if _, err := c.Record(); err == nil {
			_, _ = c.Check(t.Context(), &credentialv1.AnnotatedCopy{}, anchor(), "", now, trust(t))
		}
	})
}
