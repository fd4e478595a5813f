package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"connectrpc.com/connect"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// What Proof does; our own choices.
const (
	proofObjects = 100_000 // in the state before the clock starts
	proofBatch   = 2_000   // of them in one transaction
	proofAsked   = 300     // files that are made and verified
	proofWarm    = 20
)

// Proof measures proof files on a chain with 100,000 objects (Options.Entries) that a
// member serves over its port: how long it takes to make one, its own verification
// included, to verify one, and how large it is. Each is of an object with the signed act
// that made it. The bare counterpart is the engine's own verification of the same header:
// decoding, its checks and the votes of more than 2/3, without genesis, objects and acts.
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
	keys, err := fillState(ctx, o, w, n)
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
	made, files, making, err := makeFiles(ctx, o, maker, keys)
	if err != nil {
		stop()
		return err
	}
	verified, verifying, err := verifyFiles(files, maker.GenesisHash())
	stop()
	if err != nil {
		return err
	}
	bare, err := engineHeader(ctx, w, len(files))
	if err != nil {
		return err
	}
	largest := 0
	for _, f := range files {
		largest = max(largest, len(f))
	}
	r.Add(Figure{Name: "make_ms", Value: made.Ms(50), Unit: "ms", Goal: "< 50", Note: "p50, one at a time, over HTTP; verified before it is handed out"})
	r.Add(Figure{Name: "verify_ms", Value: verified.Ms(50), Unit: "ms", Goal: "< 5", Note: "p50, one core, offline"})
	r.Add(Figure{Name: "bytes", Value: float64(largest), Unit: "bytes", Goal: "< 16,384", Note: "of the largest file"})
	r.Add(Figure{Name: "make_p99_ms", Value: made.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "verify_p99_ms", Value: verified.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "make_cpu_us", Value: making.MicrosecondsEach(len(files)), Unit: "µs", Note: "processor time, the member that answers included"})
	r.Add(Figure{Name: "verify_cpu_us", Value: verifying.MicrosecondsEach(len(files)), Unit: "µs"})
	r.Add(Figure{Name: "engine_ms", Value: bare.Ms(50), Unit: "ms", Note: "p50 of the engine's own check of the same header"})
	r.Add(Figure{Name: "objects", Value: float64(n), Unit: "objects", Note: "in the state"})
	r.Note("each file proves a duty, the transaction that filed it (SM2), its event, the signer's key, and the block, up to the genesis hash")
	r.Note("bare counterpart: cometbft LightBlockFromProto, ValidateBasic and VerifyCommitLight of the same header; %.1f times as long", verified.Ms(50)/max(bare.Ms(50), 1e-6))
	return nil
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
	return keys, until(ctx, "the index has all events", func() (bool, error) {
		st, err := w.chain.Status(ctx)
		return err == nil && st.GetIndexed() >= st.GetEvents(), err
	})
}

func makeFiles(ctx context.Context, o Options, maker *prooffile.Maker, keys []string) (*Times, [][]byte, *Meter, error) {
	o.Say("make %d proof files", proofAsked)
	var meter *Meter
	times := &Times{}
	var files [][]byte
	for i, key := range keys {
		if i == proofWarm {
			meter = Start()
		}
		began := time.Now()
		file, err := maker.Object(ctx, key)
		if err != nil {
			return nil, nil, nil, err
		}
		if i >= proofWarm {
			times.Add(time.Since(began))
			files = append(files, file)
		}
	}
	meter.Stop()
	return times, files, meter, nil
}

func verifyFiles(files [][]byte, genesis [32]byte) (*Times, *Meter, error) {
	times, meter := &Times{}, Start()
	for _, f := range files {
		began := time.Now()
		r := prooffile.Verify(f, genesis)
		times.Add(time.Since(began))
		if !r.OK || len(r.Signers) != 1 {
			return nil, nil, fault.Newf(fault.VerificationFailed, "a file that was just made: %s %s, %d signers", r.Step, r.Reason, len(r.Signers))
		}
	}
	meter.Stop()
	return times, meter, nil
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
