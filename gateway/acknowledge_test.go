package gateway_test

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// countersign makes the acknowledgement of an answer.
func (r *rogue) countersign(a *gatewayv1.Answer) *gatewayv1.AcknowledgeBody {
	r.w.t.Helper()
	raw := a.GetReceipt().GetRecord()
	sig, err := receipt.Sign(r.keys.Machine, raw)
	if err != nil {
		r.w.t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return &gatewayv1.AcknowledgeBody{LeafIndex: a.GetReceipt().GetLeafIndex(), RecordHash: sum[:], Signature: sig, Key: r.keys.Machine.Public().ID()}
}

func (r *rogue) acknowledge(b *gatewayv1.AcknowledgeBody, more ...*gatewayv1.AcknowledgeBody) error {
	body := r.body("", nil)
	b.More = more
	body.Kind = &gatewayv1.RequestBody_Acknowledge{Acknowledge: b}
	_, err := r.client.Acknowledge(context.Background(), rpc.NewRequest(r.sign(body)))
	b.More = nil
	return wire.Fault(err)
}

// TestAcknowledgements: what holds is kept, once, also beside what does not; and what
// does not is told.
func TestAcknowledgements(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	var acks []*gatewayv1.AcknowledgeBody
	for range 5 {
		res, err := r.client.Query(t.Context(), rpc.NewRequest(r.sign(r.body(agreement, nil))))
		if err != nil {
			t.Fatal(err)
		}
		acks = append(acks, r.countersign(res.Msg))
	}
	want(t, fault.OK, r.acknowledge(acks[0]))
	want(t, fault.OK, r.acknowledge(acks[0], acks[1], acks[1])) // twice is once
	forged := r.countersign(&gatewayv1.Answer{Receipt: &tracev1.Receipt{LeafIndex: acks[2].LeafIndex, Record: []byte("another")}})
	forged.RecordHash = acks[2].RecordHash
	want(t, fault.VerificationFailed, r.acknowledge(acks[3], forged))
	want(t, fault.NotFound, r.acknowledge(&gatewayv1.AcknowledgeBody{LeafIndex: 1 << 40}))
	nested := &gatewayv1.AcknowledgeBody{LeafIndex: acks[4].LeafIndex, RecordHash: acks[4].RecordHash, Signature: acks[4].Signature, Key: acks[4].Key, More: acks[1:2]}
	want(t, fault.Malformed, r.acknowledge(acks[0], nested))
	many := make([]*gatewayv1.AcknowledgeBody, 64)
	for i := range many {
		many[i] = acks[3]
	}
	want(t, fault.TooLong, r.acknowledge(acks[4], many...))
	// The next start knows them too.
	door.stop()
	door = w.open(w.planningConfig())
	want(t, fault.OK, r.at(door).acknowledge(acks[3]))
	door.stop()
	book, err := receipt.OpenBook(filepath.Join(w.planningConfig().Home, "deliveries", "acknowledged"))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	kept := map[uint64]int{}
	if err := book.Each(0, func(_ int, rc *tracev1.Receipt) bool {
		kept[rc.GetLeafIndex()]++
		if receipt.Verify(r.keys.Machine.Public(), rc.GetRecord(), rc.GetConsumerSignature()) != nil {
			t.Errorf("receipt %d is not signed by its asker", rc.GetLeafIndex())
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 3 || kept[acks[0].LeafIndex] != 1 || kept[acks[1].LeafIndex] != 1 || kept[acks[3].LeafIndex] != 1 {
		t.Errorf("kept, by leaf: %v", kept)
	}
}
