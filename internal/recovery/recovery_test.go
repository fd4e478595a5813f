package recovery

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"mulian/internal/sm"
)

// TestCodeSurvivesPaper: a code is read back however a person types it, and a slip of the
// pen is found.
func TestCodeSurvivesPaper(t *testing.T) {
	var c Code
	for i := range c {
		c[i] = byte(7*i + 3)
	}
	text := c.String()
	for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", " "), " " + strings.ReplaceAll(text, "-", "") + "\n", strings.NewReplacer("0", "O", "1", "l").Replace(text)} {
		if got, err := ParseCode(typed); err != nil || got != c {
			t.Errorf("%q: %x, %v", typed, got, err)
		}
	}
	for i := range text {
		wrong := []byte(text)
		if wrong[i] == '-' {
			continue
		}
		if wrong[i]++; wrong[i] > 'Z' || wrong[i] == 'I' || wrong[i] == 'L' || wrong[i] == 'O' || wrong[i] == 'U' || wrong[i] == ':' {
			wrong[i] = '2'
		}
		if string(wrong) == text {
			continue
		}
		if _, err := ParseCode(string(wrong)); err == nil {
			t.Errorf("the slip %s for %s was not found", wrong, text)
		}
	}
	for _, none := range []string{"", "A", text + "0", text[:len(text)-2], strings.Repeat("U", 36)} {
		if _, err := ParseCode(none); err == nil {
			t.Errorf("%q was read as a code", none)
		}
	}
}

// TestCodeIsAKey: a code gives one key, and another code another one.
func TestCodeIsAKey(t *testing.T) {
	first, err := Code{1}.Key()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Code{1}.Key()
	other, _ := Code{2}.Key()
	if !bytes.Equal(first.Public().Bytes(), again.Public().Bytes()) || bytes.Equal(first.Public().Bytes(), other.Public().Bytes()) || first.Public().Algorithm() != sm.Ed25519 {
		t.Error("a code is not one key of its own")
	}
}

// TestCommitmentHidesAndBinds: another salt or guardian is another commitment.
func TestCommitmentHidesAndBinds(t *testing.T) {
	salt := bytes.Repeat([]byte{1}, SaltBytes)
	a := Commitment(salt, "p-1")
	if a == Commitment(bytes.Repeat([]byte{2}, SaltBytes), "p-1") || a == Commitment(salt, "p-2") || a != Commitment(salt, "p-1") {
		t.Error("a commitment is not of one salt and guardian")
	}
	if e := Evidence(salt, []byte("p-1")); e == a || e == Evidence(salt, []byte("p-2")) || e == Evidence(bytes.Repeat([]byte{2}, SaltBytes), []byte("p-1")) {
		t.Error("a commitment to evidence is not of one salt and content")
	}
	if bytes.Equal(KeyMessage("a", "b", "c"), KeyMessage("a", "c", "b")) {
		t.Error("a message for two accounts")
	}
}

// FuzzCode: what is taken for a code is written as the same one, with the same key.
func FuzzCode(f *testing.F) {
	f.Add(Code{1, 2, 3}.String())
	f.Add(strings.ToLower(strings.ReplaceAll(Code{9}.String(), "-", " ")))
	f.Add("0OIl-")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCode(text)
		if err != nil {
			if !errors.Is(err, ErrCode) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseCode(c.String()); err != nil || again != c {
			t.Fatalf("%q becomes %q: %v", text, c, err)
		}
	})
}
