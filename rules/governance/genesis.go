package governance

import (
	"encoding/hex"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state/machine"
)

const genesisRule = "governance/found"

// Found writes the first state of the consortium, founders' accounts included, and
// returns its validators. Package rules has checked who signed g. a has no signer.
//
// It refuses what no vote could bring about either: what is wrong with the chain's
// id, founders, profiles, calendar, parameters, roles and validators, in this
// order; Missing if there is no founder or no validator; Duplicate if one of
// them is there twice.
func Found(a *act.Act, g *governancev1.Genesis) ([]machine.Validator, error) {
	if err := checkChainID(g.ChainId); err != nil {
		return nil, err
	}
	for _, step := range []func(*act.Act, *governancev1.Genesis) error{foundMembers, foundClocks, foundCalendar, foundRoles, foundValidators} {
		if err := step(a, g); err != nil {
			return nil, err
		}
	}
	return tellEngine(a.Tx), nil
}

// checkChainID takes 3 to 50 of [a-z0-9-]: the engine's own bound is 50.
func checkChainID(id string) error {
	if len(id) < 3 || len(id) > 50 {
		return act.Refuse(fault.Malformed, genesisRule, "chain id %.60q: 3 to 50 characters", id)
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return act.Refuse(fault.Malformed, genesisRule, "chain id %q: small letters, digits and - are possible", id)
		}
	}
	return nil
}

// bounded refuses a list that is empty or too long.
func bounded(field string, n, lo, hi int) error {
	switch {
	case n < lo:
		return act.Refuse(fault.Missing, genesisRule, "%s: at least %d is needed", field, lo)
	case n > hi:
		return act.Refuse(fault.TooLong, genesisRule, "%s: %d, at most %d", field, n, hi)
	}
	return nil
}

func foundMembers(a *act.Act, g *governancev1.Genesis) error {
	if err := bounded("founders", len(g.Founders), 1, MaxMembers); err != nil {
		return err
	}
	for _, f := range g.Founders {
		if err := identity.CreateFounder(a.Tx, a.TimeMs, f); err != nil {
			return err
		}
		m := &governancev1.Member{Org: f.Code, Weight: f.Weight}
		if err := checkMember(genesisRule, m); err != nil {
			return err
		}
		admit(a.Tx, a.TimeMs, m)
		a.Emit(genesisRule, "founder", subject("member", f.Code), "identity/account/"+f.Code)
	}
	return nil
}

func foundClocks(a *act.Act, g *governancev1.Genesis) error {
	if err := bounded("clock_profiles", len(g.ClockProfiles), 1, MaxProfiles); err != nil {
		return err
	}
	for i, p := range g.ClockProfiles {
		if err := checkProfile(genesisRule, p); err != nil {
			return err
		}
		if clocks.Has(a.Tx, p.Name) {
			return act.RefuseItem(fault.Duplicate, genesisRule, i, "clock profile %s is there twice", p.Name)
		}
		clocks.Put(a.Tx, p.Name, p)
		a.Emit(genesisRule, "clock_profile", subject("clocks", p.Name))
	}
	if err := checkParameters(a.Tx, genesisRule, g.Parameters); err != nil {
		return err
	}
	putParameters(a.Tx, g.Parameters)
	a.Emit(genesisRule, "parameters", parametersKey)
	return nil
}

func foundCalendar(a *act.Act, g *governancev1.Genesis) error {
	if err := bounded("calendar", len(g.Calendar), 0, MaxYears); err != nil {
		return err
	}
	for i, y := range g.Calendar {
		if err := checkCalendar(genesisRule, y); err != nil {
			return err
		}
		if calendar.Has(a.Tx, yearKey(y.Year)) {
			return act.RefuseItem(fault.Duplicate, genesisRule, i, "year %d is there twice", y.Year)
		}
		calendar.Put(a.Tx, yearKey(y.Year), y)
		a.Emit(genesisRule, "year", subject("calendar", yearKey(y.Year)))
	}
	return nil
}

func foundRoles(a *act.Act, g *governancev1.Genesis) error {
	if err := bounded("roles", len(g.Roles), 0, MaxRoles); err != nil {
		return err
	}
	for _, r := range g.Roles {
		if err := checkGrant(a.Tx, genesisRule, r); err != nil {
			return err
		}
		key := grant(a.Tx, a.TimeMs, r)
		a.Emit(genesisRule, "role", subject("role", key))
	}
	return nil
}

func foundValidators(a *act.Act, g *governancev1.Genesis) error {
	if err := bounded("validators", len(g.Validators), 1, MaxValidators); err != nil {
		return err
	}
	for i, n := range g.Validators {
		if n.GetPower() == 0 {
			return act.RefuseItem(fault.OutOfRange, genesisRule, i, "a validator of the genesis has power")
		}
		if err := checkValidator(a.Tx, genesisRule, n); err != nil {
			return err
		}
		if validators.Has(a.Tx, validatorKey(n.PublicKey)) {
			return act.RefuseItem(fault.Duplicate, genesisRule, i, "validator %s is there twice", n.Name)
		}
		putValidator(a.Tx, n)
		a.Emit(genesisRule, "validator", subject("validator", validatorKey(n.PublicKey)))
	}
	return nil
}

// RootKey returns the founder's ROOT key with the id, with which it may sign the
// genesis, and whether there is one.
func RootKey(f *governancev1.Founder, id string) (*identityv1.Key, bool) {
	for _, k := range f.GetKeys() {
		if k.GetId() == id && k.Level == identityv1.KeyLevel_KEY_LEVEL_ROOT {
			return k, true
		}
	}
	return nil, false
}

// publicKey undoes validatorKey.
func publicKey(key string) []byte {
	raw, err := hex.DecodeString(key)
	if err != nil {
		panic("rules/governance: validator key " + key)
	}
	return raw
}
