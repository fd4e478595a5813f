package hanzi

import "testing"

// TestSimplified: characters of both standards meet; what has one form keeps it.
func TestSimplified(t *testing.T) {
	for in, want := range map[string]string{"臺北市政府環境保護局": "台北市政府环境保护局", "水务局": "水务局", "A１ー": "A１ー", "發髮祕佔": "发发秘占"} {
		out := []rune(in)
		for i, r := range out {
			out[i] = Simplified(r)
		}
		if string(out) != want {
			t.Errorf("%s becomes %s, want %s", in, string(out), want)
		}
	}
}
