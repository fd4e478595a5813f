package client_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"mulian/internal/fault"
	"mulian/internal/wire"
)

// A procedure of the API, from the schema: one that is added is tried by itself.
type procedure struct {
	path    string
	in, out protoreflect.MessageDescriptor
	stream  bool
}

func procedures(t testing.TB) (out []procedure) {
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			if !strings.HasPrefix(string(s.FullName()), "mulian.") || strings.Contains(string(s.FullName()), ".gateway.") {
				continue
			}
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				out = append(out, procedure{fmt.Sprintf("/%s/%s", s.FullName(), m.Name()), m.Input(), m.Output(), m.IsStreamingServer()})
			}
		}
		return true
	})
	if len(out) < 25 {
		t.Fatalf("only %d procedures found", len(out))
	}
	slices.SortFunc(out, func(a, b procedure) int { return strings.Compare(a.path, b.path) })
	return out
}

// impatient gives up on an answer that never ends: a watch.
var impatient = &http.Client{Timeout: 20 * time.Second}

// try posts a body and judges the answer: a valid one, or a refusal with a code
// that `mulian explain` knows. It returns the code.
func try(t testing.TB, m *member, p procedure, contentType string, body []byte) fault.Code {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+m.address+p.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := impatient.Do(req)
	if err != nil {
		t.Fatalf("%s with %d bytes %s: the server did not answer: %v", p.path, len(body), contentType, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", p.path, err)
	}
	if res.StatusCode != http.StatusOK {
		return coded(t, p, body, res.Header.Get("Mulian-Code"), raw)
	}
	answer := dynamicpb.NewMessage(p.out)
	switch contentType {
	case "application/proto":
		err = proto.Unmarshal(raw, answer)
	case "application/json":
		err = protojson.Unmarshal(raw, answer)
	}
	if err != nil {
		t.Errorf("%s answers what is no %s: %v", p.path, p.out.FullName(), err)
	}
	return fault.OK
}

func coded(t testing.TB, p procedure, body []byte, header string, raw []byte) fault.Code {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(header, "MUL-"))
	c := fault.Code(n)
	if _, known := fault.Explain(c); err != nil || !known {
		t.Errorf("%s refuses %.60q without a code that is explained: %q %.200s", p.path, body, header, raw)
	}
	if c == fault.Internal {
		t.Errorf("%s calls %.60q a mistake of our own: %.200s", p.path, body, raw)
	}
	return c
}

// FuzzAPI: no body crashes a member; each gets a valid answer or a coded refusal.
func FuzzAPI(f *testing.F) {
	list := procedures(f)
	r := rand.New(rand.NewPCG(8, 9))
	for i, p := range list {
		if p.stream {
			continue
		}
		f.Add(uint8(i), true, []byte(nil))
		f.Add(uint8(i), false, []byte("{}"))
		for range 4 {
			f.Add(uint8(i), true, noise(r, p.in, 0))
			f.Add(uint8(i), false, noisyJSON(r, p.in))
		}
	}
	m := startFor(f)
	f.Fuzz(func(t *testing.T, which uint8, binary bool, body []byte) {
		p := list[int(which)%len(list)]
		if p.stream {
			return
		}
		contentType := "application/json"
		if binary {
			contentType = "application/proto"
		}
		try(t, m, p, contentType, body)
	})
}

// TestNoiseIsAnswered sends, with a fixed seed, thirty bodies of each kind to every
// procedure; the member lives and says so.
func TestNoiseIsAnswered(t *testing.T) {
	m := start(t)
	m.put("1", "核发规划许可")
	r := rand.New(rand.NewPCG(1, 2))
	codes := map[fault.Code]int{}
	n := 0
	for _, p := range procedures(t) {
		if p.stream {
			continue
		}
		for range 30 {
			codes[try(t, m, p, "application/proto", noise(r, p.in, 0))]++
			codes[try(t, m, p, "application/json", noisyJSON(r, p.in))]++
			n += 2
		}
		junk := make([]byte, r.IntN(300))
		for i := range junk {
			junk[i] = byte(r.Uint32())
		}
		codes[try(t, m, p, "application/proto", junk)]++
		codes[try(t, m, p, "application/json", junk)]++
	}
	if codes[fault.OK] == 0 || codes[fault.Malformed] == 0 || codes[fault.TooLong] == 0 || codes[fault.NotFound] == 0 {
		t.Errorf("the noise is too plain: %v", codes)
	}
	if _, err := m.client.Status(t.Context()); err != nil {
		t.Fatalf("the member does not live any more: %v", err)
	}
	t.Logf("%d bodies: %v", n, codes)
}

// noise is a message of the kind with values that nobody expects, and now and then
// fields of another type or none of its own.
func noise(r *rand.Rand, d protoreflect.MessageDescriptor, depth int) []byte {
	var b []byte
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if r.IntN(3) == 0 {
			continue
		}
		switch r.IntN(12) {
		case 0: // another wire type
			b = protowire.AppendTag(b, f.Number(), protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, r.Uint64())
			continue
		case 1: // torn
			b = protowire.AppendTag(b, f.Number(), protowire.BytesType)
			b = protowire.AppendVarint(b, 1<<40)
			continue
		case 2: // of the future
			b = protowire.AppendTag(b, protowire.Number(1000+r.IntN(1000)), protowire.BytesType)
			b = protowire.AppendBytes(b, []byte("later"))
		}
		switch f.Kind() {
		case protoreflect.MessageKind:
			if depth < 4 {
				b = protowire.AppendTag(b, f.Number(), protowire.BytesType)
				b = protowire.AppendBytes(b, noise(r, f.Message(), depth+1))
			}
		case protoreflect.StringKind, protoreflect.BytesKind:
			b = protowire.AppendTag(b, f.Number(), protowire.BytesType)
			b = protowire.AppendString(b, strange(r))
		default:
			b = protowire.AppendTag(b, f.Number(), protowire.VarintType)
			b = protowire.AppendVarint(b, []uint64{0, 1, 2, 1 << 31, 1 << 63, 1<<64 - 1, r.Uint64(), uint64(r.IntN(100))}[r.IntN(8)])
		}
	}
	return b
}

// strange is a text that somebody did not think of.
func strange(r *rand.Rand) string {
	texts := []string{
		"", "\x00", "\xff\xfe", "../../etc/passwd", "catalogue/duty/", "share/agreement/%00", "'; DROP TABLE objects; --", "\"*) OR (\"", "NEAR(a b)", "-", "*", "许可", "a AND", "{}",
		"11110000MULN00010J", "11110000MULN00010J:1", "catalogue/duty/11110000MULN00010J:1", "0123456789abcdef", strings.Repeat("长", 200), strings.Repeat("x", 600), strings.Repeat("/", 100_000),
		"9223372036854775808", "-1", "\u202e\ufeff", strings.Repeat("\U0001F9FF", 30),
	}
	return texts[r.IntN(len(texts))]
}

// noisyJSON is an object with the message's field names and values of any type.
func noisyJSON(r *rand.Rand, d protoreflect.MessageDescriptor) []byte {
	o := map[string]any{}
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); r.IntN(3) > 0 {
			name := string(f.Name())
			if r.IntN(2) == 0 {
				name = f.JSONName()
			}
			o[name] = []any{strange(r), r.Int64(), -1, 1.5, 1e300, true, nil, []any{}, map[string]any{}, []any{strange(r)}, "AAAA"}[r.IntN(11)]
		}
	}
	if r.IntN(10) == 0 {
		o["nothing_of_ours"] = strange(r)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // values of our own making
	}
	if r.IntN(10) == 0 {
		raw = raw[:r.IntN(len(raw))]
	}
	return raw
}

// TestBoundsOfABody: too large, too deep, of another kind or another method: each is
// refused with a code before it costs anything.
func TestBoundsOfABody(t *testing.T) {
	m := start(t)
	p := procedures(t)[0]
	for _, q := range procedures(t) {
		if q.path == submit {
			p = q
		}
	}
	huge := wire.MaxMessageBytes + 1
	for name, c := range map[string]struct {
		contentType string
		body        []byte
	}{
		"too large":             {"application/proto", make([]byte, huge)},
		"too large, one field":  {"application/proto", protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), make([]byte, huge))},
		"too large JSON":        {"application/json", append([]byte(`{"envelope":"`), bytes.Repeat([]byte("A"), huge)...)},
		"deep JSON":             {"application/json", bytes.Repeat([]byte("["), 1<<20)},
		"deep objects":          {"application/json", bytes.Repeat([]byte(`{"envelope":`), 1<<18)},
		"deep in a known field": {"application/json", []byte(`{"envelope":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}")},
		"plain text":            {"text/plain", []byte("hello")},
		"a form":                {"application/x-www-form-urlencoded", []byte("envelope=1")},
		"no type":               {"", []byte("{}")},
		"a type of nonsense":    {"application/json; charset=utf-7; x=" + strings.Repeat("y", 1000), []byte("{}")},
		"xml":                   {"application/xml", []byte("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")},
	} {
		t.Run(name, func(t *testing.T) {
			if code := try(t, m, p, c.contentType, c.body); code == fault.OK {
				t.Error("it was accepted")
			}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, "http://"+m.address+p.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := impatient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode < 400 || coded(t, p, nil, res.Header.Get("Mulian-Code"), nil) == fault.OK {
			t.Errorf("%s: %s", method, res.Status)
		}
	}
	if code := try(t, m, procedure{path: "/mulian.ledger.v1.LedgerService/Nothing", out: p.out}, "application/json", []byte("{}")); code != fault.NotFound {
		t.Errorf("a procedure that is not there: %v", code)
	}
	if _, err := m.client.Status(t.Context()); err != nil {
		t.Fatalf("the member does not live any more: %v", err)
	}
}

// TestStreamsAndFrames sends torn and lying frames of the streaming and gRPC
// protocols. Their codes travel in trailers; what counts here is an end, not a crash.
func TestStreamsAndFrames(t *testing.T) {
	m := start(t)
	frame := func(flags byte, length uint32, body []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{flags}, length), body...)
	}
	for _, p := range procedures(t) {
		for _, contentType := range []string{"application/connect+proto", "application/connect+json", "application/grpc", "application/grpc-web+proto"} {
			for _, body := range [][]byte{nil, {0}, frame(0, 1<<31, nil), frame(0, 5, []byte{1}), frame(1, 3, []byte("abc")), frame(0xff, 0, nil), frame(0, 4, []byte{0xff, 0xff, 0xff, 0xff})} {
				req, err := http.NewRequest(http.MethodPost, "http://"+m.address+p.path, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", contentType)
				res, err := impatient.Do(req)
				if err != nil {
					t.Fatalf("%s %s %x: %v", p.path, contentType, body, err)
				}
				if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
					t.Errorf("%s %s %x: %v", p.path, contentType, body, err)
				}
				res.Body.Close()
				if res.StatusCode >= 500 {
					t.Errorf("%s %s %x: %s", p.path, contentType, body, res.Status)
				}
			}
		}
	}
	if _, err := m.client.Status(t.Context()); err != nil {
		t.Fatalf("the member does not live any more: %v", err)
	}
}

// TestSlowHeadersAreCutOff: who dribbles a header holds a connection for a bounded
// time only (server: 10 s).
func TestSlowHeadersAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the bound of 10 s")
	}
	t.Parallel()
	m := start(t)
	c, err := net.Dial("tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.SetReadDeadline(began.Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil || time.Since(began) > 15*time.Second {
		t.Errorf("the connection was open for %v: %v", time.Since(began), err)
	}
}
