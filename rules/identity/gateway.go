package identity

import (
	"strings"

	"mulian/internal/fault"
	"mulian/internal/sm"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// RegisterGateway adds a gateway to the signer's organisation, OFFICER.
//
// It returns, in this order: Forbidden; what is wrong with local id, name, profile
// and keys (Missing if there is none); AlreadyExists if the id or the log's
// origin is taken.
func RegisterGateway(a *act.Act, m *identityv1.RegisterGateway) error {
	const rule = "identity/register_gateway"
	if a.Org() == "" {
		return act.Refuse(fault.Forbidden, rule, "%s acts for no organisation", a.Signer())
	}
	if err := a.Need(officerLevel); err != nil {
		return err
	}
	if err := checkLocal(rule, "local_id", m.LocalId); err != nil {
		return err
	}
	if err := act.Line(rule, "name", m.Name, MaxName, true); err != nil {
		return err
	}
	if err := checkGateway(rule, m.Profile); err != nil {
		return err
	}
	if len(m.Keys) == 0 {
		return act.Refuse(fault.Missing, rule, "a gateway needs a key")
	}
	if err := checkNewKeys(rule, m.Keys, machineLevel, machineLevel, a.TimeMs); err != nil {
		return err
	}
	id := a.Org() + "/g/" + m.LocalId
	if _, taken := accounts.Get(a.Tx, id); taken {
		return act.Refuse(fault.AlreadyExists, rule, "%s is there already", id)
	}
	if holder, taken := origins.Get(a.Tx, m.Profile.LogOrigin); taken {
		return act.Refuse(fault.AlreadyExists, rule, "log origin %s is that of %s", m.Profile.LogOrigin, holder)
	}
	origins.Put(a.Tx, m.Profile.LogOrigin, id)
	put(a.Tx, &identityv1.Account{
		Id: id, Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Org: a.Org(),
		Keys: activate(m.Keys, a.TimeMs), CreatedMs: a.TimeMs, Name: m.Name, Gateway: m.Profile,
	})
	a.Emit(rule, "", subject(id), subject(a.Org()))
	return nil
}

// UpdateGateway replaces the address and keys of a gateway. The gateway signs
// itself, or its organisation, OFFICER.
//
// It returns, in this order: NotFound; Forbidden; what is wrong with the profile;
// VersionConflict; IllegalTransition if the log's origin would change.
func UpdateGateway(a *act.Act, m *identityv1.UpdateGateway) error {
	const rule = "identity/update_gateway"
	acc, ok := Gateway(a.Tx, m.Gateway)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no gateway %.100q", m.Gateway)
	}
	if a.Signer() != acc.Id {
		if err := a.NeedOrg(acc.Org, officerLevel); err != nil {
			return err
		}
	}
	if err := checkGateway(rule, m.Profile); err != nil {
		return err
	}
	if acc.Version != m.Version {
		return act.Refuse(fault.VersionConflict, rule, "%s is at version %d, not %d", acc.Id, acc.Version, m.Version)
	}
	if m.Profile.LogOrigin != acc.Gateway.LogOrigin {
		return act.Refuse(fault.IllegalTransition, rule, "the log of %s stays %s: another log needs another gateway", acc.Id, acc.Gateway.LogOrigin)
	}
	acc.Gateway = m.Profile
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// checkGateway returns the first fault of a gateway's profile.
func checkGateway(rule string, p *identityv1.GatewayProfile) error {
	if p == nil {
		return act.Refuse(fault.Missing, rule, "the profile is missing")
	}
	if err := checkURL(rule, p.Url); err != nil {
		return err
	}
	if err := checkPublic(rule, 0, p.SealingKey); err != nil {
		return err
	}
	if p.SealingKey.Algorithm == identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519 {
		return act.Refuse(fault.OutOfRange, rule, "nothing can be sealed to an Ed25519 key: SM2 or P-256")
	}
	if k := p.SealingKey; k.Level != 0 || k.State != 0 || k.AddedMs != 0 || k.EndsMs != 0 || k.RevokedMs != 0 {
		return act.Refuse(fault.Malformed, rule, "a sealing key has algorithm, bytes, id and label only")
	}
	if err := act.Line(rule, "label", p.SealingKey.Label, MaxLabel, false); err != nil {
		return err
	}
	if err := checkOrigin(rule, p.LogOrigin); err != nil {
		return err
	}
	if _, err := sm.ParsePublic(sm.Ed25519, p.LogPublicKey); err != nil {
		return act.Refuse(fault.Malformed, rule, "log_public_key: %v", err)
	}
	return nil
}

// checkURL takes http:// or https:// and a host, in visible ASCII, without user,
// query or fragment: paths are appended to it.
func checkURL(rule, url string) error {
	switch {
	case url == "":
		return act.Refuse(fault.Missing, rule, "url is missing")
	case len(url) > MaxURL:
		return act.Refuse(fault.TooLong, rule, "url: %d characters, at most %d", len(url), MaxURL)
	}
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "http://")
	}
	if !ok || rest == "" || rest[0] == '/' || rest[0] == ':' || !visible(url) || strings.ContainsAny(url, "?#@\\\"<>") {
		return act.Refuse(fault.Malformed, rule, "url %.100q: want https://HOST[:PORT][/PATH]", url)
	}
	return nil
}

// checkOrigin takes the name of a log as C2SP signed-note has it: no blanks, no
// plus sign. We allow visible ASCII only, for people compare origins by eye.
func checkOrigin(rule, origin string) error {
	switch {
	case origin == "":
		return act.Refuse(fault.Missing, rule, "log_origin is missing")
	case len(origin) > MaxOrigin:
		return act.Refuse(fault.TooLong, rule, "log_origin: %d characters, at most %d", len(origin), MaxOrigin)
	case !visible(origin) || strings.Contains(origin, "+"):
		return act.Refuse(fault.Malformed, rule, "log_origin %.100q: visible ASCII characters without + are possible", origin)
	}
	return nil
}

func visible(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
