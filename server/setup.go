package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"sync"
	"time"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// SetupLife is how long a setup link holds. Our own choice, as PocketBase's first-run link.
const SetupLife = 30 * time.Minute

// seatOfSetup is what the first person of an organisation becomes.
const seatOfSetup = "operator"

// Setup is one link by which the first person of an organisation brings his key: once, and
// within [SetupLife]. There is no default password, and nothing to change later.
type Setup struct {
	chain *client.Client
	root  client.Signer // of the organisation
	name  string
	now   func() time.Time
	until time.Time
	hash  [sha256.Size]byte // of the token; the token itself is only in the link

	mu   sync.Mutex // guards used
	used string     // the keys that the link was used for; empty: none
}

// NewSetup returns a setup for the organisation whose ROOT key that is, and its token, 26
// letters and digits in groups. The token is nowhere else.
func NewSetup(chain *client.Client, root client.Signer, name string, now func() time.Time) (*Setup, string) {
	if now == nil {
		now = time.Now
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
	s := &Setup{chain: chain, root: root, name: name, now: now, until: now().Add(SetupLife), hash: sha256.Sum256([]byte(text))}
	var groups []string
	for ; len(text) > 7; text = text[7:] {
		groups = append(groups, text[:7])
	}
	return s, strings.Join(append(groups, text), "-")
}

// Demo implements [Seats].
func (s *Setup) Demo() bool { return false }

// holds reports whether the token is that of the link, and the link still holds. It takes
// as long for a wrong token as for the right one.
func (s *Setup) holds(token string) bool {
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.ReplaceAll(token, "-", ""))))
	right := subtle.ConstantTimeCompare(sum[:], s.hash[:]) == 1
	s.mu.Lock()
	defer s.mu.Unlock()
	return right && s.used == "" && s.now().Before(s.until)
}

// List implements [Seats]: the one seat for who has the link, nothing for others.
func (s *Setup) List(_ context.Context, token string) ([]*consolev1.Seat, error) {
	if !s.holds(token) {
		return nil, nil
	}
	return []*consolev1.Seat{{Id: seatOfSetup, Org: s.root.Account, OrgName: s.name, Kind: identityv1.AccountKind_ACCOUNT_KIND_POST}}, nil
}

// sendLife bounds the sending of the one transaction; who asked may have gone meanwhile.
const sendLife = time.Minute

// Take implements [Seats]. The link is used up when the ledger has the keys: a refusal of
// the ledger leaves it as it was. Whoever did not get the answer asks again with the same keys,
// and gets it.
func (s *Setup) Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error) {
	forbidden := fault.Newf(fault.Forbidden, "this setup link was used, has run out, or is not one")
	if m.GetSeat() != seatOfSetup {
		return nil, forbidden
	}
	keys, bad := SeatKeys(m, "browser")
	local := SeatOf(s.hash[:], keys)
	if !s.begin(m.GetToken(), local, bad == nil) {
		return nil, forbidden
	}
	if bad != nil {
		return nil, bad
	}
	id := s.root.Account + "/p/" + local
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendLife)
	defer cancel()
	switch found, err := s.chain.Get(ctx, "identity/account/"+id, &identityv1.Account{}); {
	case err != nil:
		return nil, err
	case found: // by the same keys: the answer was lost
		return Taken(ctx, s.chain, id)
	}
	r, err := s.chain.Send(ctx, s.root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: local, Name: "管理岗", Keys: keys})
	if err != nil {
		if fault.CodeOf(err) < fault.Internal { // it is not there, for sure
			s.mu.Lock()
			s.used = ""
			s.mu.Unlock()
		}
		return nil, err
	}
	return &consolev1.TakeSeatResponse{Account: id, Height: r.Height}, nil
}

// begin reports whether the link may be used for these keys: it is unused, or was used for the
// same ones. use says that it is used now.
func (s *Setup) begin(token, keys string, use bool) bool {
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.ReplaceAll(token, "-", ""))))
	right := subtle.ConstantTimeCompare(sum[:], s.hash[:]) == 1
	s.mu.Lock()
	defer s.mu.Unlock()
	if !right || !s.now().Before(s.until) || s.used != "" && s.used != keys {
		return false
	}
	if use {
		s.used = keys
	}
	return true
}
