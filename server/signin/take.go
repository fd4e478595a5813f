package signin

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/server"
)

// label is that of every key that was given for a sign-in. It says how, not to whom.
const label = "sign-in"

// roomFor is how many keys an account may have that are not revoked (rules/identity MaxKeys).
const roomFor = 16

// sendLife bounds the sending of the one transaction; who asked may have gone meanwhile.
const sendLife = time.Minute

// Holds reports whether a token is a ticket of ours that has not run out.
func (s *SignIn) Holds(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.tickets.get(hashed(token), s.now())
	return ok
}

// Take puts the key of who has the ticket on the ledger for one of its posts: the post is made
// if it is not there. Each post takes one key with a ticket; the same key again is answered as
// before. Forbidden: the ticket is not for that post, or was used for it; Suspended: the post or
// its organisation may not sign; what the ledger refuses.
func (s *SignIn) Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error) {
	keys, err := server.SeatKeys(m, label)
	if err != nil {
		return nil, err
	}
	post, err := s.begin(m.GetToken(), m.GetSeat(), keys[0].GetId())
	if err != nil {
		return nil, err
	}
	ends := s.now().Add(s.cfg.KeyLife).UnixMilli()
	for _, k := range keys {
		k.EndsMs, k.Label = ends, label
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLife)
	defer cancel()
	id := s.root.Account + "/p/" + post.Post
	out := &consolev1.TakeSeatResponse{Account: id, EndsMs: ends}
	acc := &identityv1.Account{}
	found, err := s.chain.Get(ctx, "identity/account/"+id, acc)
	if err != nil {
		return nil, err
	}
	var acts []proto.Message
	switch {
	case !found:
		acts = append(acts, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: post.Post, Name: post.Name, Keys: keys})
	case acc.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE:
		return nil, fault.Newf(fault.Suspended, "the post %s may not sign: the organisation's administrator gives it back, or gives another (oidc.posts)", id)
	default:
		if k := signing(acc, keys[0].GetId(), s.now().UnixMilli()); k != nil { // the answer was lost
			out.EndsMs = k.GetEndsMs()
			return out, nil
		}
		acts = renewal(acc, keys, s.now().UnixMilli())
	}
	r, err := s.chain.Send(ctx, s.root, acts...)
	if err != nil {
		if fault.CodeOf(err) < fault.Internal { // it is not there, for sure
			s.release(m.GetToken(), post.Post)
		}
		return nil, err
	}
	out.Height = r.Height
	s.log.Info("key for a sign-in", "post", id, "key", keys[0].GetId(), "ends_ms", ends, "height", r.Height)
	return out, nil
}

// begin finds the post of a ticket and binds it to the key that is brought for it.
func (s *SignIn) begin(token, seat, key string) (Post, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tickets.get(hashed(token), s.now())
	if !ok {
		return Post{}, fault.Newf(fault.Expired, "this sign-in is over: it holds %s; sign in again", TicketLife)
	}
	i := slices.IndexFunc(t.posts, func(p Post) bool { return p.Post == seat })
	if i < 0 {
		return Post{}, fault.Newf(fault.Forbidden, "this sign-in is not for the post %.40q", seat)
	}
	if was, used := t.used[seat]; used && was != key {
		return Post{}, fault.Newf(fault.Forbidden, "this sign-in has brought a key for the post already: sign in again for another")
	}
	t.used[seat] = key
	return t.posts[i], nil
}

func (s *SignIn) release(token, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tickets.get(hashed(token), s.now()); ok {
		maps.DeleteFunc(t.used, func(post, _ string) bool { return post == seat })
	}
}

// signing returns the key of an account that still signs, or nil.
func signing(acc *identityv1.Account, id string, nowMs int64) *identityv1.Key {
	for _, k := range acc.GetKeys() {
		if k.GetId() == id && k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && !k.GetSuspended() && (k.GetEndsMs() == 0 || nowMs < k.GetEndsMs()) {
			return k
		}
	}
	return nil
}

// renewal adds keys to a post, and revokes those of earlier sign-ins that have ended; where
// there is no room yet, the oldest of them. Keys that came otherwise stay as they are.
func renewal(acc *identityv1.Account, keys []*identityv1.Key, nowMs int64) []proto.Message {
	var ours []*identityv1.Key
	active := 0
	for _, k := range acc.GetKeys() {
		if k.GetState() != identityv1.KeyState_KEY_STATE_ACTIVE {
			continue
		}
		active++
		if k.GetLabel() == label {
			ours = append(ours, k)
		}
	}
	slices.SortStableFunc(ours, func(a, b *identityv1.Key) int { return int(a.GetAddedMs()/1000 - b.GetAddedMs()/1000) })
	var acts []proto.Message
	for _, k := range ours {
		ended := k.GetEndsMs() != 0 && k.GetEndsMs() <= nowMs
		if !ended && active+len(keys) <= roomFor {
			continue
		}
		acts = append(acts, &identityv1.RevokeKey{Account: acc.GetId(), Key: k.GetId(), Cause: label})
		active--
	}
	for _, k := range keys {
		acts = append(acts, &identityv1.AddKey{Account: acc.GetId(), Key: k})
	}
	return acts
}

var _ server.SignIn = (*SignIn)(nil)
