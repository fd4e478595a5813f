package index

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"规划许可":                       "规划 划许 许可",
		"水":                          "水",
		"Planning许可2021":             "planning 许可 2021",
		"ＡＢＣ　１２":                     "abc 12",
		"11110000000021928Y:permits": "11110000000021928y permits",
		"  ":                         "",
		"臺灣建築許可證":                    "台湾 湾建 建筑 筑许 许可 可证",
		"Gebäude":                    "gebaude",
		"Geba\u0308ude":              "gebaude",
		"ﾃﾞｰﾀ":                       "テー ータ",
		"データ":                        "テー ータ",
		"a\x00b":                     "a b",
		"许\xff可":                     "许 可",
		"㈱水":                         "株 水",
		"서울시":                        "서울 울시",
		strings.Repeat("a", 100):     strings.Repeat("a", maxWordBytes),
	} {
		if got := strings.Join(strings.Fields(string(appendWords(nil, in, pairsOnly))), " "); got != want {
			t.Errorf("words of %q: %q, want %q", in, got, want)
		}
	}
	if got := string(appendWords(nil, "取水许可", withSingles)); got != "取 取水 水 水许 许 许可 可 " {
		t.Errorf("with singles: %q", got)
	}
}

// TestWholeIgnoresWriting: one name or code, however it is written, is one word.
func TestWholeIgnoresWriting(t *testing.T) {
	for _, same := range [][]string{
		{"取水许可证", "取水許可證", " 取水 许可证 ", "取水-许可证"},
		{"11110000000021928Y:e1", "１１１１００００００００２１９２８Ｙ：Ｅ１", "11110000000021928y/e1"},
	} {
		for _, s := range same {
			if whole(s) != whole(same[0]) {
				t.Errorf("%q and %q differ", s, same[0])
			}
		}
	}
	if whole("取水许可") == whole("取水许可证") || whole("。") != "" {
		t.Error("two names are one, or no name is one")
	}
}

// TestFoldMapsBack: whatever the text, each folded character names bytes of it, at the
// borders of characters, in order.
func TestFoldMapsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("许許可ＡaÄ̈́ﬁ㈱ﾃﾞが서 ：1")))).Draw(t, "text")
		last := 0
		fold(text, func(f folded) {
			if f.from < 0 || f.to > len(text) || f.from >= f.to || f.from < last && f.from != last {
				t.Fatalf("%q: bytes %d to %d after %d", text, f.from, f.to, last)
			}
			if utf8.ValidString(text) && (!utf8.RuneStart(text[f.from]) || f.to < len(text) && !utf8.RuneStart(text[f.to])) {
				t.Fatalf("%q: bytes %d to %d cut a character", text, f.from, f.to)
			}
			last = f.from
		})
	})
}

// TestDistance: known pairs, and what every distance keeps.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "acb", 1}, {"abcd", "abd", 1}, {"abcd", "abbcd", 1}, {"许可", "许证", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab1")), 0, 6, -1)
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Fatalf("distance(%q, %q) = %d", a, b, d)
		}
	})
}
