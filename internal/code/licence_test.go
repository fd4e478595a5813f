package code

import (
	"errors"
	"testing"
)

// TestISO7064Mod37_36 with the example of the GRid standard (ISO 7064 MOD 37,36):
// A1-2425G-ABC1234002-M.
func TestISO7064Mod37_36(t *testing.T) {
	if got := (Licence{Type: "A1", Issuer: "2425G", Serial: "ABC1234002"}).check(); got != 'M' {
		t.Errorf("check character %c, want M", got)
	}
}

func TestALicenceIdentifierComesBack(t *testing.T) {
	want := Licence{Type: "11100000000013338W011", Issuer: "11110000000021928Y", Serial: "BDC20260001", Version: "001"}
	got, err := ParseLicence(want.String())
	if err != nil || got != want {
		t.Fatalf("%s: %+v, %v", want, got, err)
	}
	// Every single wrong character and every transposition of neighbours is found.
	text := want.String()
	for i := len(LicenceRoot) + 1; i < len(text)-2; i++ {
		a, b := text[i], text[i+1]
		if a == '.' || b == '.' || a == b {
			continue
		}
		swapped := text[:i] + string(b) + string(a) + text[i+2:]
		l, err := ParseLicence(swapped)
		if p, ok := errors.AsType[*Problem](err); !ok || p.Reason != CheckChar || l.Serial == "" {
			t.Errorf("%s: %v", swapped, err)
		}
	}
	for _, bad := range []string{"", "1.2.156.3005.2", "1.2.156.3005.2.A.B.C.001", "1.2.156.3005.2.a.B.C.001.X", "1.2.156.3005.2.A..C.001.X", "1.2.156.3005.3.A.B.C.001.X", want.String() + "X", "1.2.156.3005.2.Ａ.B.C.001.X"} {
		if _, err := ParseLicence(bad); err == nil {
			t.Errorf("%q is an identifier", bad)
		}
	}
}

func FuzzParseLicence(f *testing.F) {
	f.Add("1.2.156.3005.2.A.B.C.001.X")
	f.Add(Licence{"A", "B", "C", "001"}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := ParseLicence(s); err == nil && l.String() != s {
			t.Fatalf("%q comes back as %q", s, l)
		}
	})
}
