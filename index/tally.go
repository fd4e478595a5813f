package index

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
)

// tally counts the values of the facets over rows.
type tally struct {
	board *board
	rows  []rowNumber
	kinds [orderItem + 1]int64
	orgs  []int64
	bytes [5][256]int64 // share type, format, cycle, grade, state
}

func newTally(b *board) *tally { return &tally{board: b} }

// counted are the facets of [tally].bytes.
var counted = [5]struct {
	name  string
	shift int
	value protoreflect.EnumDescriptor
}{
	{"share_type", atShare, cataloguev1.ShareType(0).Descriptor()},
	{"format", atFormat, cataloguev1.Format(0).Descriptor()},
	{"update_cycle", atCycle, cataloguev1.UpdateCycle(0).Descriptor()},
	{"grade", atGrade, cataloguev1.Grade(0).Descriptor()},
	{"state", atState, cataloguev1.EntryState(0).Descriptor()},
}

func (t *tally) count() {
	b := t.board
	b.mu.RLock()
	defer b.mu.RUnlock()
	t.orgs = make([]int64, len(b.names))
	for _, n := range t.rows {
		t.kinds[n.order()]++
		o := n.object()
		if int(o) >= len(b.traits) {
			continue // so new that the board has not got it yet
		}
		t.orgs[b.org[o]]++
		for i := range counted {
			v := b.traits[o].at(counted[i].shift)
			if counted[i].shift == atShare {
				v = n.share() // an item may have its own
			}
			t.bytes[i][v]++
		}
	}
}

// facets writes the counts, each facet's commonest values first. What has no value is
// not counted.
func (t *tally) facets(ctx context.Context, tx *sql.Tx) ([]*cataloguev1.Facet, error) {
	kind := &cataloguev1.Facet{Name: "kind"}
	for o, n := range t.kinds {
		if n > 0 {
			kind.Values = append(kind.Values, &cataloguev1.FacetValue{Value: enumName(hitKinds[order(o)].Descriptor(), int32(hitKinds[order(o)])), Count: n})
		}
	}
	org := &cataloguev1.Facet{Name: "org"}
	for i, n := range t.orgs {
		if i > 0 && n > 0 {
			org.Values = append(org.Values, &cataloguev1.FacetValue{Value: t.board.orgName(i), Count: n})
		}
	}
	out := []*cataloguev1.Facet{kind, org}
	for i, c := range counted {
		f := &cataloguev1.Facet{Name: c.name}
		for v, n := range t.bytes[i] {
			if v > 0 && n > 0 {
				f.Values = append(f.Values, &cataloguev1.FacetValue{Value: enumName(c.value, int32(v)), Count: n})
			}
		}
		out = append(out, f)
	}
	for _, f := range out {
		slices.SortFunc(f.Values, func(a, b *cataloguev1.FacetValue) int {
			return cmp.Or(cmp.Compare(b.GetCount(), a.GetCount()), cmp.Compare(a.GetValue(), b.GetValue()))
		})
		f.Values = f.Values[:min(len(f.Values), maxFacetValues)]
	}
	names := namesOf(ctx, tx)
	for _, v := range org.Values {
		name, err := names(v.GetValue())
		if err != nil {
			return nil, err
		}
		v.Label = name
	}
	return out, nil
}

func (b *board) orgName(i int) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.names[i]
}

// enumName is a value's name in lower case without the name of its list: "conditional".
func enumName(list protoreflect.EnumDescriptor, n int32) string {
	v := list.Values().ByNumber(protoreflect.EnumNumber(n))
	if v == nil {
		return fmt.Sprint(n)
	}
	prefix := strings.TrimSuffix(string(list.Values().ByNumber(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
}

// namesOf returns a reader of organisations' names, which asks for each once.
func namesOf(ctx context.Context, tx *sql.Tx) func(org string) (string, error) {
	known := map[string]string{"": ""}
	return func(org string) (string, error) {
		if n, ok := known[org]; ok {
			return n, nil
		}
		var value []byte
		err := tx.QueryRowContext(ctx, "SELECT value FROM object WHERE key = ?", Account+org).Scan(&value)
		if err != nil && err != sql.ErrNoRows {
			return "", fmt.Errorf("index: name of %s: %w", org, err)
		}
		a := &identityv1.Account{}
		if err := proto.Unmarshal(value, a); err != nil {
			return "", fmt.Errorf("index: account %s: %w", org, err)
		}
		known[org] = cmp.Or(a.GetProfile().GetName(), a.GetName())
		return known[org], nil
	}
}
