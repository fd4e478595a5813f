package city

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// proofDir holds the proof files that the story leaves behind.
const proofDir = "proofs"

// proveDelivery writes the proof file of the last delivery: the record in the
// provider's log with the signatures of both gateways. Whoever has it can check it
// when the city is long gone.
func (s *story) proveDelivery(ctx context.Context) (lines []string, err error) {
	file, err := os.ReadFile(s.path(genesisFile))
	if err != nil {
		return nil, fmt.Errorf("read the genesis: %w", err)
	}
	maker, err := prooffile.NewMaker(s.chain, file)
	if err != nil {
		return nil, err
	}
	receipt, err := s.lastReceipt()
	if err != nil {
		return nil, err
	}
	proof, err := maker.Receipt(ctx, receipt, nil)
	if err != nil {
		return nil, fmt.Errorf("prove the delivery: %w", err)
	}
	if err := durable.MkdirPrivate(s.path(proofDir)); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(s.path(proofDir, s.agreement.Id+".mulian-proof.json"))
	if err != nil {
		return nil, fmt.Errorf("name the proof file: %w", err)
	}
	if err := durable.ReplaceFile(path, proof, 0o644); err != nil {
		return nil, fmt.Errorf("write the proof file: %w", err)
	}
	s.report.Proof = path
	where := "" // the command line looks in .mulian by itself
	if s.opts.Home != ".mulian" {
		where = " --home " + home(s.opts.Home)
	}
	return []string{
		fmt.Sprintf(s.tell.t("证明文件 %.1f KB，双方签名；城市停了也能离线验证：\nmulian verify %s%s", "a proof file of %.1f KB, signed by both sides; check it offline, any day:\nmulian verify %s%s"),
			float64(len(proof))/1000, home(path), where),
		fmt.Sprintf(s.tell.t("创世 %s…  不信本机：--genesis-hash 代替 --home", "genesis %s…  or, without this home: --genesis-hash"), hex.EncodeToString(s.genesis.Hash[:])[:16]),
	}, nil
}

// lastReceipt is the water bureau's receipt of the newest delivery of the story.
func (s *story) lastReceipt() (last *tracev1.Receipt, err error) {
	book := s.gateways[water.Short].Receipts()
	err = book.Each(0, func(_ int, r *tracev1.Receipt) bool {
		rec := &tracev1.AccessRecord{}
		if proto.Unmarshal(r.GetRecord(), rec) == nil && rec.GetDelivery() > 0 && rec.GetAgreement() == s.agreement.Id {
			last = r
		}
		return true
	})
	if err == nil && last == nil {
		err = fault.Newf(fault.NotFound, "the water bureau has no receipt of a delivery under %s", s.agreement.Id)
	}
	return last, err
}
