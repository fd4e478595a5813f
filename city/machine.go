package city

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client/keyring"
	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// seatPost begins the local id of each post that was taken as a seat.
const seatPost = "web-"

// machineKeyLife is how long a machine key of the demo signs.
const machineKeyLife = 90 * 24 * time.Hour

// PutMachineKey implements server.MachineKeys: the department of a seat signs, with its ROOT
// key, that a program of the post may sign what needs no person; or that it no longer may.
func (c *City) PutMachineKey(ctx context.Context, m *consolev1.PutMachineKeyRequest) (*consolev1.PutMachineKeyResponse, error) {
	org, post, _ := strings.Cut(m.GetAccount(), "/p/")
	if !c.seatOf(org) || !strings.HasPrefix(post, seatPost) {
		return nil, fault.Newf(fault.Forbidden, "%.100q is no post that was taken as a seat", m.GetAccount())
	}
	root, err := c.ring.Signer(org, keyring.Root)
	if err != nil {
		return nil, err
	}
	k, ends := m.GetKey(), time.Now().Add(machineKeyLife).UnixMilli()
	var act proto.Message = &identityv1.AddKey{Account: m.GetAccount(), Key: &identityv1.Key{
		Id: k.GetId(), Algorithm: k.GetAlgorithm(), PublicKey: k.GetPublicKey(), Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE, Label: k.GetLabel(), EndsMs: ends,
	}}
	if m.GetRevoke() {
		// Only what this door has given: the seat's own key is the person's.
		a := &identityv1.Account{}
		if err := c.get(ctx, "identity/account/"+m.GetAccount(), a); err != nil {
			return nil, err
		}
		for _, known := range a.GetKeys() {
			if known.GetId() == k.GetId() && known.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_MACHINE {
				return nil, fault.Newf(fault.Forbidden, "key %s is no machine key", k.GetId())
			}
		}
		act = &identityv1.RevokeKey{Account: m.GetAccount(), Key: k.GetId(), Cause: "taken back by its developer"}
	}
	r, err := c.chain.Send(ctx, root, act)
	if err != nil {
		return nil, err
	}
	return &consolev1.PutMachineKeyResponse{Height: r.Height, EndsMs: ends}, nil
}

// seatOf reports whether a department has a seat.
func (c *City) seatOf(org string) bool {
	for _, s := range seats {
		if content.Find(s.department).Code == org {
			return true
		}
	}
	return false
}
