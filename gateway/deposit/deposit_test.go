package deposit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
)

// The way with a real ledger, a real door and real kills is city/e2e's TestADepositSurvivesAKill.
// Here stand the moments that it cannot bring about.

// desk is a depositor with the ledger and the door that it speaks to.
type desk struct {
	*Depositor
	t      *testing.T
	vault  *safebox.Vault
	ledger map[string]proto.Message
	laid   []*safeboxv1.ItemHead
	bodies [][]byte
	sent   []proto.Message
	refuse error // what Send fails with
	now    time.Time
}

const planted = "planted-value-of-a-made-up-person"

func newDesk(t *testing.T) *desk {
	w := &desk{t: t, vault: safebox.NewVault("p-1"), ledger: map[string]proto.Message{}, now: time.UnixMilli(1790000000000)}
	keys, err := w.vault.PublicKeys()
	w.ok(err)
	w.ledger["safebox/vault/p-1"] = &safeboxv1.Vault{Account: "p-1", Keys: keys, KeyVersion: 1}
	w.Depositor = &Depositor{
		Account: "11110000000021928Y/g/main", Dir: filepath.Join(t.TempDir(), "deposits"), Now: func() time.Time { return w.now },
		Get: func(_ context.Context, key string, m proto.Message) (bool, error) {
			v, ok := w.ledger[key]
			if ok {
				proto.Merge(m, v)
			}
			return ok, nil
		},
		Lay: func(_ context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error {
			var body bytes.Buffer
			if err := write(&body); err != nil {
				return err
			}
			w.laid, w.bodies = append(w.laid, head), append(w.bodies, body.Bytes())
			return nil
		},
		Send: func(_ context.Context, m ...proto.Message) error {
			w.sent = append(w.sent, m...)
			return w.refuse
		},
	}
	return w
}

func (w *desk) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *desk) item(content string) Item {
	return Item{Owner: "p-1", Schema: "licence/1", Title: planted, Content: strings.NewReader(content)}
}

// noTickets holds that nothing is left in the folder.
func (w *desk) noTickets() {
	w.t.Helper()
	if list, err := os.ReadDir(w.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(list) != 0 {
		w.t.Errorf("%v is left, %v", list, err)
	}
}

// files returns everything that is in the folder.
func (w *desk) files() (out []byte) {
	w.t.Helper()
	w.ok(filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		out = append(append(out, path...), raw...)
		return err
	}))
	return out
}

// TestAnInterruptedDepositGoesOn: a server that cannot be reached leaves a ticket, in which
// nothing can be read; Resume brings the same item.
func TestAnInterruptedDepositGoesOn(t *testing.T) {
	w := newDesk(t)
	w.refuse = fault.Newf(fault.Unreachable, "no answer")
	if _, err := w.Deposit(t.Context(), w.item(strings.Repeat(planted, 100))); !fault.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
	if raw := w.files(); len(raw) < 3000 || bytes.Contains(raw, []byte(planted)) {
		t.Errorf("the ticket has %d bytes, and what was planted: %v", len(raw), bytes.Contains(raw, []byte(planted)))
	}
	open, err := w.Tickets(t.Context())
	if err != nil || len(open) != 1 || open[0].Owner != "p-1" || !open[0].At.Equal(w.now) {
		t.Fatalf("%+v, %v", open, err)
	}
	w.refuse = nil
	out, err := w.Resume(t.Context())
	if err != nil || len(out) != 1 || out[0].Err != nil || out[0].Item != open[0].Item {
		t.Fatalf("%+v, %v", out, err)
	}
	w.noTickets()
	if len(w.laid) != 2 || !proto.Equal(w.laid[0], w.laid[1]) || !bytes.Equal(w.bodies[0], w.bodies[1]) || !proto.Equal(w.sent[0], w.sent[1]) {
		t.Error("another item came the second time")
	}
	key, err := w.vault.Unwrap(w.laid[1])
	w.ok(err)
	card, err := safebox.OpenCard(key, w.laid[1])
	w.ok(err)
	r, err := safebox.OpenBody(bytes.NewReader(w.bodies[1]), key, safebox.PlaceOf(w.laid[1]), card)
	w.ok(err)
	if content, err := io.ReadAll(r); err != nil || string(content) != strings.Repeat(planted, 100) || card.Issuer != w.Account {
		t.Errorf("the owner reads %d bytes of %s, %v", len(content), card.Issuer, err)
	}
}

// TestARefusalIsKeptWithoutItsContent: of what the ledger refuses for good, when nobody
// waits for the answer, the ticket keeps the code and not the ciphertext.
func TestARefusalIsKeptWithoutItsContent(t *testing.T) {
	w := newDesk(t)
	w.refuse = fault.Newf(fault.Timeout, "no answer")
	if _, err := w.Deposit(t.Context(), w.item("x")); err == nil {
		t.Fatal("it was sent")
	}
	w.refuse = fault.Newf(fault.VersionConflict, "other keys")
	out, err := w.Resume(t.Context())
	if err != nil || len(out) != 1 || !fault.Is(out[0].Err, fault.VersionConflict) {
		t.Fatalf("%+v, %v", out, err)
	}
	if raw := w.files(); bytes.Contains(raw, w.bodies[0]) {
		t.Error("the ciphertext is still there")
	}
	open, err := w.Tickets(t.Context())
	if err != nil || len(open) != 1 || open[0].Refused != fault.VersionConflict.String() {
		t.Fatalf("%+v, %v", open, err)
	}
	if out, err := w.Resume(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("it is tried again: %+v, %v", out, err)
	}
	if gone, err := w.Forget(t.Context()); err != nil || len(gone) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	w.noTickets()
}

// TestWhoWaitsIsTold: a refusal for good leaves nothing behind when it is answered.
func TestWhoWaitsIsTold(t *testing.T) {
	w := newDesk(t)
	for name, c := range map[string]struct {
		item Item
		code fault.Code
	}{
		"no box":          {Item{Owner: "p-2", Schema: "a/1", Content: strings.NewReader("")}, fault.VaultMissing},
		"no schema":       {Item{Owner: "p-1", Content: strings.NewReader("")}, fault.Missing},
		"a long title":    {Item{Owner: "p-1", Schema: "a/1", Title: strings.Repeat("a", maxTitle+1), Content: strings.NewReader("")}, fault.TooLong},
		"a title in GBK":  {Item{Owner: "p-1", Schema: "a/1", Title: "\xff\xfe", Content: strings.NewReader("")}, fault.Missing},
		"a ledger's word": {w.item("x"), fault.BoxFull},
	} {
		w.refuse = fault.Newf(fault.BoxFull, "full")
		if _, err := w.Deposit(t.Context(), c.item); !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	w.noTickets()
	w.refuse, w.sent = fault.Newf(fault.VersionConflict, "other keys"), nil
	if _, err := w.Deposit(t.Context(), w.item("x")); !fault.Is(err, fault.VersionConflict) || len(w.sent) != attempts {
		t.Errorf("%v after %d attempts", err, len(w.sent))
	}
	w.noTickets()
}

// TestATransactionOfOnesOwn: what is laid for it is recorded with it; if its process dies the
// ticket is ended when the transaction can no longer come, and nothing is recorded.
func TestATransactionOfOnesOwn(t *testing.T) {
	w := newDesk(t)
	l, err := w.LayDown(t.Context(), w.item("credential"))
	w.ok(err)
	if len(w.sent) != 0 || l.Message.Items[0].Owner != "p-1" {
		t.Fatalf("%v sent, %v", w.sent, l.Message)
	}
	if out, err := w.Resume(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("somebody else works on a ticket that is held: %v, %v", out, err)
	}
	w.ok(l.ticket.medium.Close()) // its process dies
	for _, c := range []struct {
		after time.Duration
		gone  int
	}{{time.Second, 0}, {lostAfter, 1}} {
		w.now = w.now.Add(c.after)
		out, err := w.Resume(t.Context())
		if err != nil || len(out) != c.gone || len(w.sent) != 0 {
			t.Errorf("after %s: %+v, %v, %d sent", c.after, out, err, len(w.sent))
		}
	}
	w.noTickets()
	l, err = w.LayDown(t.Context(), w.item("credential"))
	w.ok(err)
	w.ok(l.End(t.Context()))
	w.noTickets()
}

// TestHalfATicketIsRemoved: of a process that died while it sealed.
func TestHalfATicketIsRemoved(t *testing.T) {
	w := newDesk(t)
	tk, err := newTicket(w.Dir)
	w.ok(err)
	w.ok(tk.medium.Put(t.Context(), partName(0), []byte("half")))
	w.ok(tk.medium.Close())
	if open, err := w.Tickets(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("%v, %v", open, err)
	}
	if out, err := w.Resume(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("%v, %v", out, err)
	}
	w.noTickets()
}

// TestATicketBeyondReading: zeros are what a kill leaves of a plan that was being destroyed; a
// plan that cannot be read is told. Neither keeps the tickets behind it.
func TestATicketBeyondReading(t *testing.T) {
	w := newDesk(t)
	w.refuse = fault.Newf(fault.Unreachable, "no answer")
	for range 3 {
		_, err := w.Deposit(t.Context(), w.item("x"))
		if !fault.Is(err, fault.Unreachable) {
			t.Fatal(err)
		}
	}
	open, err := w.Tickets(t.Context())
	w.ok(err)
	mar := func(n int, content []byte) {
		path := filepath.Join(w.Dir, open[n].Ticket, "b", planName)
		if content == nil {
			st, err := os.Stat(path)
			w.ok(err)
			content = make([]byte, st.Size())
		}
		w.ok(os.WriteFile(path, content, 0o600))
	}
	mar(0, nil)
	mar(1, []byte("not a plan"))
	w.refuse = nil
	out, err := w.Resume(t.Context())
	if !fault.Is(err, fault.Damaged) || len(out) != 1 || out[0].Err != nil || out[0].Item != open[2].Item {
		t.Errorf("%+v, %v", out, err)
	}
	if list, err := os.ReadDir(w.Dir); err != nil || len(list) != 1 || list[0].Name() != open[1].Ticket {
		t.Errorf("%v is left, %v", list, err)
	}
}
