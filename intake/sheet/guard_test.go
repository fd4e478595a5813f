package sheet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "text": "text", "=1+1": "'=1+1", "+86": "'+86", "-": "'-", "@x": "'@x", "＝1": "'＝1", "0012": "'0012", "110108199001011234": "'110108199001011234",
		"12": "12", "0": "0", "12345678901": "12345678901", "123456789012": "'123456789012", "1E5": "'1E5", "2026-01-02": "'2026-01-02", "1/2": "'1/2", "2.5": "'2.5",
		"'=": "''=", "'text": "'text", "''-1": "'''-1", "3号": "3号", "91350100M000100Y43": "91350100M000100Y43",
	} {
		if got := Guard(text); got != want {
			t.Errorf("Guard(%q) = %q, want %q", text, got, want)
		}
		if got := Unguard(want); got != text {
			t.Errorf("Unguard(%q) = %q, want %q", want, got, text)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("=1")
	f.Add("''x")
	f.Fuzz(func(t *testing.T, text string) {
		g := Guard(text)
		if Unguard(g) != text {
			t.Errorf("%q is guarded as %q and comes back as %q", text, g, Unguard(g))
		}
		if g != "" && strings.ContainsAny(g[:1], "=+-@\t\r") {
			t.Errorf("%q is guarded as %q", text, g)
		}
	})
}

// contractFile reads a YAML file of contracts and returns what was said of each.
func contractFile(t *testing.T, text string) (names []string, broken int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Format != yamlText {
		t.Fatalf("read as %s", f.Format)
	}
	for {
		r, err := f.Next()
		if err != nil {
			return names, broken
		}
		if r.Broken {
			broken++
			continue
		}
		for _, v := range r.Fields {
			if v.Name == "name" {
				names = append(names, v.Text)
			}
		}
	}
}

// TestContracts: the documents of a stream are read one by one; one that is damaged, or
// made to unfold without bound, is told and does not touch the next.
func TestContracts(t *testing.T) {
	const head = "apiVersion: v3.1.0\nkind: DataContract\nid: a\n"
	for _, tt := range []struct {
		name, text string
		want       string
		broken     int
	}{
		{"one", head + "name: 一\n", "一", 0},
		{"three", "---\n" + head + "name: 1\n---\n" + head + "name: \"=2\"\n...\n---\n" + head + "name: 3\n", "1 =2 3", 0},
		{"damaged", head + "name: 1\n---\nkind: [\n---\n" + head + "name: 3\n", "1 3", 1},
		{"anchors", head + "name: 1\n---\na: &a [x, x]\nb: [*a, *a]\n---\n" + head + "name: 3\n", "1 3", 1},
		{"deep", head + "name: 1\n---\nx: " + strings.Repeat("[", 5000) + "\n---\n" + head + "name: 3\n", "1 3", 1},
		{"dashes", head + "name: 1\n---\n" + strings.Repeat("- ", 5000) + "x\n---\n" + head + "name: 3\n", "1 3", 1},
		{"long", head + "name: 1\n---\nx: " + strings.Repeat("y", maxContractBytes) + "\n---\n" + head + "name: 3\n", "1 3", 1},
	} {
		names, broken := contractFile(t, tt.text)
		if strings.Join(names, " ") != tt.want || broken != tt.broken {
			t.Errorf("%s: names %v, %d broken; want %s, %d", tt.name, names, broken, tt.want, tt.broken)
		}
	}
}
