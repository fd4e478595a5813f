package code

import "strings"

// ResourceKind is the first character of a code of NDI-TR-2025-04.
type ResourceKind byte

// The kinds of codes: 1 to 5 are nodes and connectors.
const (
	ProductCode  ResourceKind = '6' // 数据产品
	ResourceCode ResourceKind = '7' // 数据资源
)

const (
	resourceLength = 32  // kind 1, subject 18, region or industry 4, random 8, check 1
	extensionMark  = "•" // U+2022
	maxExtension   = 32
)

// CheckResource returns nil if s is a well-formed code of NDI-TR-2025-04 for a node,
// a connector, a product or a resource, with an extension of up to 32 characters or
// without. The subject in it must pass [CheckUSCC].
func CheckResource(s string) error {
	const what = "数据资源标识"
	if len(s) > maxCode {
		return &Problem{what, Length, len(s), wantResource}
	}
	body, extension, extended := strings.Cut(s, extensionMark)
	if n := countRunes(body); n != resourceLength {
		return &Problem{what, Length, n, wantBody}
	}
	if n := countRunes(extension); extended && (n == 0 || n > maxExtension) {
		return &Problem{what, Length, resourceLength + 1 + n, wantExtended}
	}
	if body[0] < '1' || body[0] > '7' {
		return &Problem{what, Unlisted, 1, wantKind}
	}
	place := 0
	for _, r := range body[:len(body)-1] {
		place++
		if indexRune(alphanumeric, r) < 0 {
			return &Problem{what, Character, place, wantAlnum}
		}
	}
	if err := CheckUSCC(body[1:19]); err != nil {
		return err
	}
	want, _ := CheckChar372(body[:31])
	if body[31:] != string(want) {
		return &Problem{what, CheckChar, 32, string(want)}
	}
	place = resourceLength + 1
	for _, r := range extension {
		place++
		if indexRune(alphanumeric, r) < 0 {
			return &Problem{what, Character, place, wantAlnum}
		}
	}
	return nil
}

// CheckChar372 returns the check character of ISO 7064 MOD 37-2 for payload: the
// character that makes Σ aᵢ·2^(i-1) ≡ 1 (mod 37), with i counted from the right and
// the check character at i = 1. It is 0-9, A-Z or *. ok is false if payload has
// another character than 0-9 and A-Z.
func CheckChar372(payload string) (check byte, ok bool) {
	p := 0
	for _, r := range payload {
		v := indexRune(alphanumeric, r)
		if v < 0 {
			return 0, false
		}
		p = (p + v) * 2 % 37
	}
	return (alphanumeric + "*")[(38-p)%37], true
}

// Valid372 says that s ends in its check character of ISO 7064 MOD 37-2.
func Valid372(s string) bool {
	if len(s) < 2 {
		return false
	}
	want, ok := CheckChar372(s[:len(s)-1])
	return ok && want == s[len(s)-1]
}
