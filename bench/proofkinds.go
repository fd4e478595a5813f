package bench

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/gateway"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// What measureKinds does; our own choices.
const (
	kindFiles   = 100    // of each kind
	accessNotes = 10_000 // records in the gateway's log
	receiptOver = "mulian-receipt-v1\x00"
)

// measureEach makes files and verifies them.
func measureEach(n int, file func(i int) ([]byte, *prooffile.Maker, error)) (*filesOf, error) {
	f := &filesOf{making: &Times{}, verifying: &Times{}}
	var files [][]byte
	var makers []*prooffile.Maker
	f.makingMeter = Start()
	for i := range n {
		began := time.Now()
		made, maker, err := file(i)
		if err != nil {
			return nil, err
		}
		f.making.Add(time.Since(began))
		files, makers, f.largest = append(files, made), append(makers, maker), max(f.largest, len(made))
	}
	f.makingMeter.Stop()
	f.verifyMeter = Start()
	for i, made := range files {
		began := time.Now()
		r := makers[i].Verify(made)
		f.verifying.Add(time.Since(began))
		if !r.OK {
			return nil, fault.Newf(fault.VerificationFailed, "a file that was just made: %s %s", r.Step, r.Reason)
		}
	}
	f.verifyMeter.Stop()
	return f, nil
}

// measureKinds makes files of the other kinds: transactions of the duties, keys that are not
// there, and accesses with both signatures from a log of 10,000 records.
func measureKinds(ctx context.Context, o Options, w *town, maker *prooffile.Maker, duties []string, r *Result) error {
	o.Say("make and verify proof files of transactions, absences and accesses")
	ids, err := transactionsOf(ctx, w, duties[:kindFiles])
	if err != nil {
		return err
	}
	log, err := keepLog(ctx, w)
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name string
		make func(i int) ([]byte, error)
	}{
		{"transaction", func(i int) ([]byte, error) { return maker.Transaction(ctx, ids[i]) }},
		{"absence", func(i int) ([]byte, error) { return maker.Absence(ctx, fmt.Sprintf("share/agreement/%016x", i)) }},
		{"access", func(i int) ([]byte, error) { return maker.Receipt(ctx, log.receipt(uint64(i*97)), log) }},
	} {
		f, err := measureEach(kindFiles, func(i int) ([]byte, *prooffile.Maker, error) {
			file, err := kind.make(i)
			return file, maker, err
		})
		if err != nil {
			return fmt.Errorf("files of kind %s: %w", kind.name, err)
		}
		f.tell(r, kind.name)
	}
	return nil
}

// transactionsOf finds the transactions that put the objects.
func transactionsOf(ctx context.Context, w *town, keys []string) (ids [][32]byte, err error) {
	for _, key := range keys {
		res, err := w.chain.Trace.Trace(ctx, connect.NewRequest(&tracev1.TraceRequest{Object: key, Direct: true, Limit: 1}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		if len(res.Msg.GetSteps()) == 0 || len(res.Msg.GetSteps()[0].GetEvent().GetTxId()) != 32 {
			return nil, fault.Newf(fault.Internal, "%s has no transaction", key)
		}
		ids = append(ids, [32]byte(res.Msg.GetSteps()[0].GetEvent().GetTxId()))
	}
	return ids, nil
}

// keptLog is a gateway's log in memory, with the hashes of all whole parts of its tree.
type keptLog struct {
	records   [][]byte
	levels    [][][]byte
	door, tap client.Signer
}

// keepLog fills the door's log with records of queries and anchors it as a gateway does.
func keepLog(ctx context.Context, w *town) (*keptLog, error) {
	l := &keptLog{}
	for account, into := range map[string]*client.Signer{w.door: &l.door, w.tap: &l.tap} {
		keys, err := gateway.LoadKeys(w.ring, account)
		if err != nil {
			return nil, err
		}
		*into = client.Signer{Account: account, Key: keys.Machine}
	}
	st, err := w.chain.Ledger.GetStatus(ctx, connect.NewRequest(&ledgerv1.GetStatusRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	for i := range accessNotes {
		raw, err := canon.Marshal(&tracev1.AccessRecord{
			Gateway: w.door, Agreement: "0123456789abcdef", Seq: uint64(i + 1), Outcome: tracev1.Outcome_OUTCOME_GRANTED, RequestId: fmt.Sprintf("request-%d", i), Asker: w.tap,
			Entry: w.provider.Account + ":E01", EntryVersion: 1, Items: []string{"证号", "名称", "状态"}, Purpose: "核对新建项目", Rows: 1, Bytes: 300,
			AtMs: st.Msg.GetTimeMs(), ViewHeight: st.Msg.GetHeight(), Place: uint64(i + 1), Previous: uint64(i),
		})
		if err != nil {
			return nil, err
		}
		l.records = append(l.records, raw)
	}
	l.hash()
	root, err := l.root(ctx)
	if err != nil {
		return nil, err
	}
	_, err = w.chain.Send(ctx, l.door, &tracev1.AnchorHead{Gateway: w.door, Size: accessNotes, Root: root})
	return l, err
}

// hash computes the whole parts of the tree, level by level.
func (l *keptLog) hash() {
	var level [][]byte
	for _, r := range l.records {
		level = append(level, rfc6962.DefaultHasher.HashLeaf(r))
	}
	for l.levels = append(l.levels, level); len(level) > 1; l.levels = append(l.levels, level) {
		var above [][]byte
		for i := 0; i+1 < len(level); i += 2 {
			above = append(above, rfc6962.DefaultHasher.HashChildren(level[i], level[i+1]))
		}
		level = above
	}
}

// root is what the way of the first record leads to.
func (l *keptLog) root(ctx context.Context) ([]byte, error) {
	way, err := l.Way(ctx, 0, accessNotes)
	if err != nil {
		return nil, err
	}
	h := l.levels[0][0]
	for _, x := range way {
		h = rfc6962.DefaultHasher.HashChildren(h, x)
	}
	return h, nil
}

// Leaf implements [prooffile.Leaves].
func (l *keptLog) Leaf(_ context.Context, i uint64) ([]byte, error) {
	if i >= uint64(len(l.records)) {
		return nil, fault.Newf(fault.NotFound, "no record %d", i)
	}
	return l.records[i], nil
}

// Way implements [prooffile.Leaves].
func (l *keptLog) Way(_ context.Context, i, size uint64) ([][]byte, error) {
	nodes, err := proof.Inclusion(i, size)
	if err != nil {
		return nil, fmt.Errorf("the way of record %d of %d: %w", i, size, err)
	}
	var hashes [][]byte
	for _, id := range nodes.IDs {
		hashes = append(hashes, l.levels[id.Level][id.Index])
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}

// receipt is a record with the signatures of both gateways.
func (l *keptLog) receipt(i uint64) *tracev1.Receipt {
	r := &tracev1.Receipt{Record: l.records[i], LeafIndex: i, ProviderKey: l.door.Key.Public().ID(), ConsumerKey: l.tap.Key.Public().ID()}
	message := append([]byte(receiptOver), r.Record...)
	var err error
	if r.ProviderSignature, err = l.door.Key.Sign(message); err == nil {
		r.ConsumerSignature, err = l.tap.Key.Sign(message)
	}
	if err != nil {
		panic(fmt.Sprintf("bench: sign a receipt of %s: %v", hex.EncodeToString(r.Record[:8]), err)) // keys in memory: it cannot fail
	}
	return r
}
