package register_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/sqlite"
	"mulian/gateway/register"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
)

const (
	entry = "1:firms"

	proposed  = mandatev1.MandateState_MANDATE_STATE_PROPOSED
	active    = mandatev1.MandateState_MANDATE_STATE_ACTIVE
	suspended = mandatev1.MandateState_MANDATE_STATE_SUSPENDED
	revoked   = mandatev1.MandateState_MANDATE_STATE_REVOKED

	source = mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE
)

// office is a register in SQLite, and what a ledger says of its mandates.
type office struct {
	t        *testing.T
	db       *sql.DB
	open     connect.Source
	at       *register.Register
	mandates map[string]*mandatev1.Mandate
	down     bool // the database does not answer
	hidden   bool // the server lists nothing
	before   int  // how many pages of others' mandates come first
	sent     []string
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, mandates: map[string]*mandatev1.Mandate{}}
	path := filepath.Join(t.TempDir(), "firms.db")
	var err error
	if o.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.db.Close() })
	o.exec(`CREATE TABLE firm (no INTEGER PRIMARY KEY, rep TEXT, phone TEXT)`, `INSERT INTO firm VALUES (1, 'a', '1'), (2, 'b', '2')`)
	if o.open, err = connect.Open(t.Context(), "sqlite:"+path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.open.Close() })
	o.at = &register.Register{
		Org: "1", Registers: []register.Watched{{Entry: entry, Items: []string{"rep"}}}, Kept: register.Kept{Dir: filepath.Join(t.TempDir(), "registers")},
		Get: o.get, List: o.list, Send: o.send,
		Source: func(context.Context, string) (connect.Source, error) {
			if o.down {
				return nil, fault.Newf(fault.SourceUnreachable, "down")
			}
			return o.open, nil
		},
	}
	return o
}

func (o *office) exec(statements ...string) {
	o.t.Helper()
	for _, s := range statements {
		if _, err := o.db.ExecContext(o.t.Context(), s); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *office) get(_ context.Context, key string, m proto.Message) (bool, error) {
	switch x := m.(type) {
	case *cataloguev1.Entry:
		proto.Merge(x, &cataloguev1.Entry{Id: entry, Table: "t", Items: []*cataloguev1.Item{
			{Code: "no", Column: "no", PrimaryKey: true}, {Code: "rep", Column: "rep"}, {Code: "phone", Column: "phone"}, {Code: "none"},
		}})
	case *cataloguev1.Table:
		proto.Merge(x, &cataloguev1.Table{Id: "t", Source: "firms", Name: "firm", Columns: []*cataloguev1.Column{{Name: "no", Type: "integer", PrimaryKey: true}, {Name: "rep", Type: "text"}}})
	case *mandatev1.Mandate:
		is := o.mandates[key[len("mandate/mandate/"):]]
		if is == nil {
			return false, nil
		}
		proto.Merge(x, is)
	}
	return true, nil
}

func (o *office) list(_ context.Context, after string) (page []*mandatev1.Mandate, next string, err error) {
	n := 0
	if after != "" {
		if n, err = strconv.Atoi(after); err != nil {
			return nil, "", err
		}
	}
	if n < o.before {
		return nil, strconv.Itoa(n + 1), nil
	}
	for _, m := range o.mandates {
		if !o.hidden {
			page = append(page, proto.CloneOf(m))
		}
	}
	return page, "", nil
}

func (o *office) send(_ context.Context, messages ...proto.Message) error {
	id := messages[0].(*mandatev1.SuspendMandate).Mandate
	m := o.mandates[id]
	if m.State != active || slices.Contains(m.Suspensions, source) {
		return fault.Newf(fault.IllegalTransition, "%s is %s", id, m.State)
	}
	m.State, m.Suspensions, o.sent = suspended, []mandatev1.SuspensionKind{source}, append(o.sent, id)
	return nil
}

// rests makes a mandate that rests on a row.
func (o *office) rests(id, key string) {
	o.t.Helper()
	row, err := o.at.Read(o.t.Context(), entry, key)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.at.Remember(row); err != nil {
		o.t.Fatal(err)
	}
	o.mandates[id] = &mandatev1.Mandate{Id: id, State: active, Basis: &mandatev1.MandateBasis{Record: row.Commitment()}}
}

func (o *office) lift(id string) { o.mandates[id].State, o.mandates[id].Suspensions = active, nil }

// sweeps wants that a sweep suspends these.
func (o *office) sweeps(want ...string) {
	o.t.Helper()
	_, got, err := o.at.Sweep(o.t.Context())
	if err != nil || !slices.Equal(got, want) {
		o.t.Errorf("suspended %v, %v; want %v", got, err, want)
	}
}

// TestOnlyWhatCounts: another item changes nothing, the one that counts does; lifted, the row as
// it is then counts; and as it was signed on, always.
func TestOnlyWhatCounts(t *testing.T) {
	o := newOffice(t)
	o.rests("m", "1")
	o.sweeps()
	o.exec(`UPDATE firm SET phone = '9' WHERE no = 1`, `UPDATE firm SET rep = 'z' WHERE no = 2`)
	o.sweeps()
	o.exec(`UPDATE firm SET rep = 'c' WHERE no = 1`)
	o.sweeps("m")
	o.sweeps()
	o.lift("m")
	o.sweeps()
	o.exec(`UPDATE firm SET rep = 'a' WHERE no = 1`)
	o.sweeps()
	o.exec(`UPDATE firm SET rep = NULL WHERE no = 1`)
	o.sweeps("m")
}

// TestChangeWhileSuspended: who lifts a mandate has perhaps not seen what changed meanwhile.
func TestChangeWhileSuspended(t *testing.T) {
	o := newOffice(t)
	o.rests("m", "1")
	o.exec(`UPDATE firm SET rep = 'c' WHERE no = 1`)
	o.sweeps("m")
	o.exec(`UPDATE firm SET rep = 'd' WHERE no = 1`)
	o.sweeps()
	o.lift("m")
	o.sweeps("m")
	o.lift("m")
	o.sweeps()
}

// TestManyMandates: a row whose mandate is behind more of others than one sweep reads is found
// by the next one, and not forgotten meanwhile, however old it is.
func TestManyMandates(t *testing.T) {
	o := newOffice(t)
	o.before = 150
	o.rests("m", "1")
	o.at.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) }
	o.exec(`UPDATE firm SET rep = 'c' WHERE no = 1`)
	o.sweeps()
	o.sweeps("m")
}

// TestAbsentTwice: a table that is loaded anew is empty for a moment; one whose row stays away has
// lost it.
func TestAbsentTwice(t *testing.T) {
	o := newOffice(t)
	o.rests("m", "1")
	o.exec(`DELETE FROM firm`)
	o.sweeps()
	o.exec(`INSERT INTO firm VALUES (1, 'a', '1')`)
	o.sweeps()
	o.exec(`DELETE FROM firm`)
	o.sweeps()
	o.sweeps("m")
	o.lift("m")
	o.sweeps() // the office knows that it is gone
}

// TestNothingIsSuspendedBlindly: a database that does not answer, a proposal, a mandate that a
// server hides or that is over.
func TestNothingIsSuspendedBlindly(t *testing.T) {
	o := newOffice(t)
	o.rests("m", "1")
	o.mandates["m"].State = proposed
	o.exec(`UPDATE firm SET rep = 'c' WHERE no = 1`)
	o.hidden = true
	o.sweeps()
	o.hidden = false
	o.sweeps()
	o.lift("m")
	o.down = true
	if _, got, err := o.at.Sweep(t.Context()); len(got) != 0 || !fault.Is(err, fault.SourceUnreachable) {
		t.Errorf("suspended %v, %v", got, err)
	}
	o.down = false
	is := o.mandates["m"]
	delete(o.mandates, "m") // a server that lies about one object is a mistake, not an end
	if _, got, err := o.at.Sweep(t.Context()); len(got) != 0 || err == nil {
		t.Errorf("suspended %v, %v", got, err)
	}
	o.mandates["m"] = is
	o.sweeps("m")
	is.State, is.EndedMs = revoked, 1
	o.exec(`UPDATE firm SET rep = 'e' WHERE no = 1`)
	o.sweeps()
	if looked, _, _ := o.at.Sweep(t.Context()); looked != 0 {
		t.Errorf("%d rows are watched for a mandate that is over", looked)
	}
}

// TestRestsOnWhatIsWatched: no row of a register that nobody watches, none that is not there.
func TestRestsOnWhatIsWatched(t *testing.T) {
	o := newOffice(t)
	for key, want := range map[string]fault.Code{"9": fault.SourceMissing, "x": fault.SourceMissing} {
		if _, err := o.at.Read(t.Context(), entry, key); !fault.Is(err, want) && !fault.Is(err, fault.SourceUnreachable) {
			t.Errorf("key %s: %v", key, err)
		}
	}
	if _, err := o.at.Read(t.Context(), "1:other", "1"); !fault.Is(err, fault.Usage) {
		t.Error(err)
	}
	o.at.Registers[0].Items = []string{"none"}
	if _, err := o.at.Read(t.Context(), entry, "1"); !fault.Is(err, fault.ItemUnmapped) {
		t.Error(err)
	}
	for _, bad := range [][]register.Watched{{{}}, {{Entry: "a"}, {Entry: "a"}}, make([]register.Watched, register.MaxRegisters+1)} {
		if err := register.Check(bad); !fault.Is(err, fault.Usage) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestNewItemsAreSaid: when the configuration names other items, the rows of before are told and
// not judged; a proposal that nobody made is forgotten after its time.
func TestNewItemsAreSaid(t *testing.T) {
	o := newOffice(t)
	now := time.Now()
	o.at.Now = func() time.Time { return now }
	o.rests("m", "1")
	o.sweeps()
	o.at.Registers[0].Items = []string{"rep", "phone"}
	if _, got, err := o.at.Sweep(t.Context()); len(got) != 0 || !fault.Is(errors.Join(err), fault.ItemUnmapped) {
		t.Errorf("suspended %v, %v", got, err)
	}
	o.at.Registers[0].Items = []string{"rep"}
	o.rests("unused", "2")
	delete(o.mandates, "unused")
	if looked, _, err := o.at.Sweep(t.Context()); looked != 2 || err != nil {
		t.Errorf("%d rows, %v", looked, err)
	}
	now = now.Add(46 * 24 * time.Hour)
	_, _, _ = o.at.Sweep(t.Context())
	if looked, _, err := o.at.Sweep(t.Context()); looked != 1 || err != nil {
		t.Errorf("%d rows, %v", looked, err)
	}
}
