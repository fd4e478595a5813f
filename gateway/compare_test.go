package gateway_test

import (
	"slices"
	"strings"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestCopyIsCompared: through the two gateways, by digests alone; each difference is found
// in a small range, of the rows and columns that are agreed; each question is in the log,
// with no rows; and it ends with the agreement.
func TestCopyIsCompared(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(5000)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	whole := w.agree(byBatch, nil)
	if _, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: whole, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	compare := func(agreement, table string) (*gatewayv1.CompareResponse, error) {
		res, err := gateway.Control(w.waterConfig().Home).Compare(t.Context(), rpc.NewRequest(&gatewayv1.CompareRequest{Agreement: agreement, Table: table}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		return res.Msg, nil
	}
	r, err := compare(whole, "permits")
	if err != nil || len(r.Differences) != 0 || r.Rows != 5000 || r.OtherRows != 5000 || r.Questions != 1 || !slices.Equal(r.Key, []string{"permit_no"}) {
		t.Fatalf("equal tables: %v, %v", r, err)
	}
	w.exec(w.own, "UPDATE permits SET area = 1.25 WHERE permit_no = 'P0000123'")
	w.exec(w.permits, "DELETE FROM permit WHERE no = 'P0003000'")
	w.exec(w.permits, "INSERT INTO permit VALUES ('P9999999', 'new', 3, '2026-01-01', 'x')")
	w.exec(w.permits, "UPDATE permit SET note = 'not agreed'")
	if r, err = compare(whole, "permits"); err != nil || len(r.Differences) != 3 || !r.Narrowed {
		t.Fatalf("%v, %v", r, err)
	}
	for i, key := range []string{"P0000123", "P0003000", "P9999999"} {
		d := r.Differences[i]
		after, upTo := d.GetAfter().GetValues(), d.GetUpTo().GetValues()
		if d.Rows > 64 || len(after) > 0 && after[0].Text >= key || len(upTo) > 0 && upTo[0].Text < key {
			t.Errorf("%s lies in %v", key, d)
		}
	}
	if strings.Contains(r.String(), "P9999999") {
		t.Error("a key is told that only the other side has")
	}
	if last := r.Differences[2]; last.OtherRows != last.Rows+1 {
		t.Errorf("a row more: %v", last)
	}
	asked, completed := uint32(0), 0
	for n := range door.Records().Size() {
		e, err := door.Records().Record(n)
		if err != nil {
			t.Fatal(err)
		}
		if e.Record.GetDelivery() != 0 || e.Record.GetOutcome() != tracev1.Outcome_OUTCOME_COMPLETED {
			continue
		}
		if asked++; e.Record.GetRows() != 0 || e.Record.GetAgreement() != whole || len(e.Record.GetItems()) != 4 {
			t.Errorf("record %v", e.Record)
		}
		completed++
	}
	if asked != r.Questions+1 || r.Questions > 6 {
		t.Errorf("%d records of %d questions", asked, r.Questions)
	}

	// Of a scope, and masked, the copy is what was given.
	scoped := w.agree(byBatch, func(m *sharev1.Terms) {
		m.RowScope = `no < "P0001000" && project != "项目 7"`
		m.Masks = []*sharev1.Mask{{Entry: w.entry, Item: "issued", Kind: sharev1.MaskKind_MASK_KIND_YEAR}}
	})
	if _, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: scoped, Entry: w.entry, Into: connect.TableName{Name: "some"}}); err != nil {
		t.Fatal(err)
	}
	if r, err = compare(scoped, "some"); err != nil || len(r.Differences) != 0 || r.Rows != 999 || r.OtherRows != 999 {
		t.Fatalf("of a scope: %v, %v", r, err)
	}
	w.exec(w.own, "DELETE FROM some WHERE permit_no = 'P0000500'")
	if r, err = compare(scoped, "some"); err != nil || len(r.Differences) != 1 || r.Differences[0].OtherRows != r.Differences[0].Rows+1 {
		t.Fatalf("of a scope: %v, %v", r, err)
	}

	_, err = compare(scoped, "permits")
	want(t, fault.Malformed, err) // its column issued is another
	_, err = compare(w.agree(byQuery, nil), "permits")
	want(t, fault.FormatMethodMismatch, err)
	_, err = compare(w.agree(byBatch, func(m *sharev1.Terms) {
		m.Masks = []*sharev1.Mask{{Entry: w.entry, Item: "no", Kind: sharev1.MaskKind_MASK_KIND_HASH}}
	}), "permits")
	want(t, fault.FormatMethodMismatch, err)
	_, err = compare(w.agree(byBatch, func(m *sharev1.Terms) { m.MaxCallsPerDay = 2 }), "permits")
	want(t, fault.DailyLimit, err) // a question is a call
	w.must(w.planning, &sharev1.SuspendAgreement{Agreement: whole, Cause: "核查"})
	_, err = compare(whole, "permits")
	want(t, fault.AgreementSuspended, err)
}

// TestHostileComparisons: what is asked for is in bounds, of the entry's key, and of a
// comparison that was begun.
func TestHostileComparisons(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	r, agreement := w.rogue(door), w.agree(byBatch, nil)
	keys := func(values ...connect.Value) []byte {
		var rows []connect.Row
		for _, v := range values {
			rows = append(rows, connect.Row{v})
		}
		raw, err := connect.EncodeRows(1, rows)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	permit := func(n string) connect.Value { return connect.TextValue("P00000" + n) }
	name := strings.Repeat("a", 16)
	ask := func(edit func(*gatewayv1.CompareBody)) error {
		b := r.body(agreement, nil)
		c := &gatewayv1.CompareBody{Agreement: agreement, Entry: w.entry, Purpose: "排水许可审批", Comparison: name, Ranges: []*gatewayv1.CompareRange{{}}}
		if edit != nil {
			edit(c)
		}
		b.Kind = &gatewayv1.RequestBody_Compare{Compare: c}
		_, err := r.client.Compare(t.Context(), rpc.NewRequest(r.sign(b)))
		if err != nil {
			return wire.Fault(err)
		}
		return nil
	}
	one := func(x *gatewayv1.CompareRange) func(*gatewayv1.CompareBody) {
		return func(c *gatewayv1.CompareBody) { c.Ranges = []*gatewayv1.CompareRange{x} }
	}
	want(t, fault.NotFound, ask(one(&gatewayv1.CompareRange{After: keys(permit("10"))}))) // not begun
	want(t, fault.OK, ask(nil))
	want(t, fault.OK, ask(one(&gatewayv1.CompareRange{After: keys(permit("10")), UpTo: keys(permit("90")), Bounds: keys(permit("20"), permit("30"))})))
	for what, tried := range map[string]struct {
		code fault.Code
		edit func(*gatewayv1.CompareBody)
	}{
		"of another name": {fault.NotFound, func(c *gatewayv1.CompareBody) {
			c.Comparison, c.Ranges[0].After = strings.Repeat("b", 16), keys(permit("10"))
		}},
		"a name too short":    {fault.Malformed, func(c *gatewayv1.CompareBody) { c.Comparison = "a" }},
		"no ranges":           {fault.Malformed, func(c *gatewayv1.CompareBody) { c.Ranges = nil }},
		"too many ranges":     {fault.Malformed, func(c *gatewayv1.CompareBody) { c.Ranges = slices.Repeat(c.Ranges, 65) }},
		"too many bounds":     {fault.Malformed, one(&gatewayv1.CompareRange{Bounds: keys(slices.Repeat([]connect.Value{permit("10")}, 33)...)})},
		"bounds in no order":  {fault.Malformed, one(&gatewayv1.CompareRange{Bounds: keys(permit("30"), permit("20"))})},
		"bounds outside":      {fault.Malformed, one(&gatewayv1.CompareRange{After: keys(permit("30")), Bounds: keys(permit("20"))})},
		"two lower bounds":    {fault.Malformed, one(&gatewayv1.CompareRange{After: keys(permit("20"), permit("30"))})},
		"of another kind":     {fault.Malformed, one(&gatewayv1.CompareRange{After: keys(connect.IntegerValue(1))})},
		"without a value":     {fault.Malformed, one(&gatewayv1.CompareRange{After: keys(connect.Null)})},
		"no keys at all":      {fault.Malformed, one(&gatewayv1.CompareRange{After: []byte("nonsense")})},
		"too large":           {fault.TooLong, one(&gatewayv1.CompareRange{Bounds: keys(connect.TextValue(strings.Repeat("x", 200_000)))})},
		"for another purpose": {fault.PurposeMismatch, func(c *gatewayv1.CompareBody) { c.Purpose = "else" }},
	} {
		if got := ask(tried.edit); fault.CodeOf(got) != tried.code {
			t.Errorf("%s: %v, want %s", what, got, tried.code)
		}
	}
}
