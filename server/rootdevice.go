package server

import (
	"cmp"
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// seatOfRoot is the seat of a device that may sign as the organisation itself.
const seatOfRoot = "root"

// rootLabel is that of every key that came by such a link. It says how, not to whom.
const rootLabel = "root-device"

// MaxRootDays is the longest life of such a key; our own choice, as of the keys of a sign-in.
const MaxRootDays = 365

// RootSetup is one link by which one device brings a ROOT key of the organisation's own
// account: once, within [SetupLife], a passkey alone, and with an end. Such a device votes and
// proposes, gives keys and takes them: all that the organisation can do. Only who has the
// node's command line and the ROOT key in its home makes the link; no seat and no sign-in does.
type RootSetup struct {
	*Setup
	days uint32
}

// NewRootSetup returns such a link for the organisation whose ROOT key that is, and its token.
// The device's key ends after so many days, 1 to [MaxRootDays]. now nil is the clock.
func NewRootSetup(chain *client.Client, root client.Signer, name string, days int, now func() time.Time) (*RootSetup, string, error) {
	if days < 1 || days > MaxRootDays {
		return nil, "", fault.Newf(fault.OutOfRange, "the device's key ends after %d days: 1 to %d are possible", days, MaxRootDays)
	}
	s, token := NewSetup(chain, root, name, now)
	return &RootSetup{Setup: s, days: uint32(days)}, token, nil
}

// List implements [Seats]: the one device for who has the link, nothing for others.
func (s *RootSetup) List(ctx context.Context, token string) ([]*consolev1.Seat, error) {
	if !s.holds(token) {
		return nil, nil
	}
	org := &identityv1.Account{}
	if _, err := s.chain.Get(ctx, "identity/account/"+s.root.Account, org); err != nil {
		return nil, err
	}
	return []*consolev1.Seat{{
		Id: seatOfRoot, Role: seatOfSetup, Org: s.root.Account, OrgName: cmp.Or(org.GetProfile().GetName(), s.name), Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, KeyDays: s.days,
	}}, nil
}

// Take implements [Seats] as [Setup.Take] does, for the organisation's own account. Keys of
// earlier links that have ended are revoked in the same transaction, so that the account does
// not fill up. Forbidden: the link does not hold; Malformed: the key is no passkey, which
// would be a file that can be copied.
func (s *RootSetup) Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error) {
	forbidden := fault.Newf(fault.Forbidden, "this setup link was used, has run out, or is not one")
	if m.GetSeat() != seatOfRoot {
		return nil, forbidden
	}
	keys, bad := SeatKeys(m, rootLabel)
	if bad == nil && keys[0].GetAlgorithm() != identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		bad = fault.Newf(fault.Malformed, "key.algorithm is %s: a key that signs as the organisation has to be a passkey", keys[0].GetAlgorithm())
	}
	if !s.begin(m.GetToken(), SeatOf(s.hash[:], keys), bad == nil) {
		return nil, forbidden
	}
	if bad != nil {
		return nil, bad
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLife)
	defer cancel()
	org := &identityv1.Account{}
	if found, err := s.chain.Get(ctx, "identity/account/"+s.root.Account, org); err != nil {
		return nil, err
	} else if !found {
		return nil, fault.Newf(fault.NotFound, "the organisation %s is not on the ledger", s.root.Account)
	}
	now := s.now().UnixMilli()
	ends := s.now().AddDate(0, 0, int(s.days)).UnixMilli()
	var acts []proto.Message
	for _, k := range org.GetKeys() {
		switch {
		case k.GetState() != identityv1.KeyState_KEY_STATE_ACTIVE:
		case k.GetId() == keys[0].GetId(): // by the same key: the answer was lost
			out, err := Taken(ctx, s.chain, org.GetId())
			if out != nil {
				out.EndsMs = k.GetEndsMs()
			}
			return out, err
		case k.GetLabel() == rootLabel && k.GetEndsMs() != 0 && k.GetEndsMs() <= now:
			acts = append(acts, &identityv1.RevokeKey{Account: org.GetId(), Key: k.GetId(), Cause: rootLabel})
		}
	}
	keys[0].Level = identityv1.KeyLevel_KEY_LEVEL_ROOT
	for _, k := range keys {
		k.EndsMs, k.Label = ends, rootLabel
		acts = append(acts, &identityv1.AddKey{Account: org.GetId(), Key: k})
	}
	r, err := s.chain.Send(ctx, s.root, acts...)
	if err != nil {
		if fault.CodeOf(err) < fault.Internal { // it is not there, for sure
			s.mu.Lock()
			s.used = ""
			s.mu.Unlock()
		}
		return nil, err
	}
	return &consolev1.TakeSeatResponse{Account: org.GetId(), Height: r.Height, EndsMs: ends}, nil
}
