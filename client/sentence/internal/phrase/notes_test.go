package phrase_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"mulian/client/sentence/internal/phrase"
	_ "mulian/gen/mulian/tx/v1" // and with it the nouns
)

// TestStatesHaveWords: every state of every noun reads as Chinese in a note, and what is no
// word stays.
func TestStatesHaveWords(t *testing.T) {
	n := 0
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(f.Package()), "mulian.") {
			return true
		}
		for i := range f.Enums().Len() {
			e := f.Enums().Get(i)
			if !strings.HasSuffix(string(e.Name()), "State") {
				continue
			}
			for j := range e.Values().Len() {
				_, word, ok := strings.Cut(string(e.Values().Get(j).Name()), "_STATE_")
				if !ok || word == "UNSPECIFIED" {
					continue
				}
				n++
				for _, as := range []string{word, strings.ToLower(word)} {
					if phrase.Note(as) == as {
						t.Errorf("%s: %q has no word", e.FullName(), as)
					}
				}
			}
		}
		return true
	})
	if n < 80 {
		t.Errorf("%d states were looked at", n)
	}
	for note, want := range map[string]string{"published v3": "已发布 v3", "4": "4", "": "", "a1b2 c3d4": "a1b2 c3d4"} {
		if got := phrase.Note(note); got != want {
			t.Errorf("%q is %q, want %q", note, got, want)
		}
	}
}
