package prooffile

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// TestEverySentenceIsInChinese reads the sources: whatever the verifier says or refuses
// with has its Chinese, which takes the same words.
func TestEverySentenceIsInChinese(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	verbs, found := regexp.MustCompile(`%(\[\d\])?[a-z]`), 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := goparser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := -1
			switch fn := c.Fun.(type) {
			case *ast.Ident:
				if fn.Name == "refuse" {
					at = 2
				}
			case *ast.SelectorExpr:
				if fn.Sel.Name == "says" {
					at = 1
				}
			}
			if at < 0 || len(c.Args) <= at {
				return true
			}
			lit, ok := c.Args[at].(*ast.BasicLit)
			if !ok {
				return true
			}
			english, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			zh, ok := saidInChinese[english]
			if !ok {
				t.Errorf("%s: %q has no Chinese", name, english)
			} else if len(verbs.FindAllString(zh, -1)) != len(verbs.FindAllString(english, -1)) {
				t.Errorf("%q and %q take other words", english, zh)
			}
			return true
		})
	}
	if found < 80 {
		t.Errorf("%d sentences were found", found)
	}
}

// TestReportsInChinese: of every vector, what holds and what does not is said in Chinese,
// but for names, ids and numbers, and English stays as it is.
func TestReportsInChinese(t *testing.T) {
	for _, v := range committed(t) {
		file, hash := v.read(t)
		r := Verify(file, hash)
		for _, c := range r.Checks {
			if zh := c.In(true); strings.Contains(zh, "%!") || c.In(false) != c.Says || c.Step != "finding" && !hasChinese(zh) && strings.Contains(c.Says, " ") {
				t.Errorf("%s, %s: %q for %q", v.File, c.Step, zh, c.Says)
			}
		}
		zh := r.Because(true)
		if r.OK != (zh == "") || strings.Contains(zh, "%!") || !r.OK && (!hasChinese(zh) || r.Because(false) != r.Reason) {
			t.Errorf("%s: %q for %q", v.File, zh, r.Reason)
		}
	}
}

func hasChinese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// TestACopyThatChangedIt: what programs do to a file that is copied as text is named as
// the cause, in both verifiers.
func TestACopyThatChangedIt(t *testing.T) {
	js := startSecond(t)
	var v vector
	for _, x := range committed(t) {
		if x.File == "object.mulian-proof.json" {
			v = x
		}
	}
	file, hash := v.read(t)
	text := string(file)
	utf16 := []byte("\xff\xfe")
	for _, b := range file {
		utf16 = append(utf16, b, 0)
	}
	for want, changed := range map[string][]byte{
		"byte order mark": []byte("\xef\xbb\xbf" + text),
		"Windows (CR LF)": []byte(strings.ReplaceAll(text, "\n", "\r\n")),
		"UTF-16":          utf16,
		"line feed":       []byte(strings.TrimSuffix(text, "\n")),
		"at its end":      []byte(text + "\n"),
		"in the middle":   []byte(text[:4000]),
	} {
		r := Verify(changed, hash)
		second := js.verify(changed, hash)
		if r.OK || r.Step != "form" || !strings.Contains(r.Reason, want) || !hasChinese(r.Because(true)) || fmt.Sprint(second["reason"]) != r.Reason {
			t.Errorf("%s: %s; %v", want, r.Reason, second["reason"])
		}
	}
}
