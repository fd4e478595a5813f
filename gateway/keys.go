package gateway

import (
	"strconv"
	"strings"

	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Keys are the three keys of a gateway.
type Keys struct {
	Machine sm.PrivateKey // signs transactions, requests, receipts
	Seal    sm.PrivateKey // opens what is sealed to the gateway
	Log     sm.PrivateKey // Ed25519, signs the access log's checkpoints
}

// LoadKeys reads an account's keys from a ring. NotFound if one is not there.
func LoadKeys(ring keyring.Ring, account string) (k Keys, err error) {
	for label, into := range map[string]*sm.PrivateKey{keyring.Machine: &k.Machine, keyring.Seal: &k.Seal, keyring.Log: &k.Log} {
		if *into, err = ring.Key(account, label); err != nil {
			return Keys{}, err
		}
	}
	return k, nil
}

// MakeKeys makes the keys that the ring does not have yet, machine and seal of the
// given algorithm, and returns all three.
func MakeKeys(ring keyring.Ring, account string, alg sm.Algorithm) (Keys, error) {
	for label, a := range map[string]sm.Algorithm{keyring.Machine: alg, keyring.Seal: alg, keyring.Log: sm.Ed25519} {
		if _, err := ring.New(account, label, a); err != nil && !fault.Is(err, fault.AlreadyExists) {
			return Keys{}, err
		}
	}
	return LoadKeys(ring, account)
}

// Origin is the origin line of a gateway's access log.
func Origin(chainID, account string) string { return "mulian/" + chainID + "/" + account }

// Registration is what an organisation signs to bring a gateway on board.
func (k Keys) Registration(chainID, account, name, url string) *identityv1.RegisterGateway {
	local := account
	for i := len(account) - 1; i >= 0; i-- {
		if account[i] == '/' {
			local = account[i+1:]
			break
		}
	}
	machine := k.Machine.Public()
	return &identityv1.RegisterGateway{
		LocalId: local, Name: name, Profile: k.Profile(chainID, account, url),
		Keys: []*identityv1.Key{{
			Id: machine.ID(), Algorithm: identityv1.KeyAlgorithm(machine.Algorithm()), PublicKey: machine.Bytes(),
			Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE,
		}},
	}
}

// Profile is the part of it that others need: where the door is, and its public keys.
func (k Keys) Profile(chainID, account, url string) *identityv1.GatewayProfile {
	sealing := k.Seal.Public()
	return &identityv1.GatewayProfile{
		Url:          url,
		SealingKey:   &identityv1.Key{Id: sealing.ID(), Algorithm: identityv1.KeyAlgorithm(sealing.Algorithm()), PublicKey: sealing.Bytes()},
		LogOrigin:    Origin(chainID, account),
		LogPublicKey: k.Log.Public().Bytes(),
	}
}

// numbered tells whether a label is base or base-N, and N (1 for base).
func numbered(label, base string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(label, base)
	if rest == "" {
		return 1, ok
	}
	digits, dash := strings.CutPrefix(rest, "-")
	n, err := strconv.Atoi(digits)
	return n, ok && dash && err == nil
}

// choose takes from the ring the keys that the ledger has for the account now: the
// newest machine key that is active, so that a new one can be added before the old one
// ends. NotWhitelisted if the ledger has others.
func (k *Keys) choose(ring keyring.Ring, a *identityv1.Account) error {
	active := map[string]bool{}
	for _, key := range a.GetKeys() {
		active[key.GetId()] = key.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE
	}
	entries, err := ring.List()
	if err != nil {
		return err
	}
	newest := 0
	for _, e := range entries {
		n, ok := numbered(e.Label, keyring.Machine)
		if e.Account != a.GetId() || !ok || n <= newest {
			continue
		}
		key, err := ring.Key(e.Account, e.Label)
		if err != nil {
			return err
		}
		if active[key.Public().ID()] {
			k.Machine, newest = key, n
		}
	}
	return k.match(a)
}

// match tells whether the ledger has these keys for the account.
func (k Keys) match(a *identityv1.Account) error {
	p := a.GetGateway()
	has := false
	for _, key := range a.GetKeys() {
		has = has || key.GetId() == k.Machine.Public().ID() && key.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE
	}
	switch {
	case !has:
		return fault.Newf(fault.NotWhitelisted, "the ledger does not have the machine key %s of %s, or it was revoked", k.Machine.Public().ID(), a.GetId())
	case string(p.GetSealingKey().GetPublicKey()) != string(k.Seal.Public().Bytes()):
		return fault.Newf(fault.NotWhitelisted, "the ledger has another sealing key for %s", a.GetId())
	case string(p.GetLogPublicKey()) != string(k.Log.Public().Bytes()):
		return fault.Newf(fault.NotWhitelisted, "the ledger has another key for the log of %s", a.GetId())
	}
	return nil
}
