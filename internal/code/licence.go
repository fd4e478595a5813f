package code

import (
	"fmt"
	"strings"
)

// LicenceRoot is what every licence identifier begins with: the national object
// identifier of electronic licences (GB/T 36904-2018, section 5).
const LicenceRoot = "1.2.156.3005.2"

// Licence is a licence identifier (证照标识, GB/T 36904-2018), taken apart:
// 1.2.156.3005.2.<Type>.<Issuer>.<Serial>.<Version>.<check>.
type Licence struct {
	Type    string // 证照类型代码, capital letters and digits, 1-32
	Issuer  string // 证照颁发机构代码, a unified social credit code in ours
	Serial  string // 流水号, 1-64
	Version string // 版本号, three digits in ours
}

// String writes the identifier with its check character. The parts must be of
// capital letters and digits: see [ParseLicence].
func (l Licence) String() string {
	return strings.Join([]string{LicenceRoot, l.Type, l.Issuer, l.Serial, l.Version, string(l.check())}, ".")
}

// check is that of ISO 7064 MOD 37,36 over the four parts without the points.
func (l Licence) check() byte {
	p := 36
	for _, b := range []byte(l.Type + l.Issuer + l.Serial + l.Version) {
		if p = (p + strings.IndexByte(alphanumeric, b)) % 36; p == 0 {
			p = 36
		}
		p = p * 2 % 37
	}
	return alphanumeric[(37-p)%36]
}

// ParseLicence takes an identifier apart. A *[Problem] of [CheckChar] comes with the
// parts all the same: identifiers with another check character are in use (one of four
// that public sources show), so an importer warns and goes on; whoever makes one does
// not.
func ParseLicence(s string) (Licence, error) {
	const what = "证照标识"
	n := countRunes(s)
	rest, ok := strings.CutPrefix(s, LicenceRoot+".")
	parts := strings.Split(rest, ".")
	switch {
	case len(s) > maxCode:
		return Licence{}, &Problem{what, Length, n, fmt.Sprintf("at most %d", maxCode)}
	case !ok || len(parts) != 5:
		return Licence{}, &Problem{what, Unlisted, 1, LicenceRoot + ".TYPE.ISSUER.SERIAL.VERSION.CHECK"}
	}
	place := len(LicenceRoot) + 2
	for i, limit := range []int{32, 32, 64, 8, 1} {
		if len(parts[i]) == 0 || len(parts[i]) > limit {
			return Licence{}, &Problem{what, Length, len(parts[i]), fmt.Sprintf("part %d: 1 to %d", i+1, limit)}
		}
		for j, r := range parts[i] {
			if indexRune(alphanumeric, r) < 0 {
				return Licence{}, &Problem{what, Character, place + j, wantAlnum}
			}
		}
		place += len(parts[i]) + 1
	}
	l := Licence{parts[0], parts[1], parts[2], parts[3]}
	if want := l.check(); parts[4][0] != want {
		return l, &Problem{what, CheckChar, n, string(want)}
	}
	return l, nil
}
