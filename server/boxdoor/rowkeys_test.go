package boxdoor_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/safebox/store"
	"mulian/server/boxdoor"
)

const (
	reads  = "registry/g/main" // the provider's gateway
	reads2 = "registry/g/other"
	active = grantv1.GrantState_GRANT_STATE_ACTIVE
)

// granted puts a grant of p-1's on the ledger, under which office receives.
func (w *town) granted(digit string) *grantv1.Grant {
	if w.grants == nil {
		w.grants = map[string]*grantv1.Grant{}
	}
	g := &grantv1.Grant{
		Id: id(digit), Owner: "p-1", Actor: "p-1", Grantee: "grantee", Gateway: "office", Providers: []string{reads, reads2},
		RowKeyCommitment: bytes.Repeat([]byte(digit), 32), State: active, NotAfterMs: w.now.Add(48 * time.Hour).UnixMilli(),
	}
	w.grants[g.Id] = g
	return g
}

func (w *town) layKey(by string, g *grantv1.Grant, sealed string, edit ...func(*safeboxv1.LayRowKey)) error {
	m := &safeboxv1.LayRowKey{Grant: g.Id, Provider: reads, RowKeyCommitment: g.RowKeyCommitment, Sealed: []byte(sealed)}
	for _, e := range edit {
		e(m)
	}
	_, err := w.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_LayRowKey{LayRowKey: m}})
	return err
}

func (w *town) fetchKey(by, grant, provider string) (string, error) {
	a, err := w.call(&safeboxv1.BoxOrder{From: by, Want: &safeboxv1.BoxOrder_FetchRowKey{FetchRowKey: &safeboxv1.FetchRowKey{Grant: grant, Provider: provider}}})
	return string(a.GetContent()), err
}

// gives fails unless office gets exactly that.
func (w *town) gives(g *grantv1.Grant, want string) {
	w.t.Helper()
	if got, err := w.fetchKey("office", g.Id, reads); err != nil || got != want {
		w.t.Errorf("the data user gets %q, %v, want %q", got, err, want)
	}
}

// TestARowKeysWay: as its owner laid down; as the receiver fetched; as anybody else, or another
// grant's, must be refused; after a restart it is there; after the grant's end it is nowhere.
func TestARowKeysWay(t *testing.T) {
	w := newTown(t)
	g, other := w.granted("1"), w.granted("2")
	other.Owner, other.Actor, other.Gateway = "p-2", "p-2", "other"
	_, err := w.fetchKey("office", g.Id, reads)
	refused(t, "before it is there", err, fault.NotFound)
	for _, c := range []struct {
		name string
		by   string
		g    *grantv1.Grant
		want fault.Code
		edit func(*safeboxv1.LayRowKey)
	}{
		{"a stranger", "p-2", g, fault.Forbidden, nil},
		{"the receiver", "office", g, fault.Forbidden, nil},
		{"another's grant", "p-1", other, fault.Forbidden, nil},
		{"no such grant", "p-1", &grantv1.Grant{Id: id("9")}, fault.NotFound, nil},
		{"no grant's name", "p-1", &grantv1.Grant{Id: "../../vault"}, fault.NotFound, nil},
		{"another key's commitment", "p-1", g, fault.CodeInconsistent, func(m *safeboxv1.LayRowKey) { m.RowKeyCommitment = other.RowKeyCommitment }},
		{"another provider", "p-1", g, fault.ProviderMismatch, func(m *safeboxv1.LayRowKey) { m.Provider = "bank/g/main" }},
		{"nothing", "p-1", g, fault.TooLong, func(m *safeboxv1.LayRowKey) { m.Sealed = nil }},
		{"too much", "p-1", g, fault.TooLong, func(m *safeboxv1.LayRowKey) { m.Sealed = bytes.Repeat([]byte{1}, store.MaxRowKey+1) }},
		{"its owner", "p-1", g, fault.OK, nil},
		{"its owner, again", "p-1", g, fault.OK, nil},
	} {
		var edits []func(*safeboxv1.LayRowKey)
		if c.edit != nil {
			edits = append(edits, c.edit)
		}
		refused(t, "lay down, "+c.name, w.layKey(c.by, c.g, planted, edits...), c.want)
	}
	for by, want := range map[string]fault.Code{"office": fault.OK, "p-1": fault.Forbidden, "p-2": fault.Forbidden, "other": fault.Forbidden} {
		_, err := w.fetchKey(by, g.Id, reads)
		refused(t, "fetch as "+by, err, want)
	}
	_, err = w.fetchKey("office", g.Id, reads2)
	refused(t, "for another provider", err, fault.NotFound)
	_, err = w.fetchKey("office", other.Id, reads)
	refused(t, "another grant's", err, fault.Forbidden)

	must(t, w.layKey("p-1", g, "sealed anew"))
	w.gives(g, "sealed anew")
	g.Sequence = 1
	refused(t, "another after a use", w.layKey("p-1", g, planted), fault.IllegalTransition)
	refused(t, "the same after a use", w.layKey("p-1", g, "sealed anew"), fault.OK)
	w.gives(g, "sealed anew")

	w.restart()
	if _, err := w.door.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.gives(g, "sealed anew")
	g.State, g.EndedHeight = grantv1.GrantState_GRANT_STATE_REVOKED, 7
	w.heeds("grant/revoke", g.Id)
	w.lies(g, false)
	_, err = w.fetchKey("office", g.Id, reads)
	refused(t, "after the revocation", err, fault.GrantRevoked)
	refused(t, "laid down after it", w.layKey("p-1", g, planted), fault.GrantRevoked)
	w.lies(g, false)
}

// TestARowKeyIsReplayedByNobody: a signed call counts once, and only by a key that may sign.
func TestARowKeyIsReplayedByNobody(t *testing.T) {
	w := newTown(t)
	g := w.granted("1")
	lay := func() *safeboxv1.BoxOrder {
		return &safeboxv1.BoxOrder{From: "p-1", Want: &safeboxv1.BoxOrder_LayRowKey{LayRowKey: &safeboxv1.LayRowKey{Grant: g.Id, Provider: reads, RowKeyCommitment: g.RowKeyCommitment, Sealed: []byte("first")}}}
	}
	c := w.sign(lay(), nil)
	_, err := w.send(c)
	must(t, err)
	must(t, w.layKey("p-1", g, "second"))
	_, err = w.send(c)
	refused(t, "the first call again", err, fault.Replayed)
	w.gives(g, "second")
	bad := w.sign(lay(), nil)
	bad.Signature[0] ^= 1
	_, err = w.send(bad)
	refused(t, "a changed signature", err, fault.BadAuthorisation)
	w.marred = map[string]func(*identityv1.Key){"office": func(k *identityv1.Key) { k.LostMs = w.now.UnixMilli() }}
	_, err = w.fetchKey("office", g.Id, reads)
	refused(t, "a lost key", err, fault.KeyRevoked)
	w.marred = nil
	w.gives(g, "second")
}

// TestHowLongARowKeyLies: by the ledger's clock, whatever the state of the grant.
func TestHowLongARowKeyLies(t *testing.T) {
	for _, c := range []struct {
		name  string
		state grantv1.GrantState
		after time.Duration
		want  fault.Code
	}{
		{"active", active, 47 * time.Hour, fault.OK},
		{"cooling", grantv1.GrantState_GRANT_STATE_COOLING, time.Hour, fault.OK},
		{"paused", grantv1.GrantState_GRANT_STATE_PAUSED, time.Hour, fault.OK},
		{"over, and nobody has said so", active, 48 * time.Hour, fault.Expired},
		{"expired", grantv1.GrantState_GRANT_STATE_EXPIRED, 0, fault.Expired},
		{"voided", grantv1.GrantState_GRANT_STATE_VOIDED, 0, fault.GrantNotActive},
		{"just used up", grantv1.GrantState_GRANT_STATE_EXHAUSTED, time.Hour, fault.OK},
		{"used up a day ago", grantv1.GrantState_GRANT_STATE_EXHAUSTED, boxdoor.DefaultPatience, fault.UsesExhausted},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t)
			g := w.granted("1")
			must(t, w.layKey("p-1", g, "sealed"))
			g.State, g.LastUseMs = c.state, w.now.UnixMilli()
			w.now = w.now.Add(c.after)
			_, err := w.fetchKey("office", g.Id, reads)
			refused(t, "fetched", err, c.want)
			_, err = w.door.Sweep(t.Context())
			must(t, err)
			w.lies(g, c.want == fault.OK)
		})
	}
}

// TestANodeThatIsBehindDestroysNoRowKey: what the ledger of a restored node does not have may
// come yet; and where the disk fails, the next look destroys what is over.
func TestANodeThatIsBehindDestroysNoRowKey(t *testing.T) {
	w := newTown(t)
	g := w.granted("1")
	must(t, w.layKey("p-1", g, "sealed"))
	delete(w.grants, g.Id)
	_, err := w.door.Sweep(t.Context())
	must(t, err)
	w.lies(g, true)
	w.grants[g.Id] = g
	g.State = grantv1.GrantState_GRANT_STATE_REVOKED
	w.sick = "p-1/r/"
	w.heeds("grant/revoke", g.Id)
	w.lies(g, true)
	w.sick = ""
	_, err = w.door.Sweep(t.Context())
	must(t, err)
	w.lies(g, false)
}

func refused(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != want {
		t.Errorf("%s: %s (%v), want %s", what, got, err, want)
	}
}

// lies fails unless bytes of the grant's row key are on the medium, or are not.
func (w *town) lies(g *grantv1.Grant, want bool) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "b", g.Owner, "r", g.Id, "*"))
	must(w.t, err)
	if (len(files) > 0) != want {
		w.t.Errorf("files of the row key: %v, want any: %v", files, want)
	}
}

// heeds brings an event about a grant to the door.
func (w *town) heeds(verb, grant string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	chain := &events{end: cancel, after: func(int) {}, list: []*tracev1.Event{{Verb: verb, Objects: []string{"grant/grant/" + grant}}}}
	must(w.t, w.door.Run(ctx, chain))
}

// restart has another door on the same files, which knows nothing but what lies there.
func (w *town) restart() {
	w.boxes = store.New(medium{w.files, w}, store.Quota{})
	w.serve()
}
