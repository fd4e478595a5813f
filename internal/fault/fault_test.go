package fault

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestEveryCodeIsExplained reads the constants from the source, so that a code
// without a text, a text without a code and a number used twice all fail.
func TestEveryCodeIsExplained(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[Code]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if lit, ok := v.Values[0].(*ast.BasicLit); ok {
			n, err := strconv.Atoi(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			if old, twice := codes[Code(n)]; twice {
				t.Errorf("%d is both %s and %s", n, old, v.Names[0].Name)
			}
			codes[Code(n)] = v.Names[0].Name
		}
		return true
	})
	delete(codes, OK)
	if len(codes) < 60 {
		t.Fatalf("only %d codes found in codes.go", len(codes))
	}
	for c, name := range codes {
		x, ok := Explain(c)
		if !ok {
			t.Errorf("%s (%d) is not explained", name, c)
			continue
		}
		if x.Name != name {
			t.Errorf("%d is explained as %s, the constant is %s", c, x.Name, name)
		}
		for _, s := range []string{x.TitleZh, x.TitleEn, x.FixZh, x.FixEn} {
			if strings.TrimSpace(s) == "" {
				t.Errorf("%s has an empty text", name)
			}
		}
	}
	if len(All()) != len(codes) {
		t.Errorf("%d texts for %d codes", len(All()), len(codes))
	}
}

// TestTextsAreInOrder: Explain searches them, and `mulian explain` lists them as they stand.
func TestTextsAreInOrder(t *testing.T) {
	all := All()
	for i := range len(all) - 1 {
		if all[i].Code >= all[i+1].Code {
			t.Errorf("%s (%d) stands before %s (%d)", all[i].Name, all[i].Code, all[i+1].Name, all[i+1].Code)
		}
	}
}

func TestCodeSurvivesWrapping(t *testing.T) {
	inner := Newf(EntryDrifted, "entry x")
	for _, tt := range []struct {
		err  error
		want Code
	}{
		{nil, OK},
		{errors.New("plain"), Internal},
		{inner, EntryDrifted},
		{fmt.Errorf("read: %w", inner), EntryDrifted},
		{Wrap(Malformed, inner, "outer"), EntryDrifted},
		{Wrap(Malformed, errors.New("plain"), "outer"), Malformed},
		{fmt.Errorf("call: %w", context.DeadlineExceeded), Timeout},
		{context.Canceled, Cancelled},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, DiskFull},
		{fmt.Errorf("spool: %w", syscall.EDQUOT), DiskFull},
	} {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
	if Wrap(Malformed, nil, "x") != nil {
		t.Error("Wrap(nil) is an error")
	}
}

// TestExitStatus holds the statuses of the command line's specification.
func TestExitStatus(t *testing.T) {
	for c, want := range map[Code]int{
		OK: 0, Internal: 1, Cancelled: 1, Usage: 2, NotFound: 3, Forbidden: 4, KeyRevoked: 4,
		EntryDrifted: 5, NoDuty: 5, Malformed: 5, Replayed: 5, Unreachable: 6, Timeout: 6, VerificationFailed: 7, LogRewritten: 7,
	} {
		if got := c.Exit(); got != want {
			t.Errorf("%v exits %d, want %d", c, got, want)
		}
	}
	if EntryDrifted.String() != "MUL-13018" {
		t.Errorf("EntryDrifted prints as %s", EntryDrifted)
	}
}
