package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
)

// needle is one form of something that must not be found.
type needle struct {
	what string
	text []byte
}

// shortest is how many bytes a needle has at least: less would be found anywhere.
const shortest = 6

// forms are the ways in which a value may stand in a file: as it is, in GB18030 and UTF-16,
// as hex, and as base64 at each of its three alignments.
func forms(value string) (out []needle) {
	raw := map[string][]byte{"utf-8": []byte(value)}
	if b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(value)); err == nil {
		raw["gb18030"] = b
	}
	if b, err := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte(value)); err == nil {
		raw["utf-16"] = b
	}
	for name, b := range raw {
		out = append(out, bytesOf(value+" as "+name, b)...)
	}
	return out
}

// bytesOf are the forms of bytes.
func bytesOf(what string, b []byte) (out []needle) {
	add := func(form string, text []byte) {
		if len(text) >= shortest {
			out = append(out, needle{what + form, text})
		}
	}
	add("", b)
	add(", hex", []byte(hex.EncodeToString(b)))
	add(", HEX", []byte(strings.ToUpper(hex.EncodeToString(b))))
	for shift := range 3 {
		padded := append(make([]byte, shift), b...)
		for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := enc.EncodeToString(padded)
			text = text[(shift*8+5)/6:]
			if len(padded)%3 != 0 {
				text = text[:len(text)-1] // its last character has bits of what follows
			}
			add(fmt.Sprintf(", %s at %d", name, shift), []byte(text))
		}
	}
	return out
}

// found lists the needles that are in the content.
func found(content []byte, needles []needle) (out []string) {
	for _, n := range needles {
		if bytes.Contains(content, n.text) {
			out = append(out, n.what)
		}
	}
	return out
}

// inFiles searches all files below the places, and their names.
func inFiles(w place, needles []needle, places ...string) (out []string) {
	w.Helper()
	for _, root := range places {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil // a running store replaces its files
				}
				return err
			}
			content := []byte(path)
			if d.Type().IsRegular() {
				raw, err := os.ReadFile(path)
				if err != nil && !os.IsNotExist(err) {
					return err
				}
				content = append(content, raw...)
			}
			for _, what := range found(content, needles) {
				out = append(out, path+": "+what)
			}
			return nil
		})
		if err != nil {
			w.Fatalf("search %s: %v", root, err)
		}
	}
	return out
}

// onLedger searches everything that the ledger has, as it is before the store compresses it:
// every object, every event, every transaction. It returns how many bytes that were.
func (w *town) onLedger(needles []needle) (out []string, size int) {
	w.Helper()
	ctx := context.Background()
	look := func(where string, content []byte) {
		size += len(content)
		for _, what := range found(content, needles) {
			out = append(out, where+": "+what)
		}
	}
	w.ok(w.chain.List(ctx, "", func(key string, value []byte) bool {
		look("object "+key, append([]byte(key), value...))
		return true
	}))
	st, err := w.chain.Status(ctx)
	w.ok(err)
	for from := int64(0); from < st.GetEvents(); {
		res, err := w.member.Node.Events(ctx, from, 1000)
		w.ok(err)
		for i, e := range res.GetEvents() {
			raw, err := canon.Marshal(e)
			w.ok(err)
			look(fmt.Sprintf("event %d", from+int64(i)), raw)
		}
		from = res.GetNext()
	}
	for h := int64(1); h <= st.GetHeight(); h++ {
		res, err := w.chain.Ledger.GetBlock(ctx, connect.NewRequest(&ledgerv1.GetBlockRequest{Height: h}))
		w.ok(err)
		for i, raw := range res.Msg.GetEnvelopes() {
			look(fmt.Sprintf("transaction %d of block %d", i, h), raw)
		}
	}
	return out, size
}

// recorded is a place whose town keeps everything that its parts say, down to the smallest
// word, in a file.
type recorded struct {
	place
	file *os.File
}

// record makes one; the file is logs in dir.
func record(p place, dir string) recorded {
	p.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "logs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.Fatalf("%v", err)
	}
	p.Cleanup(func() { f.Close() })
	return recorded{p, f}
}

// twice gives each record to both: the file has all of them.
type twice struct{ shown, kept slog.Handler }

func (t twice) Enabled(context.Context, slog.Level) bool { return true }

func (t twice) Handle(ctx context.Context, r slog.Record) error {
	if t.shown.Enabled(ctx, r.Level) {
		_ = t.shown.Handle(ctx, r)
	}
	return t.kept.Handle(ctx, r)
}

func (t twice) WithAttrs(a []slog.Attr) slog.Handler {
	return twice{t.shown.WithAttrs(a), t.kept.WithAttrs(a)}
}

func (t twice) WithGroup(name string) slog.Handler {
	return twice{t.shown.WithGroup(name), t.kept.WithGroup(name)}
}

// handler is what a town's parts log to.
func handler(p place, level slog.Level) slog.Handler {
	text := func(w io.Writer, level slog.Level) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	if r, ok := p.(recorded); ok {
		return twice{text(p.Output(), level), text(r.file, slog.LevelDebug)}
	}
	return text(p.Output(), level)
}

// neverShows is the fence of a story: none of the values is on the ledger, in the index, in
// the boxes, in a gateway's access log or in what the parts said, in any form, and neither in
// their files. It is called at the story's end, while everything runs.
func (w *town) neverShows(values ...string) {
	w.Helper()
	var needles []needle
	for _, v := range values {
		needles = append(needles, forms(v)...)
	}
	hits, size := w.onLedger(needles)
	logs, err := filepath.Glob(w.path("gateway", "*", "log"))
	w.ok(err)
	indexes, err := filepath.Glob(w.path("index.db*"))
	w.ok(err)
	places := append(append([]string{w.path("node"), w.path("boxes"), w.path("logs")}, logs...), indexes...)
	for _, hit := range append(hits, inFiles(w, needles, places...)...) {
		w.Errorf("a planted value shows: %s", hit)
	}
	if size < 1_000 || len(indexes) == 0 {
		w.Errorf("only %d bytes of the ledger and %d files of the index were looked at", size, len(indexes))
	}
	if _, ok := w.place.(recorded); ok {
		if said, err := os.Stat(w.path("logs")); err != nil || said.Size() == 0 {
			w.Errorf("the parts of this town said nothing: %v", err)
		}
	}
}

// TestTheSearchSees: each form of a value is found where it stands; what is on the ledger is
// found there, in the index and in the logs; what is nowhere is not found.
func TestTheSearchSees(t *testing.T) {
	const value = "和平里 1 号"
	for _, n := range forms(value) {
		if got := found(append(append([]byte("noise "), n.text...), " noise"...), forms(value)); len(got) == 0 {
			t.Errorf("%s is not found", n.what)
		}
	}
	for shift := range 6 { // as a part of something longer that is encoded as a whole
		long := strings.Repeat("x", shift) + value + "，东城区"
		for name, text := range map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(long)), "hex": hex.EncodeToString([]byte(long))} {
			if len(found([]byte(text), forms(value))) == 0 {
				t.Errorf("%s behind %d bytes is not found", name, shift)
			}
		}
	}
	dir := t.TempDir()
	w := newTown(record(t, dir), dir)
	there := forms("机构编制委员会办公室")
	if hits, _ := w.onLedger(there); len(hits) == 0 {
		t.Errorf("on the ledger: %v", hits)
	}
	for _, name := range []string{"index.db", "logs"} {
		needles := there
		if name == "logs" {
			needles = forms("mulian.ledger.v1.LedgerService")
		}
		w.eventually("it is in "+name, func() bool {
			files, err := filepath.Glob(w.path(name + "*"))
			w.ok(err)
			return len(inFiles(w, needles, files...)) > 0
		})
	}
	w.neverShows("nobody ever said this")
}
