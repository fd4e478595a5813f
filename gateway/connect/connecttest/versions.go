package connecttest

import (
	"errors"
	"testing"

	"mulian/gateway/connect"
)

// RunVersions runs statements on a table, and holds its version against them: after each of
// same it is what it was, after each of another one that it never was.
func RunVersions(t *testing.T, source connect.Source, table connect.TableName, run func(sql string), same, another []string) {
	t.Helper()
	f := source.(connect.Feeder)
	version := func() string {
		t.Helper()
		v, err := f.TableVersion(t.Context(), table)
		if err != nil || v == "" || len(v) > connect.MaxVersionBytes {
			t.Fatalf("version %q of %s: %v", v, table, err)
		}
		return v
	}
	was := version()
	for _, sql := range same {
		if run(sql); version() != was {
			t.Errorf("%s gives the table another version", sql)
			was = version()
		}
	}
	seen := map[string]bool{was: true}
	for _, sql := range another {
		run(sql)
		if v := version(); seen[v] {
			t.Errorf("%s gives the table no other version", sql)
		} else {
			seen[v] = true
		}
	}
	if _, err := f.TableVersion(t.Context(), connect.TableName{Schema: table.Schema, Name: "absent"}); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("the version of no table: %v", err)
	}
}
