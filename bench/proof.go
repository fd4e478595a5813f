package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/intake/filing"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// What Proof does; our own choices.
const (
	proofObjects = 100_000 // in the state before the clock starts
	proofBatch   = 2_000   // of them in one transaction
	proofAsked   = 300     // files of each kind that are made and verified
	proofWarm    = 20
	proofOwners  = 2   // organisations of the imported list
	proofItems   = 24  // of each entry in it: what the largest lists that we know have on average
	proofList    = 200 // entries of each: one envelope
)

// Proof measures proof files on a chain with 100,000 objects (Options.Entries) that a
// member serves over its port: how long it takes to make one, its own verification
// included, to verify one, and how large it is. There are two kinds: of a duty, whose act
// was alone in its transaction, and of a catalogue entry, which was imported with 199 others
// in one transaction; the first three figures are those of the worse one. Beside them there
// are files of transactions, of keys that are not there, of accesses with both signatures,
// and of an object after sixteen changes of the validators, from the genesis and from a
// checkpoint. The bare
// counterpart is the engine's own verification of the same header: decoding, its checks and
// the votes of more than 2/3, without genesis, objects and acts.
//
// Usage (no folder), Cancelled.
func Proof(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "proof"}
	dir, remove, err := o.Folder("proof")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	return r, ended(ctx, proving(ctx, o, dir, &r))
}

func proving(ctx context.Context, o Options, dir string, r *Result) (err error) {
	w, err := found(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	n := o.Entries
	if n <= 0 {
		n = proofObjects
	}
	duties, err := fillState(ctx, o, w, n)
	if err != nil {
		return err
	}
	entries, err := importList(ctx, o, w)
	if err != nil {
		return err
	}
	genesis, err := os.ReadFile(w.genesis)
	if err != nil {
		return fmt.Errorf("read the genesis: %w", err)
	}
	maker, err := prooffile.NewMaker(w.chain, genesis)
	if err != nil {
		return err
	}
	stop, err := o.profile()
	if err != nil {
		return err
	}
	alone, err := measureFiles(ctx, o, maker, duties)
	if err != nil {
		stop()
		return err
	}
	of200, err := measureFiles(ctx, o, maker, entries)
	stop()
	if err != nil {
		return err
	}
	if err := measureKinds(ctx, o, w, maker, duties, r); err != nil {
		return err
	}
	if err := measureHanded(ctx, o, r); err != nil {
		return err
	}
	bare, err := engineHeader(ctx, w, alone.making.Len())
	if err != nil {
		return err
	}
	others := r.Figures
	r.Figures = nil
	worst := max(alone.verifying.Ms(50), of200.verifying.Ms(50))
	r.Add(Figure{Name: "make_ms", Value: max(alone.making.Ms(50), of200.making.Ms(50)), Unit: "ms", Goal: "< 50", Note: "p50 of the slower kind, one at a time, over HTTP; verified before it is handed out"})
	r.Add(Figure{Name: "verify_ms", Value: worst, Unit: "ms", Goal: "< 5", Note: "p50 of the slower kind, one core, offline"})
	r.Add(Figure{Name: "bytes", Value: float64(max(alone.largest, of200.largest)), Unit: "bytes", Goal: "< 16,384", Note: "of the largest file"})
	alone.tell(r, "duty")
	of200.tell(r, "entry")
	r.Figures = append(r.Figures, others...)
	r.Add(Figure{Name: "engine_ms", Value: bare.Ms(50), Unit: "ms", Note: "p50 of the engine's own check of the same header"})
	r.Add(Figure{Name: "objects", Value: float64(n), Unit: "objects", Note: "in the state, beside those that are proved"})
	r.Note("each file proves an object, the act that made it with its signature (SM2), the signer's key, and the block, up to the genesis hash")
	r.Note("duty: filed by a transaction of its own; entry: imported, %d with %d items each in one transaction, whose body is left out", proofList, proofItems)
	r.Note("bare counterpart: cometbft LightBlockFromProto, ValidateBasic and VerifyCommitLight of the same header; %.1f times as long", worst/max(bare.Ms(50), 1e-6))
	return nil
}

// filesOf is what was measured of the files of one kind.
type filesOf struct {
	making, verifying        *Times
	makingMeter, verifyMeter *Meter
	largest                  int
}

// tell adds the figures of one kind.
func (f *filesOf) tell(r *Result, kind string) {
	n := f.making.Len()
	r.Add(Figure{Name: kind + "_make_ms", Value: f.making.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: kind + "_make_p99_ms", Value: f.making.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: kind + "_verify_ms", Value: f.verifying.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: kind + "_verify_p99_ms", Value: f.verifying.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: kind + "_bytes", Value: float64(f.largest), Unit: "bytes"})
	r.Add(Figure{Name: kind + "_make_cpu_us", Value: f.makingMeter.MicrosecondsEach(n), Unit: "µs", Note: "processor time, the member that answers included"})
	r.Add(Figure{Name: kind + "_verify_cpu_us", Value: f.verifyMeter.MicrosecondsEach(n), Unit: "µs"})
}

// fillState brings n objects on the ledger, and those that will be proved by a
// transaction of each. It returns their keys.
func fillState(ctx context.Context, o Options, w *town, n int) ([]string, error) {
	o.Say("fill the state with %d objects", n)
	duty := func(i int) *cataloguev1.Duty {
		return &cataloguev1.Duty{
			Id: fmt.Sprintf("%s:P%06d", w.provider.Account, i), Org: w.provider.Account, Title: fmt.Sprintf("第%d项职责", i),
			PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
		}
	}
	for i := 0; i < n; {
		var messages []proto.Message
		for batch := 0; batch < proofBatch && i < n; {
			m := &cataloguev1.PutDuties{}
			for len(m.Duties) < 200 && batch < proofBatch && i < n {
				m.Duties = append(m.Duties, duty(i))
				i, batch = i+1, batch+1
			}
			messages = append(messages, m)
		}
		if _, err := w.chain.Send(ctx, w.provider, messages...); err != nil {
			return nil, err
		}
	}
	var keys []string
	for i := range proofAsked + proofWarm {
		d := duty(n + i)
		if _, err := w.chain.Send(ctx, w.provider, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{d}}); err != nil {
			return nil, err
		}
		keys = append(keys, "catalogue/duty/"+d.Id)
	}
	return keys, w.indexed(ctx)
}

// importList imports a list as `mulian catalogue import` does, in batches of 200, and
// returns the keys of its entries.
func importList(ctx context.Context, o Options, w *town) ([]string, error) {
	o.Say("import a list of %d entries", proofOwners*proofList)
	var list strings.Builder
	list.WriteString(catalogueTitleRow)
	for i := range proofOwners * proofList {
		var items []string
		for k := range proofItems {
			items = append(items, fmt.Sprintf("第%d类事项%d", i, k))
		}
		fmt.Fprintf(&list, "证明第%06d号台账,证明局%d,本条目记录第 %d 类事项的受理、审查、办结情况，含申请人、事项、时间与结果,%s,每月,无条件共享\n", i, i%proofOwners, i, strings.Join(items, "；"))
	}
	csv := filepath.Join(w.dir, "proof.csv")
	if err := os.WriteFile(csv, []byte(list.String()), 0o600); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	out, err := w.file(ctx, csv, filing.Order{Register: true, Source: "proof"})
	if err != nil {
		return nil, err
	}
	if out.Sent != proofOwners*proofList {
		return nil, fault.Newf(fault.Internal, "%d of %d entries were sent: %v", out.Sent, proofOwners*proofList, out.Problems)
	}
	res, err := w.chain.Catalogue.ListEntries(ctx, connect.NewRequest(&cataloguev1.ListEntriesRequest{Source: "proof", Limit: 500}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	var keys []string
	for _, e := range res.Msg.GetEntries() {
		keys = append(keys, "catalogue/entry/"+e.GetId())
	}
	if len(keys) < proofWarm+proofAsked {
		return nil, fault.Newf(fault.Internal, "%d entries were imported", len(keys))
	}
	return keys[:proofWarm+proofAsked], nil
}

// measureFiles makes the files of the keys, of which the first only warm up, and verifies
// them.
func measureFiles(ctx context.Context, o Options, maker *prooffile.Maker, keys []string) (*filesOf, error) {
	o.Say("make and verify %d proof files of %s", proofAsked, path.Dir(keys[0]))
	f := &filesOf{making: &Times{}, verifying: &Times{}}
	var files [][]byte
	for i, key := range keys {
		if i == proofWarm {
			f.makingMeter = Start()
		}
		began := time.Now()
		file, err := maker.Object(ctx, key)
		if err != nil {
			return nil, err
		}
		if i >= proofWarm {
			f.making.Add(time.Since(began))
			files = append(files, file)
			f.largest = max(f.largest, len(file))
		}
	}
	f.makingMeter.Stop()
	f.verifyMeter = Start()
	for _, file := range files {
		began := time.Now()
		r := prooffile.Verify(file, maker.GenesisHash())
		f.verifying.Add(time.Since(began))
		if !r.OK || len(r.Signers) != 1 {
			return nil, fault.Newf(fault.VerificationFailed, "a file that was just made: %s %s, %d signers", r.Step, r.Reason, len(r.Signers))
		}
	}
	f.verifyMeter.Stop()
	return f, nil
}

// engineHeader has the engine check the latest header as often.
func engineHeader(ctx context.Context, w *town, times int) (*Times, error) {
	res, err := w.chain.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	out := &Times{}
	for range times {
		began := time.Now()
		if err := checkHeader(res.Msg.GetLightBlock()); err != nil {
			return nil, err
		}
		out.Add(time.Since(began))
	}
	return out, nil
}

func checkHeader(raw []byte) error {
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(raw); err != nil {
		return fmt.Errorf("decode the header: %w", err)
	}
	b, err := types.LightBlockFromProto(&pb)
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	if err := b.ValidateBasic(townChain); err != nil {
		return fmt.Errorf("check the header: %w", err)
	}
	return types.VerifyCommitLight(townChain, b.ValidatorSet, b.Commit.BlockID, b.Height, b.Commit)
}
