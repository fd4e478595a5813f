package issue

import (
	"context"
	"crypto/subtle"

	"mulian/gateway/connect"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/rowkey"
)

// Owner is who a credential is for: an account that an identity authority has identified,
// and the salt that opens what it recorded. The number itself is that of the row.
type Owner struct {
	Account string `json:"account"`
	Salt    []byte `json:"salt"` // 32 bytes
}

// owns refuses a row that is not the owner's: its owner item has to be the number that was
// proofed for his account. SubjectMismatch. An order without an owner is not looked at.
func (o *Office) owns(ctx context.Context, p *plan, row connect.Row) error {
	who := p.order.Owner
	if who == nil {
		return nil
	}
	if p.source == nil || len(row) == 0 {
		return fault.Newf(fault.SubjectMismatch, "%s rests on no row: nothing says whose it is", p.order.Type)
	}
	proofing := &identityv1.Proofing{}
	found, err := o.Get(ctx, "identity/proofing/"+who.Account, proofing)
	if err != nil {
		return err
	}
	if !found || proofing.GetState() != identityv1.ProofingState_PROOFING_STATE_VALID || o.now().UnixMilli() >= proofing.GetExpiresMs() {
		return fault.Newf(fault.SubjectMismatch, "nobody has identified %s, or it has ended", who.Account)
	}
	number := row[len(row)-1]
	sum := rowkey.Proofing(who.Salt, number.Text)
	if number.IsNull() || number.Text == "" || len(who.Salt) != 32 || subtle.ConstantTimeCompare(sum[:], proofing.GetCommitment()) != 1 {
		return fault.Newf(fault.SubjectMismatch, "the row is not that of %s", who.Account)
	}
	return nil
}
