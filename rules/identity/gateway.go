package identity

import (
	"bytes"
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
	if m.Profile.OldSealingKey != nil || len(m.Profile.LogKeys) > 0 {
		return act.Refuse(fault.Malformed, rule, "a new gateway has no earlier keys")
	}
	if len(m.Keys) == 0 {
		return act.Refuse(fault.Missing, rule, "a gateway needs a key")
	}
	if err := checkNewKeys(rule, m.Keys, identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, a.TimeMs); err != nil {
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
// VersionConflict; IllegalTransition if the log's origin would change, or what is known of
// its keys: see [checkLogKeys].
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
	if err := checkLogKeys(a, rule, acc, m.Profile); err != nil {
		return err
	}
	note := ""
	if old := acc.Gateway.OldSealingKey; old != nil && m.Profile.OldSealingKey.GetId() != old.Id {
		note = "destroyed " + old.Id
	}
	acc.Gateway = m.Profile
	put(a.Tx, acc)
	a.Emit(rule, note, subject(acc.Id))
	return nil
}

// LogKeysOf returns the keys of a gateway's log with the sizes that each signs: what the
// profile says, or its one key for every size.
func LogKeysOf(p *identityv1.GatewayProfile) []*identityv1.LogKey {
	if len(p.GetLogKeys()) > 0 {
		return p.LogKeys
	}
	return []*identityv1.LogKey{{PublicKey: p.GetLogPublicKey()}}
}

// checkLogKeys lets a log's keys only go on: what is known of each stays, a key that
// still signs may end at a size that is not anchored yet, and new ones come behind. Thus
// no checkpoint that a key has signed loses its signature later. IllegalTransition.
func checkLogKeys(a *act.Act, rule string, acc *identityv1.Account, p *identityv1.GatewayProfile) error {
	was, is := LogKeysOf(acc.Gateway), LogKeysOf(p)
	if len(is) < len(was) {
		return act.Refuse(fault.IllegalTransition, rule, "the log of %s has had %d keys, here are %d", acc.Id, len(was), len(is))
	}
	head, _ := act.Heads.Get(a.Tx, acc.Id)
	for i, k := range is {
		if i >= len(was) {
			continue // what stands in the profile was checked, and a key may sign what is there already
		}
		o := was[i]
		if !bytes.Equal(o.PublicKey, k.PublicKey) || o.FromSize != k.FromSize || o.UntilSize != 0 && o.UntilSize != k.UntilSize {
			return act.Refuse(fault.IllegalTransition, rule, "key %d of the log of %s stays as it was", i+1, acc.Id)
		}
		if o.UntilSize == 0 && k.UntilSize != 0 && k.UntilSize <= head.GetSize() {
			return act.Refuse(fault.IllegalTransition, rule, "key %d of the log of %s signed %d records, it cannot end at %d", i+1, acc.Id, head.GetSize(), k.UntilSize)
		}
	}
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
	if err := checkSealing(rule, p.SealingKey); err != nil {
		return err
	}
	if err := checkOrigin(rule, p.LogOrigin); err != nil {
		return err
	}
	if _, err := sm.ParsePublic(sm.Ed25519, p.LogPublicKey); err != nil {
		return act.Refuse(fault.Malformed, rule, "log_public_key: %v", err)
	}
	if p.OldSealingKey != nil {
		if err := checkSealing(rule, p.OldSealingKey); err != nil {
			return err
		}
		if p.OldSealingKey.Id == p.SealingKey.Id {
			return act.Refuse(fault.CodeInconsistent, rule, "the sealing key %s is old and new", p.SealingKey.Id)
		}
	}
	return checkLogKeyList(rule, p)
}

// checkLogKeyList takes no keys, or those of the whole life of a log: the last is the
// one that the profile names, and still signs.
func checkLogKeyList(rule string, p *identityv1.GatewayProfile) error {
	if err := act.AtMost(rule, "log_keys", len(p.LogKeys), MaxKeys); err != nil || len(p.LogKeys) == 0 {
		return err
	}
	seen := map[string]bool{}
	for i, k := range p.LogKeys {
		switch _, err := sm.ParsePublic(sm.Ed25519, k.GetPublicKey()); {
		case err != nil:
			return act.Refuse(fault.Malformed, rule, "log_keys[%d]: %v", i, err)
		case seen[string(k.PublicKey)]:
			return act.Refuse(fault.CodeInconsistent, rule, "log_keys[%d] is there twice", i)
		case i == 0 && k.FromSize != 0, i > 0 && k.FromSize < p.LogKeys[i-1].FromSize, k.UntilSize != 0 && k.UntilSize <= k.FromSize,
			i > 0 && p.LogKeys[i-1].UntilSize != 0 && k.FromSize > p.LogKeys[i-1].UntilSize:
			return act.Refuse(fault.OutOfRange, rule, "log_keys[%d]: sizes %d to %d", i, k.FromSize, k.UntilSize)
		}
		seen[string(k.PublicKey)] = true
	}
	if last := p.LogKeys[len(p.LogKeys)-1]; !bytes.Equal(last.PublicKey, p.LogPublicKey) || last.UntilSize != 0 {
		return act.Refuse(fault.CodeInconsistent, rule, "log_public_key is the last of log_keys, and still signs")
	}
	return nil
}

func checkSealing(rule string, k *identityv1.Key) error {
	if err := checkPublic(rule, 0, k); err != nil {
		return err
	}
	if k.Algorithm == identityv1.KeyAlgorithm_KEY_ALGORITHM_ED25519 {
		return act.Refuse(fault.OutOfRange, rule, "nothing can be sealed to an Ed25519 key: SM2 or P-256")
	}
	if k.Level != 0 || k.State != 0 || k.AddedMs != 0 || k.EndsMs != 0 || k.RevokedMs != 0 {
		return act.Refuse(fault.Malformed, rule, "a sealing key has algorithm, bytes, id and label only")
	}
	return act.Line(rule, "label", k.Label, MaxLabel, false)
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
