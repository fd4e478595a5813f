package fiscal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mulian/internal/fiscal"
	"mulian/internal/sm"
)

var (
	rangeKey = fiscal.RangeKey{1, 2, 3}
	code     = "11010126"
)

// document is a receipt of two items with both signatures, and the keys that made them.
func document(t testing.TB, number string) (*fiscal.Document, map[string]sm.PublicKey) {
	t.Helper()
	secret := rangeKey.Secret(code, number)
	d := &fiscal.Document{
		Header: fiscal.Header{Chain: "town", Range: code + "-0000000001", Secret: secret},
		Data: fiscal.Particulars{
			Name: "医疗收费电子票据", Code: code, Number: number, CheckCode: secret.CheckCode(code, number), IssueDate: "20261122", Fen: 123456,
			UnitCode: "12110000400000001A", UnitName: "人民医院 <门诊> & \"住院\"", PayerCode: "110101199001011234", PayerName: "张三",
			Items: []fiscal.Item{{Code: "01", Name: "诊察费", Fen: 5000}, {Name: "西药费", Fen: 118456}},
		},
	}
	keys := map[string]sm.PublicKey{}
	sign := func(account string, statement []byte) *fiscal.Signature {
		k, err := sm.Generate(sm.SM2)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign(statement)
		if err != nil {
			t.Fatal(err)
		}
		keys[account] = k.Public()
		return &fiscal.Signature{Account: account, Key: k.Public().ID(), Bytes: sig}
	}
	sum := d.ContentHash()
	d.UnitSignature = sign("unit", fiscal.UnitStatement(sum[:]))
	d.Supervision = sign("bureau", fiscal.SuperviseStatement(sum[:], d.UnitSignature.Bytes))
	return d, keys
}

func finder(keys map[string]sm.PublicKey) func(string, string) (sm.PublicKey, error) {
	return func(account, _ string) (sm.PublicKey, error) { return keys[account], nil }
}

// TestBothSignatures: a document comes back as it was written, and nothing in it can be
// changed without one of the signatures telling.
func TestBothSignatures(t *testing.T) {
	d, keys := document(t, "0000000007")
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := fiscal.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Verify(finder(keys)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"张三", "李四"},
		{">town<", ">city<"},
		{"诊察费", "治疗费"},
		{"1184.56</ItemAmount>", "1234.56</ItemAmount>"},
		{"20261122", "20261123"},
		{"50.00", "51.00"},
		{"110101199001011234", "110101199001011235"},
	} {
		other, err := fiscal.Parse(bytes.Replace(raw, []byte(change[0]), []byte(change[1]), 1))
		if err == nil {
			err = other.Verify(finder(keys))
		}
		if err == nil {
			t.Errorf("%s became %s, and nobody saw it", change[0], change[1])
		}
	}
	// A second unit's signature under the same text does not fit the supervision.
	twin, twinKeys := document(t, "0000000007")
	back.UnitSignature = twin.UnitSignature
	keys["unit"] = twinKeys["unit"]
	if err := back.Verify(finder(keys)); !errors.Is(err, sm.ErrSignature) || !strings.Contains(err.Error(), "finance bureau") {
		t.Errorf("another unit's signature under the finance bureau's: %v", err)
	}
	if back.Supervision = nil; back.Verify(finder(keys)) == nil {
		t.Error("not supervised, and verified")
	}
}

// TestOneForm: what reads as the same document but is written otherwise is refused.
func TestOneForm(t *testing.T) {
	d, _ := document(t, "0000000007")
	raw, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{
		"a comment":          strings.Replace(string(raw), "<Main>", "<Main><!-- -->", 1),
		"an attribute":       strings.Replace(string(raw), "<Main>", `<Main a="b">`, 1),
		"another element":    strings.Replace(string(raw), "</Main>", "<Extra></Extra></Main>", 1),
		"twice an amount":    strings.Replace(string(raw), "<TotalAmount>", "<TotalAmount>1.00</TotalAmount><TotalAmount>", 1),
		"a namespace":        strings.Replace(string(raw), "<EInvoice>", `<EInvoice xmlns="x">`, 1),
		"a document type":    strings.Replace(string(raw), "<EInvoice>", `<!DOCTYPE EInvoice [<!ENTITY a "b">]><EInvoice>`, 1),
		"an entity":          strings.Replace(string(raw), "张三", "&#24352;三", 1),
		"something behind":   string(raw) + "<EInvoice/>",
		"a blank":            strings.Replace(string(raw), "<Main>", "<Main> ", 1),
		"another encoding":   strings.Replace(string(raw), "UTF-8", "GBK", 1),
		"upper case secret":  strings.Replace(string(raw), "<Secret>", "<Secret>A", 1),
		"another check code": strings.Replace(string(raw), d.Data.CheckCode+"</RandomNumber>", "00000x</RandomNumber>", 1),
		"cut":                string(raw[:len(raw)/2]),
		"nothing":            "",
	} {
		if _, err := fiscal.Parse([]byte(other)); !errors.Is(err, fiscal.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fiscal.Parse(make([]byte, fiscal.MaxBytes+1)); !errors.Is(err, fiscal.ErrDocument) {
		t.Errorf("too many bytes: %v", err)
	}
}

// TestScaledSums: the sum of scaled parts fits the scaled amount exactly if the parts fit
// the amount, to the fen, for all amounts and up to sixteen parts.
func TestScaledSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		secret := fiscal.RangeKey{byte(rapid.IntRange(0, 255).Draw(rt, "key"))}.Secret(code, rapid.StringMatching("[0-9]{10}").Draw(rt, "number"))
		amount := rapid.OneOf(rapid.Int64Range(16, 1000), rapid.Int64Range(16, fiscal.MaxFen)).Draw(rt, "fen")
		n := rapid.IntRange(1, fiscal.MaxParts).Draw(rt, "parts")
		rest, err := secret.Amount(amount)
		if err != nil || rest < fiscal.MinScaled || rest > fiscal.MaxScaled {
			rt.Fatalf("%d fen are %d: %v", amount, rest, err)
		}
		if secret.Fen(rest) != amount {
			rt.Fatalf("%d fen came back as %d", amount, secret.Fen(rest))
		}
		left := amount
		for i := range n {
			part := left / int64(n-i)
			if i == n-1 {
				part = left
			}
			scaled, err := secret.Part(part, i)
			if err != nil || secret.PartFen(scaled) != part {
				rt.Fatalf("part of %d fen is %d, back %d: %v", part, scaled, secret.PartFen(scaled), err)
			}
			over, err := secret.Part(left+1, i)
			if left < fiscal.MaxFen && (err != nil || over <= rest) {
				rt.Fatalf("one fen more than is left, %d, fits: %v", left, err)
			}
			if scaled > rest {
				rt.Fatalf("part %d of %d fen does not fit in %d", i, part, left)
			}
			rest, left = rest-scaled, left-part
			if secret.Fen(rest) != left {
				rt.Fatalf("%d fen are left, the scaled rest says %d", left, secret.Fen(rest))
			}
		}
	})
}

// TestNumberHasOneHandle: number, code and range key each change the handle, and two numbers
// share nothing that a reader of the ledger could compare.
func TestNumberHasOneHandle(t *testing.T) {
	seen := map[[32]byte]bool{}
	for _, k := range []fiscal.RangeKey{{1}, {2}} {
		for _, c := range []string{"11010126", "11010127"} {
			for _, n := range []string{"0000000001", "0000000002"} {
				s := k.Secret(c, n)
				if s != k.Secret(c, n) || seen[s.Handle(c, n)] || seen[s.Payer("x")] || seen[s.Check("x")] {
					t.Fatalf("%v %s %s", k, c, n)
				}
				seen[s.Handle(c, n)], seen[s.Payer("x")], seen[s.Check("x")] = true, true, true
			}
		}
	}
}

// TestYuan: amounts have one form.
func TestYuan(t *testing.T) {
	for text, fen := range map[string]int64{"0.00": 0, "0.01": 1, "-0.01": -1, "123.45": 12345, "1000000000.00": fiscal.MaxFen} {
		if got, err := fiscal.ParseFen(text); err != nil || got != fen || fiscal.Yuan(fen) != text {
			t.Errorf("%s is %d (%v), %d is %s", text, got, err, fen, fiscal.Yuan(fen))
		}
	}
	for _, text := range []string{"", "1", "1.0", "01.00", "+1.00", "-0.00", "1.000", "1,00", "12345678901.00", "--1.00", ".50"} {
		if _, err := fiscal.ParseFen(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// FuzzParse: whatever is taken is written again byte for byte.
func FuzzParse(f *testing.F) {
	d, _ := document(f, "0000000007")
	raw, err := d.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("<EInvoice></EInvoice>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := fiscal.Parse(raw)
		if err != nil {
			return
		}
		if again, err := d.Encode(); err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("taken, but written otherwise: %v", err)
		}
	})
}
