package server

import (
	"context"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	consolev1 "mulian/gen/mulian/console/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
)

// told is a ledger that has put one object with each event.
type told struct {
	keys   []string
	values []proto.Message
}

func (l *told) put(key string, m proto.Message) {
	l.keys, l.values = append(l.keys, key), append(l.values, m)
}

func (l *told) Events(_ context.Context, from int64, _ int) (*ledgerv1.ListEventsResponse, error) {
	res := &ledgerv1.ListEventsResponse{Next: int64(len(l.keys)), Size: int64(len(l.keys))}
	for i := from; i < res.Size; i++ {
		res.Events = append(res.Events, &tracev1.Event{Height: i + 1, TimeMs: i + 1, Verb: "share/overdue", Objects: []string{l.keys[i]}})
	}
	return res, nil
}

func (l *told) Object(_ context.Context, key string, _ int64, _ bool) (*ledgerv1.GetObjectResponse, error) {
	for i, k := range l.keys {
		if k == key {
			raw, err := proto.Marshal(l.values[i])
			return &ledgerv1.GetObjectResponse{Found: true, Value: raw}, err
		}
	}
	return &ledgerv1.GetObjectResponse{}, nil
}

func (l *told) Watch(ctx context.Context, _ int64, _ func(*ledgerv1.WatchResponse) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestOverdueQuarrels: an objection without an answer and a dispute without a decision are
// concerns once their clock has run out; what was answered late is none, and no party has to act
// where a level above them decides.
func TestOverdueQuarrels(t *testing.T) {
	clock := func(overdue bool) *sharev1.ClockRun { return &sharev1.ClockRun{DueMs: 7, Overdue: overdue} }
	const (
		filed, answered     = sharev1.ObjectionState_OBJECTION_STATE_FILED, sharev1.ObjectionState_OBJECTION_STATE_ANSWERED
		open, decided       = sharev1.DisputeState_DISPUTE_STATE_OPEN, sharev1.DisputeState_DISPUTE_STATE_DECIDED
		negotiate, superior = sharev1.DisputeLevel_DISPUTE_LEVEL_NEGOTIATE, sharev1.DisputeLevel_DISPUTE_LEVEL_COMMON_SUPERIOR
	)
	l := &told{}
	for id, o := range map[string]*sharev1.Objection{"late": {State: filed, Clock: clock(true)}, "in-time": {State: filed, Clock: clock(false)}, "answered": {State: answered, Clock: clock(true)}} {
		o.Id, o.FiledBy, o.Against, o.Subject = id, "org2", "org1", "catalogue/entry/e"
		l.put(index.Objection+id, o)
	}
	for id, d := range map[string]*sharev1.Dispute{"parties": {State: open, Level: negotiate, Clock: clock(true)}, "above": {State: open, Level: superior, Clock: clock(true)}, "in-time": {State: open, Level: negotiate, Clock: clock(false)}, "decided": {State: decided, Level: superior, Clock: clock(true)}} {
		d.Id, d.Claimant, d.Respondent, d.Subject = id, "org2", "org1", "catalogue/entry/e"
		l.put(index.Dispute+id, d)
	}
	x, err := index.Open(filepath.Join(t.TempDir(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx, l) }()
	if err := x.Await(ctx, int64(len(l.keys))); err != nil {
		t.Fatal(err)
	}
	o, out := overviewAPI{&Server{index: x}}, &consolev1.GetOverviewResponse{}
	names := func(key string) string { return "名 " + key }
	for _, find := range []func(context.Context, *consolev1.GetOverviewResponse) error{o.lateObjections(names), o.lateDisputes(names)} {
		if err := find(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, c := range out.GetConcerns() {
		got[c.GetObject()] = c.GetOrg()
		if c.GetTitle() != "名 catalogue/entry/e" || c.GetPeerName() != "org2" || c.GetSinceMs() != 7 || c.GetSeverity() != late {
			t.Errorf("%v", c)
		}
	}
	want := map[string]string{index.Objection + "late": "org1", index.Dispute + "parties": "org1", index.Dispute + "above": ""}
	if len(got) != len(want) || out.GetConcernsTotal() != 3 {
		t.Errorf("%d: %v, want %v", out.GetConcernsTotal(), got, want)
	}
	for k, org := range want {
		if had, ok := got[k]; !ok || had != org {
			t.Errorf("%s is for %q, want %q", k, had, org)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
