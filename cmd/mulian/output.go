package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/internal/fault"
)

// fail prints an error as the person needs it: what happened, the code, what to
// do; and returns the exit status. With --json it is one line on stdout, like
// every other answer.
func (a *app) fail(err error) int {
	code := fault.CodeOf(err)
	if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "unknown shorthand") {
		code = fault.Usage
	}
	exit := code.Exit()
	f, ok := errors.AsType[*fault.Fault](err)
	if ok && f.Rule == "" && code > 11000 && code < 12000 && exit == 5 {
		exit = 1 // a file or flag of this machine; the chain was not asked
	}
	if a.json {
		line := map[string]any{"ok": false, "code": uint32(code), "error": err.Error()}
		if ok {
			line["rule"], line["item"] = f.Rule, f.Item
		}
		_ = json.NewEncoder(a.out).Encode(line)
		return exit
	}
	text := err.Error()
	if ok && f.Rule != "" {
		text += " [" + f.Rule + "]"
	}
	fmt.Fprintf(a.err, "mulian: %s %s\n", code, text)
	if x, ok := fault.Explain(code); ok && code != fault.Usage {
		fmt.Fprintf(a.err, "  %s %s\n", a.t("怎么办：", "what to do:"), a.t(x.FixZh, x.FixEn))
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
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table writes rows in columns; the first row is the header.
func table(w io.Writer, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	_ = tw.Flush() // the error is the writer's, and shows at the next write
}
