package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/fault"
)

// unplaced are the keys of a data.json that an entry of ours has no place for: a
// record in which nothing else changes is unchanged for the ledger, and the report
// says that the key is not imported.
var unplaced = []string{"bureauCode", "programCode", "contactPoint", "dataQuality", "conformsTo", "describedBy", "describedByType", "references", "isPartOf", "systemOfRecords", "primaryITInvestmentUII", "@type"}

// unplacedFile are those of a distribution.
var unplacedFile = []string{"description", "conformsTo", "describedBy", "describedByType", "@type"}

// facts are the records of a data.json by identifier, as far as an entry can hold
// them, in a form in which equal records are equal bytes.
func facts(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, d := range datasets(t, raw) {
		var id string
		if err := json.Unmarshal(d["identifier"], &id); err != nil {
			t.Fatal(err)
		}
		for _, k := range unplaced {
			delete(d, k)
		}
		var files []map[string]any
		if list, ok := d["distribution"]; ok {
			if err := json.Unmarshal(list, &files); err != nil {
				t.Fatal(err)
			}
		}
		delete(d, "distribution")
		var text strings.Builder
		for _, f := range files {
			for _, k := range unplacedFile {
				delete(f, k)
			}
			fmt.Fprintln(&text, f) // maps are printed in the order of their keys
		}
		for _, k := range slices.Sorted(maps.Keys(d)) {
			var v any
			if err := json.Unmarshal(d[k], &v); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, k, v)
		}
		out[id] = text.String()
	}
	return out
}

// differ counts how many records are new, changed and gone.
func differ(before, after map[string]string) (added, changed, gone int) {
	for id, text := range after {
		was, ok := before[id]
		switch {
		case !ok:
			added++
		case was != text:
			changed++
		}
	}
	for id := range before {
		if _, ok := after[id]; !ok {
			gone++
		}
	}
	return added, changed, gone
}

// reimport is a desk with one order, and the town it stands in.
type reimport struct {
	*town
	t     *testing.T
	desk  *filing.Desk
	order filing.Order
}

func newReimport(t *testing.T, source string) *reimport {
	w := newTown(t, t.TempDir())
	return &reimport{
		town: w, t: t,
		desk:  &filing.Desk{Client: w.chain, Keys: w.ring(), Authority: w.authority.Account},
		order: filing.Order{Register: true, ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Source: source},
	}
}

// version imports a version and returns what became of it and how many events that
// made. Every time it is another desk: nothing is remembered but by the ledger.
func (r *reimport) version(path string, o filing.Order) (*filing.Outcome, int64, error) {
	r.t.Helper()
	before := r.events()
	plan, _, err := intake.MakePlan(r.t.Context(), path, intake.Options{TellApart: true})
	if err != nil {
		return nil, 0, err
	}
	r.desk = &filing.Desk{Client: r.chain, Keys: r.ring(), Authority: r.authority.Account}
	out, err := r.desk.Import(r.t.Context(), plan, o)
	return out, r.events() - before, err
}

// TestNewerVersionsOfFederalCatalogues: each version of two real catalogues, in the
// order in which they were published. What is sent is what a comparison of the raw
// JSON finds, an event for each, and nothing for bytes that say the same.
func TestNewerVersionsOfFederalCatalogues(t *testing.T) {
	for source, count := range map[string]int{"gsa": 8, "opm": 3} {
		t.Run(source, func(t *testing.T) {
			dir := sharedFile(t, "changes", source)
			paths, err := filepath.Glob(filepath.Join(dir, "*.data.json.gz"))
			if err != nil || len(paths) != count {
				t.Fatalf("%d versions, %v", len(paths), err)
			}
			r := newReimport(t, source)
			var before map[string]string
			var bytesBefore []byte
			still := 0
			for _, path := range paths { // by name: by date
				raw := unpacked(t, path)
				after := facts(t, raw)
				added, changed, gone := differ(before, after)
				out, events, err := r.version(path, r.order)
				r.ok(err)
				missing := 0
				if out.Lack != nil {
					missing = out.Lack.Missing
				}
				t.Logf("%s: %d records: %d new, %d changed, %d gone; %d transactions, %d events", filepath.Base(path), len(after), out.New, out.Changed, missing, out.Batches, events)
				if out.New != added || out.Changed != changed || missing != gone || out.Held+out.Refused+out.Withdrawn > 0 {
					t.Errorf("%s: %d new, %d changed, %d gone in the raw JSON; %+v", path, added, changed, gone, out)
				}
				if out.Unchanged != len(after)-added-changed {
					t.Errorf("%s: %d unchanged of %d", path, out.Unchanged, len(after))
				}
				if own := int64(added + changed + 2*out.Registered); events != own { // an organisation comes with a duty
					t.Errorf("%s: %d events, want %d", path, events, own)
				}
				if added+changed == 0 {
					if out.Batches != 0 || events != 0 {
						t.Errorf("%s: nothing changed, and it made %d transactions", path, out.Batches)
					}
					if !bytes.Equal(raw, bytesBefore) {
						still++
					}
				}
				before, bytesBefore = after, raw
			}
			// The catalogue of opm is the same in all versions, twice written in other bytes.
			if source == "opm" && still != 2 {
				t.Errorf("%d versions differ in bytes alone", still)
			}
		})
	}
}

// TestEqualContentInOtherBytes: keys and records in another order, other white
// space, other escapes, another encoding: no transaction.
func TestEqualContentInOtherBytes(t *testing.T) {
	path := sharedFile(t, "catalogues", "us", "gsa.data.json")
	r := newReimport(t, "gsa")
	first, _, err := r.version(path, r.order)
	r.ok(err)
	raw := unpacked(t, path)
	list := datasets(t, raw)
	slices.Reverse(list)
	other := map[string]any{"dataset": list}
	dense, err := json.Marshal(other)
	r.ok(err)
	airy, err := json.MarshalIndent(other, "\r\n", "\t\t ")
	r.ok(err)
	for name, text := range map[string][]byte{"dense.json": dense, "airy.json": airy, "ascii.json": ascii(dense), "bom.json": append([]byte("\ufeff"), airy...)} {
		file := r.path(name)
		r.ok(os.WriteFile(file, text, 0o600))
		out, events, err := r.version(file, r.order)
		r.ok(err)
		if out.Batches != 0 || events != 0 || out.Unchanged != first.New || out.Lack.Missing != 0 {
			t.Errorf("%s: %d events, %+v", name, events, out.Applied)
		}
	}
}

// ascii writes every character beyond ASCII as an escape.
func ascii(raw []byte) []byte {
	var out []byte
	for _, c := range string(raw) {
		switch {
		case c < 0x80:
			out = append(out, byte(c))
		case c > 0xffff:
			c -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return out
}

// TestPartOfAListIsHeld: one page of a portal's answer, a file that was cut off, one
// publisher's records gone: nothing is sent until a person has confirmed it. A few that
// are gone are named, and withdrawn when somebody wants it.
func TestPartOfAListIsHeld(t *testing.T) {
	path := sharedFile(t, "catalogues", "us", "gsa.data.json")
	r := newReimport(t, "gsa")
	first, _, err := r.version(path, r.order)
	r.ok(err)
	list := datasets(t, unpacked(t, path))
	write := func(name string, list []map[string]json.RawMessage) string {
		raw, err := json.Marshal(map[string]any{"dataset": list})
		r.ok(err)
		r.ok(os.WriteFile(r.path(name), raw, 0o600))
		return r.path(name)
	}
	refused := func(what, path string, missing int) {
		t.Helper()
		out, events, err := r.version(path, r.order)
		if !fault.Is(err, fault.PartialList) || events != 0 || out.Lack.Missing != missing || !strings.Contains(err.Error(), fmt.Sprintf("--confirm-missing %d", missing)) {
			t.Errorf("%s: %v, %d events, %+v", what, err, events, out)
		}
	}
	refused("one page", write("page.json", list[:100]), len(list)-100)
	publisher := func(d map[string]json.RawMessage) string {
		var p struct{ Name string }
		r.ok(json.Unmarshal(d["publisher"], &p))
		return p.Name
	}
	counts := map[string]int{}
	for _, d := range list {
		counts[publisher(d)]++
	}
	for p, n := range counts {
		if n < 5 || n > len(list)/10 {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(list), func(d map[string]json.RawMessage) bool { return publisher(d) == p })
		refused("all of one publisher", write("publisher.json", rest), n)
	}
	raw := unpacked(t, path)
	r.ok(os.WriteFile(r.path("cut.json"), raw[:len(raw)*9/10], 0o600))
	if _, events, err := r.version(r.path("cut.json"), r.order); err == nil || events != 0 {
		t.Errorf("a file that was cut off: %v, %d events", err, events)
	}

	// Three are gone. They are named, and nothing happens to them.
	less := write("less.json", append(slices.Clone(list[:50]), list[53:]...))
	out, events, err := r.version(less, r.order)
	r.ok(err)
	if events != 0 || out.Lack.Missing != 3 || len(out.Lack.Absent) != 3 || out.Withdrawn != 0 {
		t.Errorf("three are gone: %d events, %+v", events, out.Lack)
	}
	o := r.order
	o.Withdraw = true
	if out, events, err = r.version(less, o); err != nil || events != 3 || out.Withdrawn != 3 {
		t.Errorf("three are withdrawn: %v, %d events, %+v", err, events, out)
	}
	if out, events, err = r.version(less, o); err != nil || events != 0 || out.Lack.Missing != 0 || out.Unchanged != first.New-3 {
		t.Errorf("once more: %v, %d events, %+v", err, events, out)
	}
	// They come back: held, until somebody wants that.
	if out, events, err = r.version(path, r.order); err != nil || events != 0 || out.Held != 3 {
		t.Errorf("they are back: %v, %d events, %+v", err, events, out.Applied)
	}
	o = r.order
	o.Revive = true
	if out, events, err = r.version(path, o); err != nil || events != 3 || out.New != 3 {
		t.Errorf("they are revived: %v, %d events, %+v", err, events, out.Applied)
	}
	// What is confirmed is done: the number has to be right.
	o = r.order
	o.Withdraw, o.Confirm = true, len(list)-101
	if _, events, err = r.version(r.path("page.json"), o); !fault.Is(err, fault.PartialList) || events != 0 {
		t.Errorf("confirmed with another number: %v, %d events", err, events)
	}
	o.Confirm++
	if out, events, err = r.version(r.path("page.json"), o); err != nil || events != int64(o.Confirm) || out.Withdrawn != o.Confirm {
		t.Errorf("confirmed: %v, %d events, %d withdrawn", err, events, out.Withdrawn)
	}
	o = r.order
	o.Part = true
	if out, events, err = r.version(r.path("page.json"), o); err != nil || events != 0 || out.Lack != nil {
		t.Errorf("a part that is called one: %v, %d events", err, events)
	}
}
