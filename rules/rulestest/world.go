// Package rulestest is the small world in which the rules are tested: a consortium
// with real keys, whose acts are real signed envelopes, carried out by the real
// state machine on two replicas with stores in memory.
//
// It is not a chain: there is no engine, and a block is made whenever somebody
// acts. It is used by tests only, and like them it may know chance and files.
//
//	w := rulestest.New(t)
//	tax := w.Org("税务局")                    // registered by w.Authority
//	w.Must(tax, &cataloguev1.PutDuties{...}) // a block on both replicas
//	code := w.Do(tax, &cataloguev1.PutDuties{...})
//
// # Invariants
//
//  1. After every block both replicas have the same app hash, results and
//     changes of validators, or the test fails. With [World.Lag] the second replica
//     cuts its blocks elsewhere; then the trees must agree, for heights differ.
//  2. Keys follow from account and level, so a history gives the same state in each
//     run and its root can be pinned. Salts are counted.
package rulestest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/rules/identity"
	"mulian/state"
	"mulian/state/machine"
)

// ChainID is that of every World.
const ChainID = "rules-test"

// Start is the time of the genesis: Monday 2 March 2026, 09:00 in Beijing.
const Start int64 = 1_772_413_200_000

// Hour and Day in milliseconds, for [World.Wait].
const (
	Second int64 = 1000
	Minute       = 60 * Second
	Hour         = 60 * Minute
	Day          = 24 * Hour
)

// World is one consortium on two replicas. One goroutine uses it.
type World struct {
	TB  testing.TB
	Now int64 // block time; Wait moves it

	// Authority is a founder that holds the roles AUTHORITY, STAFFING_OFFICE and
	// FINANCE_BUREAU. Founders are all founders, Authority first.
	Authority string
	Founders  []string

	// What the last act came to.
	Outcome    *txv1.Outcome
	Text       string              // of a refusal
	Remembered bool                // whether the id is spent
	Validators []machine.Validator // changes that the last block made

	// Proved is what the next block proves of validators; both replicas take it, and then
	// it is empty again. Not for worlds that lag.
	Proved []machine.Misbehaviour

	// Founding is the signed genesis, and Sent is each block since: its time and its
	// envelope, nil if it was empty.
	Founding []byte
	Sent     []Sent

	replicas [2]*replica
	lag      int // blocks of the first replica that are one of the second; 1 = the same
	waiting  int // blocks that the second replica has not cut yet
	keys     map[string]sm.PrivateKey
	salt     uint64
	orgs     int
}

// Sent is a block of one envelope, or none.
type Sent struct {
	TimeMs   int64
	Envelope []byte
}

// New makes a world with one founder.
func New(t testing.TB) *World { return Found(t, 100) }

// Found makes a world whose founders have these weights, and a validator each.
func Found(t testing.TB, weights ...uint32) *World {
	t.Helper()
	return FoundWith(t, func(*governancev1.Genesis) {}, weights...)
}

// FoundWith is [Found] with a genesis that the caller has changed before it is
// signed.
func FoundWith(t testing.TB, change func(*governancev1.Genesis), weights ...uint32) *World {
	t.Helper()
	w := &World{TB: t, Now: Start, lag: 1, keys: map[string]sm.PrivateKey{}}
	g := w.genesis(weights)
	change(g)
	file := w.SignGenesis(g)
	w.Founding = file
	for i := range w.replicas {
		w.replicas[i] = newReplica(t)
		first, err := w.replicas[i].found(g.TimeMs, file)
		if err != nil {
			t.Fatalf("genesis: %s: %v", fault.CodeOf(err), err)
		}
		w.Validators = first
	}
	return w
}

// Under makes t the test that fails from now on, and whose end closes views. For
// subtests and fuzzing, where one world lives longer than one test.
func (w *World) Under(t testing.TB) {
	w.TB = t
	for _, r := range w.replicas {
		r.tb = t
	}
}

// TryGenesis returns what the state machine says of a genesis that the caller has
// changed, before or after it was signed. Either change may be nil.
func TryGenesis(t testing.TB, before func(*governancev1.Genesis), after func(*governancev1.SignedGenesis), weights ...uint32) error {
	t.Helper()
	w := &World{TB: t, Now: Start, lag: 1, keys: map[string]sm.PrivateKey{}}
	g := w.genesis(weights)
	if before != nil {
		before(g)
	}
	file := new(governancev1.SignedGenesis)
	if err := proto.Unmarshal(w.SignGenesis(g), file); err != nil {
		t.Fatal(err)
	}
	if after != nil {
		after(file)
	}
	_, err := newReplica(t).found(Start, w.encode(file))
	return err
}

func (w *World) genesis(weights []uint32) *governancev1.Genesis {
	g := &governancev1.Genesis{
		ChainId: ChainID, TimeMs: Start, Parameters: standard.Parameters(),
		ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
	}
	for i, weight := range weights {
		code := w.nextCode()
		g.Founders = append(g.Founders, &governancev1.Founder{
			Code: code, Profile: Profile(fmt.Sprintf("创始机构%d", i+1)), Keys: w.orgKeys(code), Weight: weight,
		})
		g.Validators = append(g.Validators, &governancev1.Validator{PublicKey: w.NodeKey(code), Power: 10, Org: code, Name: "node"})
		w.Founders = append(w.Founders, code)
	}
	w.Authority = w.Founders[0]
	for _, role := range []governancev1.Role{governancev1.Role_ROLE_AUTHORITY, governancev1.Role_ROLE_STAFFING_OFFICE, governancev1.Role_ROLE_FINANCE_BUREAU} {
		g.Roles = append(g.Roles, &governancev1.RoleGrant{Role: role, Account: w.Authority})
	}
	return g
}

// SignGenesis returns the genesis file that every founder of g has signed.
func (w *World) SignGenesis(g *governancev1.Genesis) []byte {
	w.TB.Helper()
	file := &governancev1.SignedGenesis{Genesis: w.encode(g)}
	for _, f := range g.Founders {
		key := w.Key(f.Code, identityv1.KeyLevel_KEY_LEVEL_ROOT)
		file.Signatures = append(file.Signatures, &governancev1.FounderSignature{
			Org: f.Code, Key: key.Public().ID(), Signature: w.sign(key, append([]byte("mulian-genesis-v1\x00"), file.Genesis...)),
		})
	}
	return w.encode(file)
}

// Key returns the private key of the account at that level, made on the first call.
// It is an Ed25519 key, whose signatures are the same in each run.
func (w *World) Key(account string, level identityv1.KeyLevel) sm.PrivateKey {
	return w.Named(account, level, "")
}

// Named returns one more private key for the account and level.
func (w *World) Named(account string, level identityv1.KeyLevel, name string) sm.PrivateKey {
	w.TB.Helper()
	id := fmt.Sprintf("%s %d %s", account, level, name)
	if k, ok := w.keys[id]; ok {
		return k
	}
	k, err := sm.FromSeed(sm.Ed25519, sha256.Sum256([]byte(id)))
	if err != nil {
		w.TB.Fatal(err)
	}
	w.keys[id] = k
	return k
}

// NodeKey returns the public key of the validator that the organisation runs.
func (w *World) NodeKey(org string) []byte {
	return w.Named(org, 0, "node").Public().Bytes()
}

// PublicKey returns the key as a message carries it.
func PublicKey(k sm.PublicKey, level identityv1.KeyLevel) *identityv1.Key {
	return &identityv1.Key{Id: k.ID(), Algorithm: identityv1.KeyAlgorithm(k.Algorithm()), PublicKey: k.Bytes(), Level: level}
}

func (w *World) orgKeys(org string) (keys []*identityv1.Key) {
	for level := identityv1.KeyLevel_KEY_LEVEL_ROOT; level >= identityv1.KeyLevel_KEY_LEVEL_MACHINE; level-- {
		keys = append(keys, PublicKey(w.Key(org, level).Public(), level))
	}
	return keys
}

// Profile returns an organisation's profile with that name.
func Profile(name string) *identityv1.OrgProfile {
	return &identityv1.OrgProfile{Name: name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110100"}
}

// nextCode returns a 统一社会信用代码 that no other organisation of this world has.
func (w *World) nextCode() string {
	w.orgs++
	return Code(w.orgs)
}

// Code returns the n-th 统一社会信用代码 of made-up organisations, with its check digit.
func Code(n int) string {
	const chars = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	code := fmt.Sprintf("11110000%08dT", n)
	sum, weight := 0, 1
	for i := range code {
		sum += bytes.IndexByte([]byte(chars), code[i]) * weight
		weight = weight * 3 % 31
	}
	return code + chars[(31-sum%31)%31:][:1]
}

// View returns the state after the last block. It is closed with the test.
func (w *World) View() state.View {
	s := w.replicas[0].db.View()
	w.TB.Cleanup(s.Close)
	return s
}

// AppHash and TreeRoot return the hashes after the last block, in hex.
func (w *World) AppHash() string {
	h := w.replicas[0].db.AppHash()
	return hex.EncodeToString(h[:])
}

// TreeRoot returns the root of the facts alone, without the log of events.
func (w *World) TreeRoot() string {
	h := w.replicas[0].db.Head().TreeRoot
	return hex.EncodeToString(h[:])
}

// Events returns the events of the last block.
func (w *World) Events() []*tracev1.Event { return w.replicas[0].events }

// Account returns the account, or fails the test.
func (w *World) Account(id string) *identityv1.Account {
	w.TB.Helper()
	acc, ok := identity.Lookup(w.View(), id)
	if !ok {
		w.TB.Fatalf("there is no account %s", id)
	}
	return acc
}

func (w *World) encode(m proto.Message) []byte {
	w.TB.Helper()
	raw, err := canon.Marshal(m)
	if err != nil {
		w.TB.Fatal(err)
	}
	return raw
}

func (w *World) sign(k sm.PrivateKey, msg []byte) []byte {
	w.TB.Helper()
	sig, err := k.Sign(msg)
	if err != nil {
		w.TB.Fatal(err)
	}
	return sig
}
