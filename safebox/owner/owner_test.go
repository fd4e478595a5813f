package owner_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/wallet"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/safebox"
	"mulian/safebox/owner"
)

// planted stands for what nobody but its owner may ever see.
const planted = "planted-words-of-a-made-up-person"

func read(t *testing.T, o *owner.Opened, id string) string {
	t.Helper()
	it, err := o.Item(t.Context(), id)
	must(t, err)
	r, err := o.Content(t.Context(), it)
	must(t, err)
	raw, err := io.ReadAll(r)
	must(t, err)
	return string(raw)
}

func text(title, content string) owner.Content {
	return owner.Content{Title: title, MediaType: "text/plain", Open: owner.Bytes([]byte(content))}
}

// TestLifeOfAnItem: a box that opens in one kind of way takes nothing of one's own; then a
// large item goes in, comes back, and is erased, and no word of it stays anywhere.
func TestLifeOfAnItem(t *testing.T) {
	m := start(t)
	b := m.person(anna)
	code, paper := coded(t)
	if _, err := b.Put(t.Context(), text("note", planted)); !fault.Is(err, fault.VaultMissing) {
		t.Errorf("without a box: %v", err)
	}
	must(t, b.Make(t.Context(), paper))
	if err := b.Make(t.Context(), paper); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("a second box: %v", err)
	}
	if _, err := b.Put(t.Context(), text("note", planted)); !fault.Is(err, fault.UnlockersShort) {
		t.Errorf("one kind of unlocker: %v", err)
	}
	if _, err := b.Unlock(t.Context(), byCode(t, safebox.NewRecoveryCode())); !fault.Is(err, fault.UnlockerWrong) {
		t.Errorf("another's code: %v", err)
	}
	o, err := b.Unlock(t.Context(), byCode(t, code))
	must(t, err)
	way, two := shared(t)
	must(t, o.AddUnlocker(t.Context(), way))
	if _, err := b.Unlock(t.Context(), two); err != nil {
		t.Errorf("two shares: %v", err)
	}

	long := strings.Repeat(planted, 50_000) // two parts
	id, err := b.Put(t.Context(), text("diary "+planted, long))
	must(t, err)
	if got := read(t, o, id); got != long {
		t.Errorf("%d bytes came back as %d", len(long), len(got))
	}
	if it, err := o.Find(t.Context(), "diary "+planted); err != nil || it.ID != id {
		t.Errorf("by its title: %v", err)
	}
	if it, err := o.Find(t.Context(), id[:6]); err != nil || it.Held.GetNumber() != 1 {
		t.Errorf("by the beginning of its id: %v", err)
	}
	if err := o.RemoveUnlocker(t.Context(), 1); !fault.Is(err, fault.UnlockersShort) {
		t.Errorf("with an item of one's own, one kind is not enough: %v", err)
	}
	m.nowhere(planted)

	done, err := b.Erase(t.Context(), id)
	if must(t, err); !done[0].Ledger {
		t.Errorf("%+v", done)
	}
	if _, err := o.Item(t.Context(), id); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the erasure: %v", err)
	}
	s, err := b.Survey(t.Context())
	if must(t, err); s.Stored != 0 || len(s.Missing) != 0 || len(s.Unrecorded) != 0 {
		t.Errorf("%+v", s)
	}
}

// nowhere fails if a file of the member has a text.
func (m *member) nowhere(text string) {
	m.t.Helper()
	err := filepath.WalkDir(m.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the store works while we look
		}
		if bytes.Contains(raw, []byte(text)) {
			m.t.Errorf("%s has %q", path, text)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
}

// TestCopyForOneReceiver: only the fields that were chosen, with the note that was signed;
// the receiver gives a copy of the copy to nobody as his own.
func TestCopyForOneReceiver(t *testing.T) {
	m := start(t)
	a, _ := m.made(anna)
	b, _ := m.made(bert)
	id, err := a.Put(t.Context(), owner.Content{Title: "licence", MediaType: "application/json", Open: owner.Bytes([]byte(`{"no":"P-7","holder":"` + planted + `","area":12}`))})
	must(t, err)
	it, err := a.Item(t.Context(), id)
	must(t, err)
	terms := owner.Terms{To: bert, Purpose: "a lease", Until: time.Now().Add(48 * time.Hour), Fields: []string{"no", "area"}, Answer: time.Now().Add(time.Hour)}
	for name, want := range map[string]struct {
		edit func(*owner.Terms)
		code fault.Code
	}{
		"a field that is not there": {func(t *owner.Terms) { t.Fields = []string{"colour"} }, fault.NotFound},
		"no purpose":                {func(t *owner.Terms) { t.Purpose = "" }, fault.Missing},
		"over before it begins":     {func(t *owner.Terms) { t.Until = time.Now() }, fault.OutOfRange},
		"somebody without a box":    {func(t *owner.Terms) { t.To = "p-0000000000000000000000000000000c" }, fault.RecipientNotEligible},
	} {
		bad := terms
		want.edit(&bad)
		if _, err := a.Give(t.Context(), it, bad); !fault.Is(err, want.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g, err := a.Give(t.Context(), it, terms)
	must(t, err)
	offers, err := b.Transfers(t.Context(), true)
	if must(t, err); len(offers) != 1 || offers[0].GetId() != g.Transfer {
		t.Fatalf("%v", offers)
	}
	if _, err := a.Look(t.Context(), g.Transfer); !fault.Is(err, fault.NotFound) {
		t.Errorf("the giver looks at what is not for him: %v", err)
	}
	f, err := b.Look(t.Context(), g.Transfer)
	must(t, err)
	if n := f.Item.Card.GetCopy(); n.GetPurpose() != "a lease" || n.GetFrom() != anna || n.GetTo() != bert || n.GetOf() != id {
		t.Errorf("%v", n)
	}
	got, err := b.Accept(t.Context(), f)
	must(t, err)
	if text := read(t, b, got); text != `{"no":"P-7","area":12}` {
		t.Errorf("%s", text)
	}
	if held, err := b.Held(t.Context(), got); err != nil || held.GetCopyOf() != id || held.GetOwner() != bert {
		t.Errorf("%v, %v", held, err)
	}
	if text := read(t, a, id); !strings.Contains(text, planted) {
		t.Error("the original changed")
	}
	g, err = a.Give(t.Context(), it, terms)
	must(t, err)
	must(t, b.Decline(t.Context(), g.Transfer))
	if _, err := b.Look(t.Context(), g.Transfer); !fault.Is(err, fault.IllegalTransition) {
		t.Errorf("after declining: %v", err)
	}
	m.nowhere(planted)
}

// TestHandOver: until it is accepted it is the giver's, then the receiver's alone.
func TestHandOver(t *testing.T) {
	m := start(t)
	a, _ := m.made(anna)
	b, _ := m.made(bert)
	c := text("guarantee", planted)
	c.Single = true
	id, err := a.Put(t.Context(), c)
	must(t, err)
	it, err := a.Item(t.Context(), id)
	must(t, err)
	if _, err := a.Give(t.Context(), it, owner.Terms{To: bert, Purpose: "x", Until: time.Now().Add(time.Hour), Answer: time.Now().Add(time.Hour)}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a copy of a single one: %v", err)
	}
	g, err := a.HandOver(t.Context(), it, bert, time.Now().Add(time.Hour))
	must(t, err)
	if _, err := a.Erase(t.Context(), id); !fault.Is(err, fault.TransferLocked) {
		t.Errorf("erased while it is offered: %v", err)
	}
	must(t, a.Cancel(t.Context(), g.Transfer))
	g, err = a.HandOver(t.Context(), it, bert, time.Now().Add(time.Hour))
	must(t, err)
	// A head as it was offered, and content that is not: nobody is to accept it unread.
	door := b.Door.Door
	line := &failing{BoxServiceClient: door, bend: func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetGetPart() != nil {
			a.Content[len(a.Content)-1] ^= 1
		}
	}}
	b.Door.Door = line
	if f, err := b.Look(t.Context(), g.Transfer); !fault.Is(err, fault.Damaged) {
		t.Errorf("changed content is offered: %v, %v", f, err)
	}
	b.Door.Door = door
	f, err := b.Look(t.Context(), g.Transfer)
	must(t, err)
	if _, err := b.Accept(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b, id); got != planted {
		t.Errorf("%q", got)
	}
	if held, err := a.Held(t.Context(), id); err != nil || held.GetOwner() != bert {
		t.Errorf("%v, %v", held, err)
	}
	if _, err := a.Erase(t.Context(), id); !fault.Is(err, fault.NotOwner) {
		t.Errorf("the giver erases what is another's: %v", err)
	}
}

// TestRecovery: by the code, after the passphrase and its device are gone: new keys, all items
// wrapped again, and nothing of before opens the box.
func TestRecovery(t *testing.T) {
	m := start(t)
	o, code := m.made(anna)
	var ids []string
	for _, n := range []string{"one", "two", "three"} {
		id, err := o.Put(t.Context(), text(n, n+planted))
		must(t, err)
		ids = append(ids, id)
	}
	another := m.box(o.Door.Signer) // another device of hers: nothing of the vault is on it
	r, err := another.Unlock(t.Context(), byCode(t, code))
	must(t, err)
	newCode, paper := coded(t)
	shares, _ := shared(t)
	must(t, r.Rotate(t.Context(), paper, shares))
	if _, err := another.Unlock(t.Context(), byCode(t, code)); !fault.Is(err, fault.UnlockerWrong) {
		t.Errorf("the old code: %v", err)
	}
	s, err := another.Survey(t.Context())
	if must(t, err); s.Stale != 3 || len(s.File.GetPast()) == 0 {
		t.Errorf("%d items to be wrapped again", s.Stale)
	}
	// It was switched off here; what follows begins anew.
	r, err = another.Unlock(t.Context(), byCode(t, newCode))
	must(t, err)
	if got := read(t, r, ids[1]); got != "two"+planted {
		t.Errorf("before it is wrapped again: %q", got)
	}
	done, err := r.Rewrap(t.Context())
	if must(t, err); done.Changed != 3 || len(done.Lost) != 0 || !done.Forgot {
		t.Errorf("%+v", done)
	}
	if done, err = r.Rewrap(t.Context()); err != nil || done.Changed != 0 || done.Forgot {
		t.Errorf("a second time: %+v, %v", done, err)
	}
	r, err = another.Unlock(t.Context(), byCode(t, newCode))
	must(t, err)
	for i, n := range []string{"one", "two", "three"} {
		if got := read(t, r, ids[i]); got != n+planted {
			t.Errorf("%s: %q", n, got)
		}
	}
	files, err := filepath.Glob(filepath.Join(another.Dir, "*.vault"))
	if must(t, err); len(files) != 1 {
		t.Errorf("%d vault files on this device", len(files))
	}
}

// failing is a door that does not answer certain calls, or answers them with something else.
type failing struct {
	safeboxv1connect.BoxServiceClient
	fail func(*safeboxv1.BoxOrder) bool
	bend func(*safeboxv1.BoxOrder, *safeboxv1.BoxAnswer)
}

func (f *failing) Call(ctx context.Context, req *connect.Request[safeboxv1.BoxCall]) (*connect.Response[safeboxv1.BoxAnswer], error) {
	o := &safeboxv1.BoxOrder{}
	if err := canon.Check(req.Msg.GetBody(), o); err != nil {
		return nil, err
	}
	if f.fail != nil && f.fail(o) {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the line is cut"))
	}
	res, err := f.BoxServiceClient.Call(ctx, req)
	if err == nil && f.bend != nil {
		f.bend(o, res.Msg)
	}
	return res, err
}

// TestCutOff: the line to the door fails at one step; the next command goes on, and nothing is lost.
func TestCutOff(t *testing.T) {
	m := start(t)
	b := m.person(anna)
	line := &failing{BoxServiceClient: b.Door.Door}
	b.Door.Door = line
	code, paper := coded(t)
	shares, _ := shared(t)
	line.fail = func(o *safeboxv1.BoxOrder) bool { return o.GetPutVault() != nil }
	if err := b.Make(t.Context(), paper, shares); !errors.Is(err, owner.ErrHalfway) {
		t.Fatalf("the vault's file did not reach the door: %v", err)
	}
	line.fail = nil
	o, err := b.Unlock(t.Context(), byCode(t, code))
	if err != nil {
		t.Fatalf("the next command: %v", err)
	}
	if _, err := m.box(b.Door.Signer).Unlock(t.Context(), byCode(t, code)); err != nil {
		t.Errorf("and now from another device: %v", err)
	}

	line.fail = func(o *safeboxv1.BoxOrder) bool { return o.GetFinish() != nil }
	if _, err := b.Put(t.Context(), text("note", planted)); !fault.Is(err, fault.Unreachable) {
		t.Errorf("an upload without its end: %v", err)
	}
	if s, err := b.Recorded(t.Context()); err != nil || len(s) != 0 {
		t.Errorf("the ledger has an item that lies nowhere: %v, %v", s, err)
	}
	line.fail = nil
	id, err := b.Put(t.Context(), text("note", planted))
	must(t, err)
	other, _ := m.made(bert)
	it, err := o.Item(t.Context(), id)
	must(t, err)
	line.fail = func(o *safeboxv1.BoxOrder) bool { return o.GetStart() != nil }
	if _, err := o.HandOver(t.Context(), it, bert, time.Now().Add(time.Hour)); !fault.Is(err, fault.Unreachable) {
		t.Errorf("an offer without its content: %v", err)
	}
	if open, err := other.Transfers(t.Context(), true); err != nil || len(open) != 0 {
		t.Errorf("an offer that brings nothing stands: %v, %v", open, err)
	}
}

// TestLyingDoor: whatever the door hands out instead of what was laid down is found out.
func TestLyingDoor(t *testing.T) {
	m := start(t)
	o, code := m.made(anna)
	line := &failing{BoxServiceClient: o.Door.Door}
	o.Door.Door = line
	one, err := o.Put(t.Context(), text("one", "1"+planted))
	must(t, err)
	two, err := o.Put(t.Context(), text("two", "2"+planted))
	must(t, err)
	var head []byte
	line.bend = func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetGetHead().GetItem() == two {
			head = a.Content
		}
	}
	_, err = o.Item(t.Context(), two)
	must(t, err)
	line.bend = func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetGetHead() != nil {
			a.Content = head
		}
	}
	if _, err := o.Item(t.Context(), one); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("another item's head: %v", err)
	}
	line.bend = func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetGetPart() != nil {
			a.Content[0] ^= 1
		}
	}
	it, err := o.Item(t.Context(), one)
	must(t, err)
	r, err := o.Content(t.Context(), it)
	must(t, err)
	if got, err := io.ReadAll(r); len(got) != 0 || !fault.Is(err, fault.Damaged) {
		t.Errorf("a changed part: %q, %v", got, err)
	}
	line.bend = func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetFetchVault() != nil {
			a.Content = append([]byte(nil), a.Content...)
			a.Content[len(a.Content)-1] ^= 1
		}
	}
	elsewhere := m.box(o.Door.Signer)
	elsewhere.Door.Door = line
	if _, err := elsewhere.Unlock(t.Context(), byCode(t, code)); !fault.Is(err, fault.Damaged) {
		t.Errorf("another vault file, on a device that has none: %v", err)
	}
}

// TestOneItemThatNobodyReads: what is no item, or another's, in the place of one hides none of
// the others; and while an item of the ledger was not seen, the earlier keys stay.
func TestOneItemThatNobodyReads(t *testing.T) {
	m := start(t)
	o, _ := m.made(anna)
	line := &failing{BoxServiceClient: o.Door.Door}
	o.Door.Door = line
	one, err := o.Put(t.Context(), text("one", "1"+planted))
	must(t, err)
	two, err := o.Put(t.Context(), text("two", "2"+planted))
	must(t, err)
	newCode, paper := coded(t)
	shares, _ := shared(t)
	must(t, o.Rotate(t.Context(), paper, shares))
	junk := func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetGetHead().GetItem() == one {
			a.Content = []byte("junk")
		}
	}
	gone := func(w *safeboxv1.BoxOrder, a *safeboxv1.BoxAnswer) {
		if w.GetList() != nil {
			a.Items = slices.DeleteFunc(a.Items, func(s *safeboxv1.StoredItem) bool { return s.GetItem() == one })
		}
	}
	line.bend = junk
	all, err := o.Items(t.Context())
	must(t, err)
	errs := map[string]bool{}
	for _, it := range all {
		errs[it.ID] = it.Err != nil
	}
	if len(all) != 2 || !errs[one] || errs[two] {
		t.Errorf("listed: %v", errs)
	}
	if it, err := o.Find(t.Context(), "two"); err != nil || it.ID != two {
		t.Errorf("by its title: %v", err)
	}
	s, err := o.Survey(t.Context())
	if must(t, err); s.Stored != 1 || !slices.Equal(s.Damaged, []string{one}) || len(s.Missing) != 0 {
		t.Errorf("%+v", s)
	}
	for name, bend := range map[string]func(*safeboxv1.BoxOrder, *safeboxv1.BoxAnswer){"junk": junk, "not shown": gone} {
		line.bend = bend
		done, err := o.Rewrap(t.Context())
		if must(t, err); done.Forgot || !slices.Equal(done.Lost, []string{one}) {
			t.Errorf("%s: %+v", name, done)
		}
	}
	line.bend = nil // the door finds it again, and nothing is lost
	another := m.box(o.Door.Signer)
	r, err := another.Unlock(t.Context(), byCode(t, newCode))
	must(t, err)
	if done, err := r.Rewrap(t.Context()); err != nil || !done.Forgot || done.Changed != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := read(t, r, one); got != "1"+planted {
		t.Errorf("%q", got)
	}
}

// TestDryRun: what is only shown changes nothing, at the door, here or on the ledger.
func TestDryRun(t *testing.T) {
	m := start(t)
	o, code := m.made(anna)
	id, err := o.Put(t.Context(), text("note", planted))
	must(t, err)
	before, err := o.Survey(t.Context())
	must(t, err)
	b := m.box(o.Door.Signer)
	b.DryRun = true
	b.Send = func(context.Context, identityv1.KeyLevel, ...proto.Message) (*client.Receipt, error) { return nil, nil }
	d, err := b.Unlock(t.Context(), byCode(t, code))
	must(t, err)
	_, paper := coded(t)
	_, put := b.Put(t.Context(), text("another", planted))
	_, erased := b.Erase(t.Context(), id)
	for name, err := range map[string]error{"put": put, "erase": erased, "add": d.AddUnlocker(t.Context(), paper), "rotate": d.Rotate(t.Context(), paper)} {
		if !errors.Is(err, owner.ErrUnsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(b.Dir, "*")); err != nil || len(files) != 0 {
		t.Errorf("on this device: %v, %v", files, err)
	}
	after, err := o.Survey(t.Context())
	if must(t, err); after.Stored != before.Stored || after.Vault.GetVersion() != before.Vault.GetVersion() {
		t.Errorf("%+v, then %+v", before, after)
	}
}

// credential is the content of a box's credential with two hidden fields, and its key.
func credential(t *testing.T) (raw []byte, key string) {
	t.Helper()
	issuer, err := sm.Generate(sm.P256)
	must(t, err)
	holder, err := sm.Generate(sm.P256)
	must(t, err)
	jwk, err := sdjwt.JWK(holder.Public())
	must(t, err)
	draft, err := sdjwt.Prepare(sdjwt.Object{
		{Name: "iss", Value: "https://plan.gov.example"},
		{Name: "vct", Value: "https://plan.gov.example/vct/permit/1"},
		{Name: "cnf", Value: sdjwt.Object{{Name: "jwk", Value: jwk}}},
		{Name: "no", Value: sdjwt.Hidden{Value: "P-7"}},
		{Name: "holder", Value: sdjwt.Hidden{Value: planted}},
	}, rand.Reader)
	must(t, err)
	issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, issuer)
	must(t, err)
	raw, err = owner.KeepCredential(wallet.Received{Text: issued.Text}, holder, "https://plan.gov.example")
	must(t, err)
	text, err := holder.Marshal()
	must(t, err)
	return raw, strings.TrimSpace(string(text))
}

// TestKeyOfACredentialStays: a copy of a credential has the chosen fields and never the key.
func TestKeyOfACredentialStays(t *testing.T) {
	m := start(t)
	a, _ := m.made(anna)
	b, _ := m.made(bert)
	raw, key := credential(t)
	id, err := a.Put(t.Context(), owner.Content{Title: "licence", Schema: owner.CredentialSchema, MediaType: owner.CredentialType, Open: owner.Bytes(raw)})
	must(t, err)
	it, err := a.Item(t.Context(), id)
	must(t, err)
	if _, err := a.HandOver(t.Context(), it, bert, time.Now().Add(time.Hour)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("handed over with its key: %v", err)
	}
	for _, fields := range [][]string{nil, {"no"}} {
		g, err := a.Give(t.Context(), it, owner.Terms{To: bert, Purpose: "x", Until: time.Now().Add(time.Hour), Fields: fields, Answer: time.Now().Add(time.Hour)})
		must(t, err)
		f, err := b.Look(t.Context(), g.Transfer)
		must(t, err)
		got, err := b.Accept(t.Context(), f)
		must(t, err)
		given := read(t, b, got)
		if strings.Contains(given, key) || f.Item.Card.GetMediaType() != owner.SDJWTType {
			t.Fatal("the holder's key was given away")
		}
		token, err := sdjwt.Parse(given)
		must(t, err)
		if want := map[bool]int{true: 2, false: 1}[fields == nil]; len(token.Disclosures) != want {
			t.Errorf("fields %v: %d disclosures", fields, len(token.Disclosures))
		}
	}
}
