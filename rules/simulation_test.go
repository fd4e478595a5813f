package rules_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/rules"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
	"mulian/state"
	"mulian/state/machine"
)

// validator is one replica and the circumstances in which it runs. None of them may show.
type validator struct {
	name  string
	rand  *rand.Rand // its own: what it does beside its duty
	disk  vfs.FS
	kv    *pebble.DB
	db    *state.DB
	opts  state.Options
	again bool // it dies and comes back: the store is closed and opened, and some blocks are made twice
	ahead bool // it has checked some transactions before, and remembers what it found
}

func (v *validator) open(t *testing.T) {
	t.Helper()
	if v.kv != nil {
		if err := v.kv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if v.kv, err = pebble.Open("store", &pebble.Options{FS: v.disk, Logger: quietStore{}}); err != nil {
		t.Fatal(err)
	}
	if v.db, err = state.Open(v.kv, []byte("s/"), v.opts); err != nil {
		t.Fatal(err)
	}
}

// quietStore keeps Pebble's notes out of the tests' output.
type quietStore struct{}

func (quietStore) Infof(string, ...any)           {}
func (quietStore) Errorf(string, ...any)          {}
func (quietStore) Fatalf(format string, _ ...any) { panic(format) }

// cut is a block: the same for every validator.
type cut struct {
	timeMs int64
	txs    [][]byte
	proved []machine.Misbehaviour
}

func env(height, timeMs int64) machine.Env {
	return machine.Env{
		ChainID: rulestest.ChainID, Height: height, TimeMs: timeMs,
		Verify: func(public sm.PublicKey, message, signature []byte) bool { return public.Verify(message, signature) },
	}
}

// outcome is all that a block came to and the others must have, too.
type outcome struct {
	Results []machine.Result
	Changes []machine.Validator
	Hash    [32]byte
}

// make makes the block.
func (v *validator) make(t *testing.T, c cut) outcome {
	t.Helper()
	if v.again && v.rand.IntN(6) == 0 {
		v.open(t)
	}
	seen := map[int]bool{}
	if v.ahead {
		for i, raw := range c.txs {
			if v.rand.IntN(2) == 0 {
				view := v.db.View()
				seen[i] = rules.New().Check(view, env(v.db.Height()+1, c.timeMs), raw) == nil
				view.Close()
			}
		}
	}
	b, out := v.carryOut(c, seen)
	if v.again && v.rand.IntN(4) == 0 { // as after a crash between the block and its commit
		b.Discard()
		var second outcome
		if b, second = v.carryOut(c, seen); !reflect.DeepEqual(out, second) {
			t.Fatalf("%s: the block %d again is another: %v, %v", v.name, b.Height(), out, second)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (v *validator) carryOut(c cut, seen map[int]bool) (*state.Block, outcome) {
	var out outcome
	b := v.db.Begin(v.db.Height()+1, c.timeMs)
	for i, raw := range c.txs {
		e := env(b.Height(), c.timeMs)
		e.Seen = seen[i]
		tx := b.Tx()
		r := rules.New().Apply(tx, e, raw)
		if r.Code == fault.OK {
			tx.Keep()
		} else {
			tx.Drop()
		}
		r.Text = "" // not agreed
		out.Results = append(out.Results, r)
	}
	tx := b.Tx()
	e := env(b.Height(), c.timeMs)
	e.Misbehaviours = c.proved
	out.Changes = rules.New().End(tx, e)
	tx.Keep()
	out.Hash = b.Finish()
	return b, out
}

// TestRandomHistoriesGiveEqualRoots: histories of valid, nearly valid and senseless
// transactions of all nouns, cut into blocks at random, on four validators in different
// circumstances: one undisturbed; one that is closed and opened and makes blocks twice; one
// with a small cache that hashes in parallel and keeps little history; one that has checked
// half of the transactions before. After every block results, validators and app hash are
// the same.
//
// All have the same cuts: a block's height and time are part of what the rules write (an
// object's id is made of the height, too), so other cuts are another history. Where neither
// enters, that other cuts give the same tree is held in rules/identity (World.Lag).
//
// MULIAN_SIM_SEED replays a seed that was printed; MULIAN_SIM_RUNS makes more of them.
func TestRandomHistoriesGiveEqualRoots(t *testing.T) {
	runs, seed := 3, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("MULIAN_SIM_RUNS")); err == nil {
		runs = n
	}
	if s, err := strconv.ParseUint(os.Getenv("MULIAN_SIM_SEED"), 10, 64); err == nil {
		runs, seed = 1, s
	}
	for i := range uint64(runs) {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) { simulate(t, seed+i, 60) })
	}
}

func simulate(t *testing.T, seed uint64, blocks int) {
	r := rand.New(rand.NewPCG(seed, 1))
	w, own, start := busyTown(t)
	list := consortium(t, seed, w.Founding)
	h := &historian{rand: r, w: w, own: own, done: map[string]int{}}
	h.learn(start)
	for _, s := range start {
		c := cut{timeMs: s.TimeMs}
		if s.Envelope != nil {
			c.txs = [][]byte{s.Envelope}
		}
		h.nouns = map[string]string{string(s.Envelope): nounOf(s.Envelope)}
		h.count(c, agreeOn(t, list, c))
	}
	for range blocks {
		h.look(list[0].db)
		c := h.cut()
		h.count(c, agreeOn(t, list, c))
	}
	t.Logf("%d transactions were done, %d refused; done of: %v", h.taken, h.refused, h.done)
	for _, noun := range []string{"identity", "governance", "catalogue", "share", "trace", "ereceipt"} {
		if h.done[noun] == 0 {
			t.Errorf("no transaction of %s was done: the histories hold nothing of it", noun)
		}
	}
	if h.refused == 0 {
		t.Error("nothing was refused")
	}
}

// agreeOn lets every validator make the block and compares what it came to.
func agreeOn(t *testing.T, list []*validator, c cut) outcome {
	t.Helper()
	first := list[0].make(t, c)
	for _, v := range list[1:] {
		if got := v.make(t, c); !reflect.DeepEqual(got, first) {
			t.Fatalf("%s disagrees with %s at height %d:\n%v\n%v", v.name, list[0].name, v.db.Height(), got, first)
		}
	}
	return first
}

// busyTown has something of every noun, and tells what was sent until then.
func busyTown(t *testing.T) (*towntest.Town, owner, []rulestest.Sent) {
	w := towntest.New(t)
	w.Publish(nil)
	_, agreement := w.Agree(nil)
	w.Must(w.Consumer, w.Request(nil))
	empty := sha256.Sum256(nil)
	w.Must(w.ProviderGateway, &tracev1.AnchorHead{Gateway: w.ProviderGateway, Root: empty[:]})
	w.Department(w.Provider, "data")
	w.Person(1)
	w.Must(w.Authority, &governancev1.Propose{Title: "一项提案", Change: &governancev1.Change{Kind: &governancev1.Change_GrantRole{
		GrantRole: &governancev1.RoleGrant{Role: governancev1.Role_ROLE_AUDITOR, Account: w.Consumer},
	}}})
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"})
	w.Must(w.Provider, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{towntest.Duty(w.Provider, "2", "权籍调查")}})
	receipts(t, w)
	own := newOwner(w.World)
	return w, own, slices.Clone(w.Sent)
}

// receipts lets the provider issue two fiscal e-receipts, of which the consumer locks one.
func receipts(t *testing.T, w *towntest.Town) {
	key := fiscal.RangeKey{1}
	commitment := key.Commitment()
	w.Must(w.Authority, &ereceiptv1.AllotRange{
		Code: "11010126", First: "0000000001", Last: "0000000009", Unit: w.Provider, UntilMs: w.Now + 90*rulestest.Day, KeyCommitment: commitment[:],
	})
	sign := func(account string, statement []byte) []byte {
		sig, err := w.Key(account, root).Sign(statement)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	for _, number := range []string{"0000000001", "0000000002"} {
		s := key.Secret("11010126", number)
		handle, content, payer, check := s.Handle("11010126", number), sm.SM3([]byte(number)), s.Payer("p"), s.Check("c")
		holding, err := s.Holding()
		if err != nil {
			t.Fatal(err)
		}
		scaled, err := s.Amount(10000)
		if err != nil {
			t.Fatal(err)
		}
		unit := sign(w.Provider, fiscal.UnitStatement(content[:]))
		w.Must(w.Provider, &ereceiptv1.IssueReceipts{Range: "11010126-0000000001", Receipts: []*ereceiptv1.NewReceipt{{
			Handle: handle[:], HoldingKey: holding.Public().Bytes(), ContentHash: content[:], PayerCommitment: payer[:], CheckCommitment: check[:],
			ScaledAmount: scaled, ClosesMs: w.Now + 30*rulestest.Day, UnitKey: w.Key(w.Provider, root).Public().ID(), UnitSignature: unit,
		}}})
		w.Must(w.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{{
			Handle: handle[:], Key: w.Key(w.Authority, root).Public().ID(), Signature: sign(w.Authority, fiscal.SuperviseStatement(content[:], unit)),
		}}})
		claim, until := fiscal.Claim([32]byte{1}, number), w.Now+rulestest.Day
		held, err := holding.Sign(fiscal.HoldStatement(rulestest.ChainID, w.Consumer, handle[:], claim[:], until))
		if err != nil {
			t.Fatal(err)
		}
		lock := &ereceiptv1.LockReceipts{Locks: []*ereceiptv1.NewLock{{
			Handle: handle[:], ClaimCommitment: claim[:], UntilMs: until, PayerCommitment: payer[:], CheckCommitment: check[:], ScaledAmount: scaled, HoldingSignature: held,
		}}}
		w.Must(w.Consumer, lock)
		if number == "0000000002" { // released, so that the histories lock it again
			w.Must(w.Consumer, &ereceiptv1.ReleaseReceipts{Handles: [][]byte{handle[:]}})
		}
	}
}

// deed is who sent what.
type deed struct {
	account  string
	messages []*txv1.Message
}

// historian invents what happens: deeds that were done before, changed a little.
type historian struct {
	rand    *rand.Rand
	w       *towntest.Town
	own     owner
	deeds   []deed
	words   []string // ids and accounts of the state, and parts of its keys
	blanks  []protoreflect.FieldDescriptor
	done    map[string]int // by noun
	nouns   map[string]string
	made    int // good deeds
	taken   int
	refused int
}

func (h *historian) learn(start []rulestest.Sent) {
	for _, s := range start {
		var e txv1.Envelope
		var b txv1.Body
		if s.Envelope != nil && proto.Unmarshal(s.Envelope, &e) == nil && proto.Unmarshal(e.Body, &b) == nil {
			h.deeds = append(h.deeds, deed{b.Account, b.Messages})
		}
	}
	kinds := new(txv1.Message).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		h.blanks = append(h.blanks, kinds.Get(i))
	}
}

// look learns the names of the state, in the order of its keys.
func (h *historian) look(db *state.DB) {
	h.words = h.words[:0]
	view := db.View()
	defer view.Close()
	view.Range([]byte(""), nil, func(key, _ []byte) bool {
		if parts := strings.SplitN(string(key), "/", 3); len(parts) == 3 && len(parts[2]) < 100 {
			h.words = append(h.words, parts[2])
		}
		return true
	})
	h.w.Now += h.rand.Int64N(3 * rulestest.Minute)
	if h.rand.IntN(8) == 0 {
		h.w.Now += h.rand.Int64N(5 * rulestest.Day)
	}
}

func (h *historian) cut() cut {
	c := cut{timeMs: h.w.Now}
	h.nouns = map[string]string{}
	for range h.rand.IntN(12) {
		raw, noun := h.invent()
		c.txs = append(c.txs, raw)
		h.nouns[string(raw)] = noun
	}
	if h.rand.IntN(20) == 0 {
		address := sha256.Sum256(h.w.NodeKey(h.w.Founders[0]))
		c.proved = append(c.proved, machine.Misbehaviour{Address: [20]byte(address[:]), Wrong: machine.DoubleSign, Height: 1 + h.rand.Int64N(9), TimeMs: h.w.Now, Power: 10})
	}
	return c
}

func (h *historian) count(c cut, out outcome) {
	for i, r := range out.Results {
		if r.Code == fault.OK {
			h.taken++
			h.done[h.nouns[string(c.txs[i])]]++
		} else {
			h.refused++
		}
	}
}

// invent makes one envelope and says of which noun it is.
func (h *historian) invent() (raw []byte, of string) {
	old := h.deeds[h.rand.IntN(len(h.deeds))]
	account := old.account
	m := proto.CloneOf(old.messages[h.rand.IntN(len(old.messages))])
	switch h.rand.IntN(6) {
	case 0, 1: // any verb at all, from nothing
		field := h.blanks[h.rand.IntN(len(h.blanks))]
		m = &txv1.Message{}
		m.ProtoReflect().Set(field, m.ProtoReflect().NewField(field))
		h.change(m.ProtoReflect().Mutable(field).Message(), 60, 0)
	case 2, 3: // what was done before, or nearly
		h.change(m.ProtoReflect(), 6, 0)
	default:
		good := h.good()
		account, m = good.account, good.messages[0]
	}
	if h.rand.IntN(10) == 0 {
		account = h.w.Founders[0]
	}
	level := root
	switch {
	case strings.Contains(account, "/g/"):
		level = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	case strings.Contains(account, "/d/"):
		level = officer
	}
	b := h.w.Body(account)
	b.Messages = []*txv1.Message{m}
	if h.rand.IntN(5) == 0 {
		b.Messages = append(b.Messages, proto.CloneOf(m))
	}
	if account == h.own.person {
		raw = h.own.seal(h, b)
	} else {
		raw = h.w.Seal(b, h.w.Key(account, level))
	}
	if h.rand.IntN(30) == 0 {
		raw[h.rand.IntN(len(raw))] ^= 1
	}
	return raw, noun(m)
}

// noun is that of a message's verb.
func noun(m *txv1.Message) string {
	kind := m.ProtoReflect().WhichOneof(m.ProtoReflect().Descriptor().Oneofs().ByName("kind"))
	return strings.Split(string(kind.Message().ParentFile().Package()), ".")[1]
}

// nounOf is that of an envelope's first verb.
func nounOf(raw []byte) string {
	var e txv1.Envelope
	var b txv1.Body
	if proto.Unmarshal(raw, &e) != nil || proto.Unmarshal(e.Body, &b) != nil || len(b.Messages) == 0 {
		return ""
	}
	return noun(b.Messages[0])
}

// good is a deed that nothing speaks against, unless something has happened before.
func (h *historian) good() deed {
	h.made++
	w, n := h.w, h.made
	wrap := func(account string, verb proto.Message) deed {
		m := new(txv1.Message)
		kinds := m.ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
		for i := range kinds.Len() {
			if f := kinds.Get(i); f.Message().FullName() == verb.ProtoReflect().Descriptor().FullName() {
				m.ProtoReflect().Set(f, protoreflect.ValueOfMessage(verb.ProtoReflect()))
			}
		}
		return deed{account, []*txv1.Message{m}}
	}
	switch h.rand.IntN(6) {
	case 5:
		return wrap(h.own.act(h))
	case 3: // as it was, for the requests
		return wrap(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(nil)}})
	case 0:
		return wrap(w.Consumer, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: fmt.Sprintf("unit%d", n), Name: "科室"})
	case 1:
		p := standard.Parameters()
		p.VoteDays = 1 + h.rand.Uint32N(60)
		p.PasskeyRpIds, p.PasskeyOrigins = []string{rulestest.RPID}, []string{rulestest.Page}
		return wrap(w.Authority, &governancev1.Propose{Title: "表决期限", Change: &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}})
	case 2:
		return wrap(w.Consumer, w.Request(nil))
	}
	return wrap(w.Provider, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{towntest.Duty(w.Provider, fmt.Sprint(n), "一项职责")}})
}

// change gives each field of a message, with that chance in a hundred, another value.
func (h *historian) change(m protoreflect.Message, percent, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.ContainingOneof() != nil && !m.Has(f), f.IsMap(), depth > 4:
		case f.IsList():
			list := m.Get(f).List()
			if list.Len() > 0 && f.Message() != nil {
				h.change(list.Get(h.rand.IntN(list.Len())).Message(), percent, depth+1)
			}
			if h.rand.IntN(100) < percent {
				if list = m.Mutable(f).List(); h.rand.IntN(2) == 0 && list.Len() > 0 {
					list.Truncate(list.Len() - 1)
				} else if f.Message() != nil {
					list.Append(list.NewElement())
				} else {
					list.Append(h.value(f))
				}
			}
		case f.Message() != nil:
			if m.Has(f) || h.rand.IntN(100) < percent {
				h.change(m.Mutable(f).Message(), percent, depth+1)
			}
		case h.rand.IntN(100) < percent:
			m.Set(f, h.value(f))
		}
	}
}

// value is one for a field: a name of the state where there is room for one.
func (h *historian) value(f protoreflect.FieldDescriptor) protoreflect.Value {
	n := h.rand.Uint64N(5)
	switch f.Kind() {
	case protoreflect.StringKind:
		if h.rand.IntN(4) > 0 && len(h.words) > 0 {
			return protoreflect.ValueOfString(h.words[h.rand.IntN(len(h.words))])
		}
		return protoreflect.ValueOfString(strings.Repeat("字", int(n)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(make([]byte, []int{0, 1, 20, 32, 33}[n]))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(h.w.Now + int64(n)*rulestest.Day)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(n)
	}
	return f.Default()
}
