package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/audit"
	"mulian/client/prooffile"
	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/secrecy"
	"mulian/internal/sm"
)

// court is who orders secrecy in a town, and who can read what is sealed.
type court struct {
	*town
	office, auditor client.Signer
	reader          sm.PrivateKey
}

func (w *town) court() *court {
	w.t.Helper()
	reader, err := sm.Generate(sm.SM2)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &court{town: w, office: w.org(4, "监察机关"), auditor: w.org(5, "审计局"), reader: reader}
	for role, account := range map[governancev1.Role]string{governancev1.Role_ROLE_SECRECY_OFFICE: c.office.Account, governancev1.Role_ROLE_AUDITOR: c.auditor.Account} {
		w.must(w.authority, &governancev1.Propose{Title: "任命", Change: &governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: role, Account: account}}}})
	}
	return c
}

// order makes accesses under an agreement secret for a month.
func (c *court) order(agreement string, subjectOpen bool) {
	c.t.Helper()
	hash := sha256.Sum256([]byte("case"))
	now := time.Now()
	c.must(c.office, &tracev1.OrderSecrecy{
		Agreement: agreement, Entitled: c.water.Account, LegalBasis: "刑事诉讼法第一百五十条", CaseHash: hash[:], SubjectOpen: subjectOpen,
		UntilMs: now.AddDate(0, 0, 30).UnixMilli(), UnsealMs: now.AddDate(0, 0, 60).UnixMilli(), Reader: c.auditor.Account, ReaderKey: ledgerKey(c.reader, 0),
	})
}

func (c *court) audit(bound time.Duration) *audit.Report {
	c.t.Helper()
	file, err := os.ReadFile(c.genesis)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := audit.New(audit.Config{Chain: c.chain, Genesis: file, Bound: bound, Evidence: filepath.Join(c.t.TempDir(), "evidence")})
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := a.Supervisor(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// usages is what findUsage says.
type usages struct {
	Usages []struct {
		Receiver, Action, Outcome, SealedUntil, OpenedTime string
		Number, Leaf                                       uint64
	}
	Sealed []struct {
		Agreement, Until string
		Order, Count     uint64
	}
}

func (w *town) usage(door *running, key []byte) *usages {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+door.Addr()+"/usage/findUsage", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+hex.EncodeToString(key))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	out := &usages{}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("findUsage: %d, %v", res.StatusCode, err)
	}
	return out
}

// TestSecretAccess: an office orders that accesses under an agreement are secret. The
// asker is served as ever; the log keeps numbers and places, and nobody but the order's
// reader sees what was asked; the owner sees that there were accesses, and until when
// they are secret. When it is over the gateway publishes them by itself, also after a
// start, and the owner sees them as any other. An audit finds nothing at any time.
func TestSecretAccess(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	c := w.court()
	ask := func(key string) *tracev1.AccessRecord {
		t.Helper()
		res, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no(key))
		if err != nil {
			t.Fatal(err)
		}
		return res.Record
	}
	given, err := gateway.Control(w.planningConfig().Home).UsageKey(t.Context(), rpc.NewRequest(&gatewayv1.UsageKeyRequest{Entry: w.entry, Where: []*gatewayv1.KeyValue{no("P0000001")}}))
	if err != nil {
		t.Fatal(err)
	}
	mine := given.Msg.GetKey()

	ask("P0000001")
	c.order(agreement, false)
	w.eventually("the gateway knows of the order", func() bool {
		r := ask("P0000002")
		return r.GetSealed() != nil
	})
	secret := ask("P0000001")
	if secret.GetPurpose() != "排水许可审批" || secret.GetSealed().GetOrder() != 1 {
		t.Errorf("for the asker: %v", secret)
	}
	e, err := door.Records().Record(secret.GetPlace() - 1)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &tracev1.AccessRecord{}
	if err := proto.Unmarshal(e.Raw, leaf); err != nil || leaf.GetPurpose() != "" || leaf.GetSubject() != nil || leaf.GetSeq() != secret.GetSeq() || leaf.GetAtMs() == 0 {
		t.Errorf("in the log: %v, %v", leaf, err)
	}
	if whole, _, err := secrecy.OpenBox(c.reader, leaf); err != nil || !bytes.Equal(whole.GetSubject(), given.Msg.GetSubject()) {
		t.Errorf("for the reader: %v, %v", whole, err)
	}
	u := w.usage(door, mine)
	if len(u.Usages) != 1 || len(u.Sealed) != 1 || u.Sealed[0].Count == 0 || u.Sealed[0].Order != 1 || u.Sealed[0].Until == "" {
		t.Errorf("for the owner: %+v", u)
	}
	stranger := w.usage(door, make([]byte, 32))
	if len(stranger.Usages) != 0 || len(stranger.Sealed) != 1 || stranger.Sealed[0] != u.Sealed[0] {
		t.Errorf("what another owner sees: %+v", stranger)
	}
	anchored := func() bool { s := door.Status(); return s.Anchored == s.LogSize }
	w.eventually("all is anchored", anchored)
	r := c.audit(0)
	if !r.OK || len(r.Secrecy) != 1 || r.Secrecy[0].Sealed < 4 || r.Secrecy[0].Opened != 0 || !r.Sequences[0].Complete {
		t.Errorf("while it is secret: %+v", r)
	}
	sealed := r.Secrecy[0].Sealed

	door.stop()
	door = w.open(w.planningConfig())
	w.must(c.office, &tracev1.LiftSecrecy{Agreement: agreement, Order: 1, Reason: "案件已终结"})
	w.eventually("the gateway publishes what was sealed", func() bool { return len(door.Records().Secrets()) == 0 })
	u = w.usage(door, mine)
	if len(u.Usages) != 2 || len(u.Sealed) != 0 || u.Usages[1].OpenedTime == "" || u.Usages[1].Number != secret.GetSeq() || u.Usages[1].Action != "排水许可审批" || u.Usages[1].Receiver != w.water.Account {
		t.Errorf("after it is over: %+v", u)
	}
	w.eventually("all is anchored", anchored)
	if r = c.audit(0); !r.OK || len(r.Secrecy) != 1 || r.Secrecy[0].Sealed != sealed || r.Secrecy[0].Opened != sealed {
		t.Errorf("after it is over: %+v", r)
	}

	// An order that lets the owner know that there was an access.
	c.order(agreement, true)
	w.eventually("the gateway knows of the second order", func() bool { return ask("P0000002").GetSealed().GetOrder() == 2 })
	ask("P0000001")
	u = w.usage(door, mine)
	if n := len(u.Usages); n != 3 || u.Usages[n-1].SealedUntil == "" || u.Usages[n-1].Action != "" || u.Usages[n-1].Receiver != "" {
		t.Errorf("one access, sealed until a date: %+v", u)
	}
}

// TestSecrecyIsAudited: a gateway that seals what nobody ordered, for longer than was
// ordered, that opens other things than it sealed, or nothing, is found; what can be
// shown to a stranger is.
func TestSecrecyIsAudited(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(3)
	door := w.open(w.planningConfig())
	w.publish(door)
	times := func(n uint64) string { return w.agree(byQuery, func(t *sharev1.Terms) { t.MaxCalls = n }) }
	none, long, late := times(1), times(2), times(3)
	c := w.court()
	c.order(long, false)
	c.order(late, false)
	w.eventually("all is anchored", func() bool { s := door.Status(); return s.Anchored == s.LogSize })
	door.stop()
	l := w.liar(nil, map[string]*tracev1.AccessRecord{})
	sealed := func(agreement string, order uint64, until time.Time) *tracev1.AccessRecord {
		return l.record(agreement, func(r *tracev1.AccessRecord) {
			s := &tracev1.Secrecy{Orders: []*tracev1.SecrecyOrder{{Number: 1, UnsealMs: until.UnixMilli(), ReaderKey: ledgerKey(c.reader, 0)}}}
			if _, err := secrecy.Seal(s, 1, r); err != nil {
				t.Fatal(err)
			}
			r.Sealed.Order = order
		})
	}
	soon := time.Now().AddDate(0, 0, 60).Add(-time.Minute)
	l.add(sealed(none, 1, soon))                         // nobody ordered it
	l.add(sealed(long, 1, time.Now().AddDate(10, 0, 0))) // for ten years
	l.add(sealed(late, 1, soon))
	l.add(l.record("", func(r *tracev1.AccessRecord) { // opens another thing
		*r = tracev1.AccessRecord{
			Gateway: w.door, Agreement: late, Asker: w.tap, Seq: 1, Outcome: tracev1.Outcome_OUTCOME_OPENED, AtMs: r.AtMs, Place: r.Place,
			Sealed: &tracev1.Sealed{Order: 1, Opening: &tracev1.Opening{Place: 3, Salt: make([]byte, 32)}},
		}
	}))
	w.must(c.office, &tracev1.LiftSecrecy{Agreement: late, Order: 1, Reason: "案件已终结"})
	l.show(l.leaves)
	ranges := []*tracev1.Range{}
	all := []string{none, long, late}
	slices.Sort(all)
	for _, a := range all {
		ranges = append(ranges, &tracev1.Range{Agreement: a, First: 1, Last: 1, Granted: 1})
	}
	l.anchor(ranges...)
	time.Sleep(10 * time.Millisecond) // the bound below is one millisecond
	l.anchor()
	r := c.audit(time.Millisecond)
	l.holds(r, prooffile.RuleSecrecy, "sealed by order 1, agreement "+none+" has 0", true)
	l.holds(r, prooffile.RuleSecrecy, "sealed until ", true)
	l.holds(r, audit.Misopened, "not the content", false)
	l.holds(r, prooffile.RuleUnopened, "0 of 1 records", false)
	l.holds(r, audit.Uncounted, "1 sealed", false)
}
