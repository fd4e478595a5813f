package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// released is the schema that the cases below change, one thing at a time.
const released = `syntax = "proto3";
package mulian.share.v1;
import "google/protobuf/timestamp.proto";
option go_package = "mulian/gen/mulian/share/v1;sharev1";

message Request {
  reserved 9;
  reserved "phone";
  string id = 1;
  int64 rows = 2;
  repeated string items = 3;
  optional bool urgent = 4;
  oneof answer {
    string refusal = 5;
    bytes agreement = 6;
  }
  map<string, int64> quota = 7;
  google.protobuf.Timestamp at = 8;
  message Part { string name = 1; }
}

enum State {
  reserved 7;
  STATE_UNSPECIFIED = 0;
  STATE_RECEIVED = 1;
  STATE_REFUSED = 2;
}

service ShareService {
  rpc Get(Request) returns (Request);
  rpc Watch(Request) returns (stream Request);
}
`

func compileSource(t *testing.T, source string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "mulian", "share", "v1", "share.proto")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := compileTree(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s.descriptors()
}

func TestBrokenPromisesAreNamed(t *testing.T) {
	old := compileSource(t, released)
	const file = "mulian/share/v1/share.proto: mulian.share.v1."
	for _, c := range []struct{ name, from, to, want string }{
		{"field removed", "  string id = 1;\n", "", "Request.id: number 1 is gone"},
		{"field removed and reserved", "  string id = 1;\n", "  reserved 1;\n", "Request.id: number 1 is gone"},
		{"field renumbered", "string id = 1;", "string id = 10;", "Request.id: had number 1 and has 10"},
		{"field renamed", "string id = 1;", "string number = 1;", "Request.id: number 1 is now called number"},
		{"JSON name", "string id = 1;", `string id = 1 [json_name = "ID"];`, "Request.id: was id in JSON and is ID"},
		{"field retyped", "int64 rows = 2;", "uint64 rows = 2;", "Request.rows: was of type int64 and is uint64"},
		{"message retyped", "google.protobuf.Timestamp at", "Part at", "Request.at: was of type google.protobuf.Timestamp and is mulian.share.v1.Request.Part"},
		{"list made single", "repeated string items", "string items", "Request.items: was of type repeated string and is string"},
		{"single made list", "int64 rows", "repeated int64 rows", "Request.rows: was of type int64 and is repeated packed int64"},
		{"presence lost", "optional bool urgent", "bool urgent", "Request.urgent: was of type optional bool and is bool"},
		{"map value", "map<string, int64> quota", "map<string, int32> quota", "Request.quota: was of type map<string, int64> and is map<string, int32>"},
		{"left the oneof", "    bytes agreement = 6;\n  }", "  }\n  bytes agreement = 6;", "Request.agreement: was in oneof answer and is in no oneof"},
		{"reserved number used", "  reserved 9;\n", "  string mail = 9;\n", "Request.mail: uses a number or name that was reserved"},
		{"reserved name used", "  reserved \"phone\";\n", "  string phone = 12;\n", "Request.phone: uses a number or name that was reserved"},
		{"inner message removed", "  message Part { string name = 1; }\n", "", "Request.Part: is gone"},
		{"enum value removed", "  STATE_REFUSED = 2;\n", "", "STATE_REFUSED: number 2 is gone"},
		{"enum value renumbered", "STATE_REFUSED = 2;", "STATE_REFUSED = 3;", "STATE_REFUSED: had number 2 and has 3"},
		{"enum value renamed", "STATE_REFUSED = 2;", "STATE_DENIED = 2;", "STATE_REFUSED: number 2 is now called STATE_DENIED"},
		{"enum reserved number used", "  reserved 7;\n  STATE_UNSPECIFIED = 0;\n", "  STATE_UNSPECIFIED = 0;\n  STATE_NEW = 7;\n", "STATE_NEW: uses a number or name that was reserved"},
		{"method removed", "  rpc Get(Request) returns (Request);\n", "", "ShareService.Get: is gone"},
		{
			"method streams", "rpc Get(Request) returns (Request)", "rpc Get(Request) returns (stream Request)",
			"ShareService.Get: was (mulian.share.v1.Request) returns (mulian.share.v1.Request) and is (mulian.share.v1.Request) returns (stream mulian.share.v1.Request)",
		},
		{"method answers another message", "rpc Get(Request) returns (Request)", "rpc Get(Request) returns (Request.Part)", "ShareService.Get: was"},
		{"package moved", "package mulian.share.v1;", "package mulian.share.v2;", "Request: is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(released, c.from, c.to, 1)
			if changed == released {
				t.Fatalf("%q is not in the released schema", c.from)
			}
			breaks, err := incompatibilities(old, compileSource(t, changed))
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(breaks, "\n"); !strings.Contains(all, file+c.want) {
				t.Errorf("want %q, reported:\n%s", file+c.want, all)
			}
		})
	}
}

func TestAdditionsAreFree(t *testing.T) {
	changed := strings.NewReplacer(
		"string id = 1;", "string id = 1; // a comment\n  string basis = 20;",
		"STATE_REFUSED = 2;", "STATE_REFUSED = 2;\n  STATE_ENDED = 3;",
		"rpc Get(", "rpc List(Request) returns (Request);\n  rpc Get(",
		"service", "message Extra { string id = 1; }\nservice",
	).Replace(released)
	breaks, err := incompatibilities(compileSource(t, released), compileSource(t, changed))
	if err != nil || len(breaks) > 0 {
		t.Errorf("additions were refused: %v %q", err, breaks)
	}
}

// TestReleaseIsKept walks the command's own path: nothing released, the first
// release, a free change, a broken promise that neither -check nor -release lets pass.
func TestReleaseIsKept(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "proto", "mulian", "share", "v1", "share.proto")
	write := func(text string) {
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(check bool) error { return run(t.Context(), root, check, !check) }

	write(released)
	if err := run(true); err != nil {
		t.Fatalf("before the first release every change is free: %v", err)
	}
	if err := run(false); err != nil {
		t.Fatal(err)
	}
	write(strings.Replace(released, "string id = 1;", "string id = 1;\n  string basis = 20;", 1))
	if err := run(true); err != nil {
		t.Fatalf("an addition: %v", err)
	}
	write(strings.Replace(released, "int64 rows", "string rows", 1))
	for _, check := range []bool{true, false} {
		if err := run(check); err == nil {
			t.Errorf("check=%t let a retyped field pass", check)
		}
	}
	set, err := readReleased(filepath.Join(root, releasedFile))
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(set, sortedSet(compileSource(t, released))) {
		t.Error("a refused -release changed the released schema")
	}
}

func sortedSet(set *descriptorpb.FileDescriptorSet) *descriptorpb.FileDescriptorSet {
	sortFiles(set)
	return set
}
