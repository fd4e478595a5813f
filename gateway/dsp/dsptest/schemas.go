// Package dsptest has the official JSON schemas of the Dataspace Protocol for the
// tests of both sides. It is no part of the binary.
//
//	shared data ──▶ Schemas ──Check──▶ nil | what does not fit
//
// # Invariants
//
//  1. Nothing is loaded from the network: a reference outside the folder is an error.
//
// Sources: Dataspace Protocol 2025-1 (Eclipse, Apache-2.0), message schemas.
package dsptest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schemas are the compiled schemas, by the type of their message.
type Schemas struct {
	Dir string // of the protocol's files
	of  map[string]*jsonschema.Schema
}

const base = "https://w3id.org/dspace/2025/1/"

// Load compiles all schemas. It skips the test if the shared data is not there.
func Load(t testing.TB) *Schemas {
	t.Helper()
	s := &Schemas{Dir: filepath.Join(shared(t), "vectors", "dsp"), of: map[string]*jsonschema.Schema{}}
	if _, err := os.Stat(s.Dir); err != nil {
		t.Skip("SKIP no shared data: the schemas of the Dataspace Protocol")
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	var urls []string
	err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "-schema.json") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// Three schemas refer to a definition without the slash that makes it a pointer.
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.ReplaceAll(raw, []byte("#definitions/"), []byte("#/definitions/"))))
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		urls = append(urls, base+filepath.ToSlash(rel))
		return c.AddResource(base+filepath.ToSlash(rel), doc)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range urls {
		schema, err := c.Compile(u)
		if err != nil {
			t.Fatal(err)
		}
		s.of[strings.TrimSuffix(filepath.Base(u), "-schema.json")] = schema
	}
	return s
}

// Check validates one message of a type, "ContractRequestMessage".
func (s *Schemas) Check(kind string, raw []byte) error {
	schema := s.of[kebab(kind)]
	if schema == nil {
		return fmt.Errorf("there is no schema of %q", kind)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

// kebab is the name of a type as its file has it.
func kebab(kind string) string {
	var b strings.Builder
	for i, r := range kind {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// shared finds the folder with the shared data: beside the project, or where
// MULIAN_SHARED says.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MULIAN_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || dir == filepath.Dir(dir) {
			return filepath.Join(dir, "..", "shared", "data")
		}
	}
}
