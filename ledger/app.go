package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"
	"mulian/state/machine"
)

// app is what the engine asks. The engine calls the methods of one connection one
// after the other, and those of different connections at once: consensus
// (Prepare, Process, Finalize, Commit, votes) beside mempool (CheckTx).
type app struct {
	abci.BaseApplication
	chainID  string
	genesis  []byte // signed, as in the file
	machine  machine.Machine
	db       *state.DB
	log      *slog.Logger
	sm2      sm.PrivateKey
	verdicts *verdicts
	admitted *recent // transactions that Check has taken, with their ids
	shares   *shares
	gossip   *gossip  // nil: there are no other nodes
	catchUp  *catchUp // nil likewise, and while old blocks are replayed
	keep     *atomic.Int64
	latest   *latest
	figures  *figures
	pace     *pace
	door     door
	outdated *outdated

	voters atomic.Int64 // validators after the last committed block
	woke   atomic.Int64 // height of the last empty block that brought the time forward for those who waited

	waiting func() int               // transactions in the mempool; nil while old blocks are replayed
	retain  func(height int64) int64 // see Ledger.retain; nil likewise

	open      *openBlock // owned by the consensus connection
	committed func(height int64, done []doneTx)
}

// openBlock is a block between FinalizeBlock and Commit.
type openBlock struct {
	*state.Block
	done   []doneTx
	voters int
}

// doneTx is a transaction of a block with what its sender is told.
type doneTx struct {
	Committed
	raw   [32]byte // SHA-256 of the envelope: two envelopes can have one id
	spent bool     // the result is the id's, not only this envelope's
}

// verifier is [machine.Env.Verify].
type verifier = func(public sm.PublicKey, message, signature []byte) bool

func (a *app) env(height, timeMs int64, verify verifier) machine.Env {
	return machine.Env{ChainID: a.chainID, Height: height, TimeMs: timeMs, Verify: verify}
}

// Info tells the engine how far the state is; it replays what is missing.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	res := &abci.ResponseInfo{Data: "mulian", AppVersion: appVersion}
	if a.db.Committed() {
		hash := a.db.AppHash()
		res.LastBlockHeight, res.LastBlockAppHash = a.db.Height(), hash[:]
	}
	return res, nil
}

// InitChain makes the first state. If the process dies before block 1 it is asked
// again, with the state already there: then it only tells what it holds.
func (a *app) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	if !a.db.Committed() {
		if err := a.makeGenesis(req.Time.UnixMilli()); err != nil {
			return nil, err
		}
	}
	view := a.db.View()
	defer view.Close()
	set := readValidators(view)
	a.voters.Store(int64(len(set)))
	hash := a.db.AppHash()
	return &abci.ResponseInitChain{AppHash: hash[:], Validators: toUpdates(set)}, nil
}

func (a *app) makeGenesis(timeMs int64) error {
	block := a.db.Begin(0, timeMs)
	defer block.Discard()
	tx := block.Tx()
	defer tx.Drop()
	first, err := a.machine.Genesis(tx, a.env(0, timeMs, a.verdicts.check), a.genesis)
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	began := genesisID(a.chainID, timeMs, a.genesis)
	tx.Put([]byte(genesisKey), began[:], state.Plain)
	set, err := applyUpdates(nil, first)
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	writeValidators(tx, nil, set)
	tx.Keep()
	block.Seal()
	if err := block.Commit(); err != nil {
		return err
	}
	a.latest.renew()
	return nil
}

// CheckTx admits what peers send; what came through Submit was checked there.
func (a *app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	raw := sha256.Sum256(req.Tx)
	if a.admitted.has(raw) {
		return &abci.ResponseCheckTx{}, nil
	}
	// Not gated: the engine holds its mempool's lock meanwhile, and a block waits for it.
	id, err := a.machine.ID(req.Tx)
	if err == nil {
		err = a.admit(req.Tx, raw, id, a.verdicts.check, peerShare)
	}
	if err != nil {
		return &abci.ResponseCheckTx{Code: uint32(fault.CodeOf(err)), Log: err.Error()}, nil
	}
	return &abci.ResponseCheckTx{}, nil
}

// admit asks the rules whether a transaction, with its SHA-256 and its id, may wait for
// a block, and remembers that its signature was looked at. share is how many its account
// may have waiting.
func (a *app) admit(tx []byte, raw, id [32]byte, verify verifier, share int) error {
	view := a.latest.get()
	if view == nil { // a peer's, while the node stops
		return fault.Newf(fault.Unreachable, "the node is stopping")
	}
	defer a.latest.put(view)
	env := a.env(view.Height()+1, time.Now().UnixMilli(), verify)
	var sender string
	env.Room = func(account string) error {
		sender, _, _ = strings.Cut(account, "/") // gateways and units count with their organisation
		return a.shares.room(sender, share)
	}
	if err := a.machine.Check(view, env, tx); err != nil {
		return err
	}
	if err := a.shares.take(raw, sender, share); err != nil {
		return err
	}
	a.admitted.add(raw, id)
	return nil
}

// id is the id of a transaction, whose SHA-256 is raw, and whether Check has taken it.
func (a *app) id(tx []byte, raw [32]byte) (id [32]byte, seen bool, err error) {
	if id, seen = a.admitted.get(raw); seen {
		return id, true, nil
	}
	id, err = a.machine.ID(tx)
	return id, false, err
}

// PrepareProposal takes what the mempool offers, in its order, or nothing if the
// block's time has to be brought forward first (see the package comment): once, so
// that a slow network does not only make empty blocks. It must not drop single
// transactions: they would stay in the mempool for ever.
func (a *app) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	a.pace.at(req.Height, (*moments).proposal)
	if time.Since(req.Time) > staleAfter && a.woke.Load() != req.Height-1 {
		return &abci.ResponsePrepareProposal{}, nil
	}
	var size int64
	for i, tx := range req.Txs {
		if size += int64(len(tx)) + 8; size > req.MaxTxBytes {
			return &abci.ResponsePrepareProposal{Txs: req.Txs[:i]}, nil
		}
	}
	return &abci.ResponsePrepareProposal{Txs: req.Txs}, nil
}

// ProcessProposal refuses what no honest proposer sends: an unreadable or too large
// transaction, a time far from our clock. A transaction that the rules will refuse
// is no reason: whether they do can depend on one before it in the block.
func (a *app) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	a.pace.at(req.Height, (*moments).proposal)
	no := &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}
	if a.outdated.refuses() {
		return no, nil
	}
	if a.voters.Load() > 1 {
		late := time.Since(req.Time)
		woken := len(req.Txs) == 0 || a.woke.Load() == req.Height-1
		if late < -maxClockSkew || late > maxClockSkew && !woken {
			a.log.Warn("a proposed block's time is too far from our clock", "height", req.Height, "late", late.String())
			return no, nil
		}
	}
	for _, tx := range req.Txs {
		if _, _, err := a.id(tx, sha256.Sum256(tx)); err != nil || len(tx) > MaxTxBytes {
			a.log.Warn("a proposed block holds what is no transaction", "height", req.Height)
			return no, nil
		}
	}
	a.warm(req.Txs, req.Height, req.Time.UnixMilli())
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// warm checks the signatures that nobody has looked at yet on all processors, so
// that Apply finds the answers. What Check says is not used.
func (a *app) warm(txs [][]byte, height, timeMs int64) {
	var fresh [][]byte
	for _, tx := range txs {
		if !a.admitted.has(sha256.Sum256(tx)) {
			fresh = append(fresh, tx)
		}
	}
	if len(fresh) < 2 {
		return
	}
	view := a.latest.get()
	if view == nil {
		return
	}
	defer a.latest.put(view)
	env := a.env(height, timeMs, a.verdicts.check)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(fresh)) {
		all.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(fresh); i = next.Add(1) - 1 {
				id, err := a.machine.ID(fresh[i])
				if err == nil && a.machine.Check(view, env, fresh[i]) == nil {
					a.admitted.add(sha256.Sum256(fresh[i]), id)
				}
			}
		})
	}
	all.Wait()
}

// FinalizeBlock carries out a decided block in memory. If the power fails after it,
// the engine has the block and asks again.
func (a *app) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	if err := a.outdated.beforeBlock(); err != nil {
		return nil, err
	}
	if a.open != nil {
		a.open.Discard()
	}
	a.catchUp.carrying()
	a.pace.at(req.Height, (*moments).begin)
	a.pace.voted(req.Height, req.DecidedLastCommit)
	timeMs := req.Time.UnixMilli()
	// Only if somebody waits: after a heartbeat the chain may sleep again.
	if len(req.Txs) == 0 && time.Since(req.Time) > staleAfter && a.waiting != nil && a.waiting() > 0 {
		a.woke.Store(req.Height)
	}
	a.warm(req.Txs, req.Height, timeMs)
	env := a.env(req.Height, timeMs, a.verdicts.check)
	open := &openBlock{Block: a.db.Begin(req.Height, timeMs), done: make([]doneTx, len(req.Txs))}
	a.open = open
	res := &abci.ResponseFinalizeBlock{TxResults: make([]*abci.ExecTxResult, len(req.Txs))}
	for i, raw := range req.Txs {
		open.done[i] = a.carryOut(open.Block, env, uint32(i), raw)
		// Only Code, Data and gas are hashed into the next header; Log is ours alone.
		d := &open.done[i]
		res.TxResults[i] = &abci.ExecTxResult{Code: uint32(d.Code), Data: d.Data, Log: d.Text}
	}
	env.Misbehaviours = misbehaviours(req.Misbehavior)
	for _, m := range env.Misbehaviours {
		a.log.Warn("a validator is proved to have misbehaved", "validator", fmt.Sprintf("%x", m.Address), "wrong", m.Wrong, "at", m.Height, "height", req.Height)
	}
	updates, voters := a.end(open.Block, env)
	open.voters = voters
	open.Seal()
	hash := open.Finish()
	res.ValidatorUpdates, res.AppHash = updates, hash[:]
	a.pace.at(req.Height, (*moments).carry)
	return res, nil
}

// carryOut applies one transaction and keeps its result: under its id if that is
// spent, else under its place in the block.
func (a *app) carryOut(block *state.Block, env machine.Env, index uint32, raw []byte) doneTx {
	d := doneTx{raw: sha256.Sum256(raw), Committed: Committed{Height: env.Height, Index: index, TimeMs: env.TimeMs}}
	id, seen, err := a.id(raw, d.raw)
	d.ID, env.Seen = id, seen
	_, known := block.Get(txKey(id))
	tx := block.Tx()
	switch {
	case err != nil: // from a proposer who lies, outvoting us
		d.set(refusal(fault.Malformed, "ledger/read", env.Height, err.Error()))
	case known:
		d.set(refusal(fault.Replayed, "ledger/replay", env.Height, "this transaction is on the chain already"))
	default:
		r := a.apply(tx, env, raw)
		d.set(r)
		d.spent = r.Code == fault.OK || r.Remember
		if r.Code != fault.OK {
			tx.Drop()
			tx = block.Tx()
		}
	}
	key := unspentKey(env.Height, index)
	if d.spent {
		key = txKey(id)
	}
	tx.Put(key, d.record(), state.Plain)
	tx.Keep()
	return d
}

func (d *doneTx) set(r machine.Result) { d.Code, d.Data, d.Text = r.Code, r.Data, r.Text }

// apply turns a panic of the rules into a refusal: one transaction must not stop
// every validator for ever. A damaged store still stops this one. Should the panic
// be of this machine only, its app hash differs and the engine stops it.
func (a *app) apply(tx *state.Tx, env machine.Env, raw []byte) (r machine.Result) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, state.ErrDamaged) {
			panic(p)
		}
		a.log.Error("the rules panicked over a transaction; it is refused", "height", env.Height, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		r = refusal(fault.Internal, "ledger/apply", env.Height, "the transaction could not be carried out")
	}()
	return a.machine.Apply(tx, env, raw)
}

// end runs what is due and takes over changes of the validators.
func (a *app) end(block *state.Block, env machine.Env) ([]abci.ValidatorUpdate, int) {
	tx := block.Tx()
	changes := a.machine.End(tx, env)
	before := readValidators(tx)
	after, err := applyUpdates(before, changes)
	if err != nil {
		// The engine would stop every node over an impossible set.
		a.log.Error("a change of the validators is impossible and is not carried out", "height", env.Height, "cause", err.Error())
		after = before
	}
	updates := writeValidators(tx, before, after)
	tx.Keep()
	return updates, len(after)
}

// Commit makes the block's state the last one. It is not fsynced: the engine has
// the block and replays it.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	open := a.open
	if err := open.Commit(); err != nil {
		return nil, err
	}
	a.open = nil
	a.latest.renew() // before anybody is told of the block
	a.voters.Store(int64(open.voters))
	height := open.Height()
	a.pace.at(height, (*moments).commit)
	a.figures.block(height, open.done, a.pace, a.waiting != nil)
	if a.waiting != nil {
		waited := a.waiting()
		a.shares.done(open.done, waited)
		if a.gossip != nil {
			a.gossip.done(open.done, waited)
		}
	}
	if err := a.checkProgram(); err != nil {
		a.log.Warn("the next block is for a newer program", "height", height+1)
	}
	a.committed(height, open.done)
	res := &abci.ResponseCommit{}
	if a.keep.Load() > 0 && a.retain != nil {
		res.RetainHeight = a.retain(height)
	}
	return res, nil
}

// checkProgram asks whether this program may make the block after the committed state.
func (a *app) checkProgram() error {
	view := a.db.View()
	defer view.Close()
	return a.outdated.check(view)
}
