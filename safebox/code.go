package safebox

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// alphabet of a recovery code: digits and letters without I, L, O, U (Crockford's base 32),
// so that nothing on paper looks like something else.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var base = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// codeBytes of chance are in a recovery code: 160 bits.
const codeBytes = 20

// NewRecoveryCode makes a code of 160 bits, as it is printed: eight groups of four
// characters and a check character, which finds every wrong character and every two that
// were exchanged.
func NewRecoveryCode() string { return printCode(random(codeBytes)) }

func printCode(secret []byte) string {
	text := base.EncodeToString(secret)
	var out strings.Builder
	for i := 0; i < len(text); i += 4 {
		out.WriteString(text[i:min(i+4, len(text))])
		out.WriteByte('-')
	}
	out.WriteByte(checkCharacter(text))
	return out.String()
}

// parseCode reads a recovery code as people type it.
func parseCode(code string) ([]byte, error) { return parseGroups(code, codeBytes) }

// parseGroups reads n bytes that printCode wrote, as people type them: any case, blanks and
// hyphens anywhere, O for 0, I and L for 1.
func parseGroups(typed string, n int) ([]byte, error) {
	if len(typed) > 200 {
		return nil, fmt.Errorf("%w: a code of %d characters", ErrForm, len(typed))
	}
	text := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	want := base.EncodedLen(n) + 1
	if len(text) != want {
		return nil, fmt.Errorf("%w: the code has %d characters, want %d", ErrForm, len(text), want)
	}
	for i := range len(text) {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			return nil, fmt.Errorf("%w: character %d of the code", ErrForm, i+1)
		}
	}
	body, check := text[:want-1], text[want-1]
	if checkCharacter(body) != check {
		return nil, fmt.Errorf("%w: the code is mistyped: its check character does not fit", ErrForm)
	}
	return base.DecodeString(body)
}

// checkCharacter is that of a weighted sum mod 31 (a prime below the alphabet's size):
// position i has the weight i+2. A wrong character is found unless it is the one whose value
// is 31 away (0 and Z), an exchange of two neighbours likewise, in the first 30.
func checkCharacter(text string) byte {
	sum := 0
	for i := range len(text) {
		sum += strings.IndexByte(alphabet, text[i]) * (i%30 + 1)
	}
	return alphabet[sum%31]
}

// useOf returns AES-256-GCM under a key derived of the secret.
func useOf(secret []byte, use string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "mulian/box/use/v1 "+use, 32)
	if err != nil {
		return nil, err
	}
	return newAEAD(P256, key)
}
