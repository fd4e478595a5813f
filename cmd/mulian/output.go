package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/width"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/internal/fault"
)

// fail prints an error as the person needs it: what happened, the code, what to
// do; and returns the exit status. With --json it is one line on stdout, like
// every other answer.
func (a *app) fail(err error) int {
	code, exit := fault.CodeOf(err), exitOf(err)
	f, ok := errors.AsType[*fault.Fault](err)
	if a.json {
		line := map[string]any{"ok": false, "code": uint32(code), "error": err.Error(), "rule": "", "item": 0}
		if ok {
			line["rule"], line["item"] = f.Rule, f.Item
		}
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(line)
		return exit
	}
	text := err.Error()
	if ok && f.Rule != "" {
		text += " [" + f.Rule + "]"
	}
	x, explained := fault.Explain(code)
	if explained && code != fault.Usage && !strings.Contains(text, a.t(x.TitleZh, x.TitleEn)) {
		text = a.t(x.TitleZh+"：", x.TitleEn+": ") + text
	}
	fmt.Fprintf(a.err, "mulian: %s %s\n", code, text)
	if explained && code != fault.Usage {
		fmt.Fprintf(a.err, "  %s %s\n", a.t("怎么办：", "what to do:"), a.t(x.FixZh, x.FixEn))
	}
	return exit
}

// exitOf is the exit status of an error.
func exitOf(err error) int {
	code := fault.CodeOf(err)
	exit := code.Exit()
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Rule == "" && code > 11000 && code < 12000 && exit == 5 {
		return 1 // a file or flag of this machine; the chain was not asked
	}
	return exit
}

// say prints a line for people on stderr, unless --quiet or --json.
func (a *app) say(format string, args ...any) {
	if a.quiet || a.json {
		return
	}
	fmt.Fprintf(a.err, format+"\n", args...)
}

// print writes one answer: v as JSON with --json, else what text prints.
func (a *app) print(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.out)
		return nil
	}
	if m, ok := v.(proto.Message); ok {
		return a.printProto(m)
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printProto writes a message as one line of JSON with its field names as in the
// schema. protojson varies its blanks on purpose, so the line is compacted.
func (a *app) printProto(m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("print %T: %w", m, err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("print %T: %w", m, err)
	}
	if fields, ok := v.(map[string]any); ok {
		tellEmpty(m.ProtoReflect().Descriptor(), fields)
	}
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// tellEmpty adds what protojson leaves out of a page that has nothing: its total, 0,
// and its lists. A script reads them without asking first whether they are there.
func tellEmpty(d protoreflect.MessageDescriptor, fields map[string]any) {
	total := d.Fields().ByName("total")
	if total == nil || total.IsList() {
		return
	}
	if _, ok := fields["total"]; !ok {
		fields["total"] = 0
		if k := total.Kind(); k == protoreflect.Int64Kind || k == protoreflect.Uint64Kind {
			fields["total"] = "0" // as protojson writes 64 bits
		}
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if _, ok := fields[string(f.Name())]; !ok && f.IsList() {
			fields[string(f.Name())] = []any{}
		}
	}
}

// table writes rows in columns, two blanks between them; a header comes first. A
// Chinese character is two columns wide, as terminals show it.
func table(w io.Writer, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell)
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// columns is how wide a text is on a terminal.
func columns(text string) int {
	n := 0
	for _, r := range text {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
