package pack

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"mulian/internal/fault"
)

// FuzzManifest: no manifest names a file outside of its folder, and what is taken is read
// again as the same.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":"` + Format + `","files":[{"name":"opening.json"},{"name":"a.bin"}]}`))
	f.Add([]byte(`{"format":"` + Format + `","files":[{"name":"../../etc/passwd"}]}`))
	f.Add([]byte(`{"format":"` + Format + `"}{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parse(raw)
		if err != nil {
			if !fault.Is(err, fault.Malformed) {
				t.Fatal(err)
			}
			return
		}
		for _, p := range m.Files {
			if !filepath.IsLocal(p.Name) || filepath.Dir(filepath.Join("folder", p.Name)) != "folder" {
				t.Fatalf("a file named %q", p.Name)
			}
		}
		once, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(once) {
			t.Fatalf("%s becomes %s", once, twice)
		}
	})
}
