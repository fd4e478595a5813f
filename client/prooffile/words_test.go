package prooffile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var updateWords = flag.Bool("update-words", false, "write the console's copy of the verifier's sentences")

// TestTheConsoleSaysTheSame: the console shows what the verifier in JavaScript says with the
// Chinese sentences of this package: -update-words writes them anew.
func TestTheConsoleSaysTheSame(t *testing.T) {
	inner := [][2]string{}
	for _, p := range innerPhrases {
		inner = append(inner, [2]string{p.find.String(), p.with})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{"said": saidInChinese, "words": innerWords, "inner": inner}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "console", "src", "check", "sentences.json")
	if *updateWords {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what this package says (%v): go test ./client/prooffile -run TestTheConsoleSaysTheSame -update-words", path, err)
	}
}
