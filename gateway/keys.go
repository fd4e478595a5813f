package gateway

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Keys are the three keys of a gateway, and those that they follow while both are in use.
type Keys struct {
	Machine sm.PrivateKey // signs transactions, requests, receipts
	Seal    sm.PrivateKey // opens what is sealed to the gateway
	Log     sm.PrivateKey // Ed25519, signs the access log's checkpoints
	// MoreSeals open what was sealed to an earlier key, or will be to a later one.
	MoreSeals []sm.PrivateKey
	// EarlierLog signs checkpoints, too, until it ends. Zero: none does.
	EarlierLog sm.PrivateKey
}

// LoadKeys reads an account's keys from a ring: of each kind the newest. NotFound if one
// is not there.
func LoadKeys(ring keyring.Ring, account string) (k Keys, err error) {
	for label, into := range map[string]*sm.PrivateKey{keyring.Machine: &k.Machine, keyring.Seal: &k.Seal, keyring.Log: &k.Log} {
		keys, err := numberedKeys(ring, account, label)
		if err != nil {
			return Keys{}, err
		}
		if len(keys) == 0 {
			_, err := ring.Key(account, label) // says what is missing
			return Keys{}, err
		}
		*into = keys[len(keys)-1].key
	}
	return k, nil
}

// labelled is a key of the ring with its label.
type labelled struct {
	label string
	n     int
	key   sm.PrivateKey
}

// numberedKeys reads the keys of a ring whose label is base or base-N, ascending.
func numberedKeys(ring keyring.Ring, account, base string) ([]labelled, error) {
	entries, err := ring.List()
	if err != nil {
		return nil, err
	}
	var out []labelled
	for _, e := range entries {
		n, ok := numbered(e.Label, base)
		if e.Account != account || !ok {
			continue
		}
		key, err := ring.Key(e.Account, e.Label)
		if err != nil {
			return nil, err
		}
		out = append(out, labelled{e.Label, n, key})
	}
	slices.SortFunc(out, func(a, b labelled) int { return cmp.Compare(a.n, b.n) })
	return out, nil
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
// newest machine key that is active and not suspended, so that a new one can be added
// before the old one ends; the sealing key, and all others of the ring to open with; of the log the key that
// the profile names, and the one before it while both sign. NotWhitelisted if the ledger
// has others, Suspended if the members have suspended the only one.
func (k *Keys) choose(ring keyring.Ring, a *identityv1.Account) error {
	active := map[string]bool{}
	for _, key := range a.GetKeys() {
		active[key.GetId()] = key.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && !key.GetSuspended()
	}
	machines, err := numberedKeys(ring, a.GetId(), keyring.Machine)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if active[m.key.Public().ID()] {
			k.Machine = m.key
		}
	}
	seals, err := numberedKeys(ring, a.GetId(), keyring.Seal)
	if err != nil {
		return err
	}
	k.MoreSeals = nil
	for _, s := range seals {
		if bytes.Equal(s.key.Public().Bytes(), a.GetGateway().GetSealingKey().GetPublicKey()) {
			k.Seal = s.key
		} else {
			k.MoreSeals = append(k.MoreSeals, s.key)
		}
	}
	logs, err := numberedKeys(ring, a.GetId(), keyring.Log)
	if err != nil {
		return err
	}
	k.EarlierLog = sm.PrivateKey{}
	for _, l := range logs {
		switch public := l.key.Public().Bytes(); {
		case bytes.Equal(public, a.GetGateway().GetLogPublicKey()):
			k.Log = l.key
		case signsStill(a.GetGateway(), public):
			k.EarlierLog = l.key
		}
	}
	return k.match(a)
}

// signsStill tells whether the ledger has a log key that has not ended.
func signsStill(p *identityv1.GatewayProfile, public []byte) bool {
	return slices.ContainsFunc(p.GetLogKeys(), func(k *identityv1.LogKey) bool {
		return bytes.Equal(k.GetPublicKey(), public) && k.GetUntilSize() == 0
	})
}

// match tells whether the ledger has these keys for the account.
func (k Keys) match(a *identityv1.Account) error {
	p := a.GetGateway()
	has, suspended := false, false
	for _, key := range a.GetKeys() {
		if key.GetId() == k.Machine.Public().ID() && key.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE {
			has, suspended = true, key.GetSuspended()
		}
	}
	switch {
	case suspended:
		return fault.Newf(fault.Suspended, "the members have suspended the machine key %s of %s; add another one, or wait until they resume it", k.Machine.Public().ID(), a.GetId())
	case !has:
		return fault.Newf(fault.NotWhitelisted, "the ledger does not have the machine key %s of %s, or it was revoked", k.Machine.Public().ID(), a.GetId())
	case !bytes.Equal(p.GetSealingKey().GetPublicKey(), k.Seal.Public().Bytes()):
		return fault.Newf(fault.NotWhitelisted, "the ledger has another sealing key for %s", a.GetId())
	case !bytes.Equal(p.GetLogPublicKey(), k.Log.Public().Bytes()):
		return fault.Newf(fault.NotWhitelisted, "the ledger has another key for the log of %s", a.GetId())
	}
	return nil
}
