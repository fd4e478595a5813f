package canon

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nested returns a value of the given levels: each list is two messages.
func nested(levels int) *structpb.Value {
	v := structpb.NewBoolValue(true)
	for range levels {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	return v
}

// TestRefuses walks the refusals in their order. A row also breaks rules that are
// checked later, and so proves that the earlier one wins.
func TestRefuses(t *testing.T) {
	tag := func(n protowire.Number, w protowire.Type) []byte { return protowire.AppendTag(nil, n, w) }
	sec := marshal(t, &durationpb.Duration{Seconds: 5})
	nanos := marshal(t, &durationpb.Duration{Nanos: 7})
	unknown := protowire.AppendVarint(tag(9, protowire.VarintType), 1)
	deep := marshal(t, nested(17)) // 35 levels
	tooDeep := marshal(t, nested(60))
	var wide structpb.ListValue
	for range 70_000 {
		wide.Values = append(wide.Values, &structpb.Value{})
	}
	cat := func(bs ...[]byte) []byte { return bytes.Join(bs, nil) }
	tests := []struct {
		name string
		raw  []byte
		into proto.Message
		want error
	}{
		{"too large, and nonsense", bytes.Repeat([]byte{0xff}, Default.Bytes+1), &durationpb.Duration{}, ErrTooLarge},
		{"nonsense", []byte{0xff}, &durationpb.Duration{}, ErrMalformed},
		{"cut", sec[:1], &durationpb.Duration{}, ErrMalformed},
		{"text that is not UTF-8", []byte{0x0a, 1, 0xff}, &wrapperspb.StringValue{}, ErrMalformed},
		{"deeper than the decoder goes", tooDeep, &structpb.Value{}, ErrMalformed},
		{"too deep, with an unknown field", cat(deep, unknown), &structpb.Value{}, ErrTooDeep},
		{"too many, with an unknown field", cat(marshal(t, &wide), unknown), &structpb.ListValue{}, ErrTooMany},
		{"unknown field, fields out of order", cat(unknown, sec), &durationpb.Duration{}, ErrUnknownField},
		{"unknown field inside", cat([]byte{0x0a, byte(len(unknown))}, unknown), &structpb.ListValue{}, ErrUnknownField},
		{"unknown field in a map's value", cat([]byte{0x0a, byte(5 + len(unknown)), 0x0a, 1, 'k', 0x12, byte(len(unknown))}, unknown), &structpb.Struct{}, ErrUnknownField},
		{"unknown group", cat(tag(9, protowire.StartGroupType), tag(9, protowire.EndGroupType)), &durationpb.Duration{}, ErrUnknownField},
		{"fields out of order", cat(nanos, sec), &durationpb.Duration{}, ErrNotCanonical},
		{"a field twice", cat(sec, sec), &durationpb.Duration{}, ErrNotCanonical},
		{"a default that is written", cat(tag(1, protowire.VarintType), []byte{0}), &durationpb.Duration{}, ErrNotCanonical},
		{"a number longer than needed", cat(tag(1, protowire.VarintType), []byte{0x85, 0}), &durationpb.Duration{}, ErrNotCanonical},
		{"a tag longer than needed", []byte{0x88, 0, 5}, &durationpb.Duration{}, ErrNotCanonical},
		{"map keys out of order", mapOf("b", "a"), &structpb.Struct{}, ErrNotCanonical},
		{"a map key twice", mapOf("a", "a"), &structpb.Struct{}, ErrNotCanonical},
		{"right", cat(sec, nanos), &durationpb.Duration{}, nil},
		{"right, empty", nil, &durationpb.Duration{}, nil},
		{"right, map", mapOf("a", "b"), &structpb.Struct{}, nil},
		{"right, deep", marshal(t, nested(15)), &structpb.Value{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 5 { // the walk over a map has another order each time
				if err := Check(tt.raw, tt.into); !errors.Is(err, tt.want) {
					t.Fatalf("%v, want %v", err, tt.want)
				}
			}
		})
	}
}

// mapOf encodes a struct with these keys in this order, all null.
func mapOf(keys ...string) (raw []byte) {
	for _, k := range keys {
		entry := append(protowire.AppendString([]byte{0x0a}, k), 0x12, 2, 0x08, 0)
		raw = protowire.AppendBytes(append(raw, 0x0a), entry)
	}
	return raw
}

func TestLimits(t *testing.T) {
	raw := marshal(t, nested(3)) // levels: 7 messages on one path
	for _, tt := range []struct {
		l    Limits
		want error
	}{
		{Limits{}, nil},
		{Limits{Bytes: len(raw), Depth: 7, Elements: 7}, nil},
		{Limits{Bytes: len(raw) - 1}, ErrTooLarge},
		{Limits{Depth: 6}, ErrTooDeep},
		{Limits{Elements: 6}, ErrTooMany},
	} {
		if err := tt.l.Check(raw, &structpb.Value{}); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.l, err, tt.want)
		}
	}
	list := marshal(t, &fieldmaskpb.FieldMask{Paths: []string{"a", "b", "c"}})
	if err := (Limits{Elements: 3}).Check(list, &fieldmaskpb.FieldMask{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("a list of texts counts: %v", err)
	}
	if err := (Limits{Elements: 4}).Check(list, &fieldmaskpb.FieldMask{}); err != nil {
		t.Error(err)
	}
}

// TestCheckEmpties: what was in the message before is gone.
func TestCheckEmpties(t *testing.T) {
	m := &durationpb.Duration{Seconds: 9, Nanos: 9}
	if err := Check(marshal(t, &durationpb.Duration{Nanos: 1}), m); err != nil || m.Seconds != 0 || m.Nanos != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// TestMarshalIsCanonical holds the law of the package for random messages with
// maps: Check(Marshal(m)) accepts, and a copy built in another order has the same
// bytes.
func TestMarshalIsCanonical(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return rapid.String().Draw(t, "text")
		case 1:
			return float64(rapid.Int32().Draw(t, "number"))
		case 2:
			return rapid.Bool().Draw(t, "bool")
		}
		return nil
	})
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.MapOf(rapid.String(), value).Draw(t, "fields")
		list := []any{fields, "x", []any{fields}}
		a, err := structpb.NewList(list)
		if err != nil {
			t.Skip(err) // text that is not UTF-8
		}
		b := proto.Clone(a)
		ra, err := Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		rb, err := Marshal(b)
		if err != nil || !bytes.Equal(ra, rb) {
			t.Fatalf("two forms of one message: %v", err)
		}
		back := &structpb.ListValue{}
		if err := Check(ra, back); err != nil || !proto.Equal(a, back) {
			t.Fatalf("own form is refused: %v", err)
		}
	})
}

func TestMarshalRefuses(t *testing.T) {
	if _, err := Marshal(wrapperspb.String("\xff")); err == nil || !strings.Contains(err.Error(), "StringValue") {
		t.Errorf("text that is not UTF-8: %v", err)
	}
}

// TestFrameIsInjective: parts cut in another way, another count, or another domain
// never give the same bytes; and digest and frame agree.
func TestFrameIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(0, 2), 0, 10), 0, 4)
		domain := rapid.SampledFrom([]string{"a", "b", "a\x00"})
		d1, p1, d2, p2 := domain.Draw(t, "d1"), gen.Draw(t, "p1"), domain.Draw(t, "d2"), gen.Draw(t, "p2")
		same := d1 == d2 && fmt.Sprint(p1) == fmt.Sprint(p2)
		if bytes.Equal(Frame(d1, p1...), Frame(d2, p2...)) != same || (Digest(d1, p1...) == Digest(d2, p2...)) != same || (DigestSM3(d1, p1...) == DigestSM3(d2, p2...)) != same {
			t.Fatalf("(%q %v) and (%q %v)", d1, p1, d2, p2)
		}
	})
	if bytes.Equal(Frame("d", []byte("ab"), nil), Frame("d", []byte("a"), []byte("b"))) || bytes.Equal(Frame("d"), Frame("d", nil)) {
		t.Error("frames meet")
	}
}

// TestGolden pins bytes that are hashed and signed. A change of them is a change of
// the chain. The digests were computed with openssl over the frame.
func TestGolden(t *testing.T) {
	frame := Frame("mulian/tx/v1", []byte("jinan-1"), nil, []byte{1, 2})
	if got := hex.EncodeToString(frame); got != "000000000000000c6d756c69616e2f74782f763100000000000000076a696e616e2d31000000000000000000000000000000020102" {
		t.Errorf("frame %s", got)
	}
	for name, d := range map[string][32]byte{
		"SHA256": Digest("mulian/tx/v1", []byte("jinan-1"), nil, []byte{1, 2}),
		"SM3":    DigestSM3("mulian/tx/v1", []byte("jinan-1"), nil, []byte{1, 2}),
	} {
		if got := hex.EncodeToString(d[:]); got != goldenDigests[name] {
			t.Errorf("%s %s, want %s", name, got, goldenDigests[name])
		}
	}
	s, err := structpb.NewStruct(map[string]any{"证": "x", "b": 1.5, "a": nil, "": []any{true}})
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(marshal(t, s)); got != goldenStruct {
		t.Errorf("struct %s", got)
	}
}

// FuzzCheck: no bytes make Check panic, and what it accepts is what Marshal writes.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{0x08, 5})
	f.Add(mapOf("a", "b"))
	f.Add(mapOf("b", "a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []proto.Message{&structpb.Struct{}, &structpb.ListValue{}, &durationpb.Duration{}, &fieldmaskpb.FieldMask{}} {
			err := Check(raw, m)
			if again := Check(raw, m); fmt.Sprint(err) != fmt.Sprint(again) && !errors.Is(err, ErrMalformed) {
				t.Errorf("two answers: %v and %v", err, again)
			}
			if err != nil {
				continue
			}
			if out, err := Marshal(m); err != nil || !bytes.Equal(out, raw) {
				t.Errorf("accepted %x, written %x: %v", raw, out, err)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	raw := marshal(b, nested(10))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if err := Check(raw, &structpb.Value{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	part := make([]byte, 380)
	for b.Loop() {
		Digest("mulian/tx/v1", part, part[:20])
	}
}

var goldenDigests = map[string]string{
	"SHA256": "e69600a143ecf57b60a983c1a4864ca450fbbe2453abc6c3f77deee00d0ab8d7",
	"SM3":    "b2e54bcc04346f905a8908ce132ad56401b7af3c028f7c9f380d61b1d5fa8fe1",
}

// Written by hand from the encoding guide: keys in the order of their bytes.
const goldenStruct = "0a0a0a00120632040a0220010a070a0161120208000a0e0a0162120911000000000000f83f0a0a0a03e8af8112031a0178"
