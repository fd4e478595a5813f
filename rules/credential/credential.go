package credential

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	types   = state.NewTable[credentialv1.CredentialType]("credential/type") // by "<id>/<version, ordered>"
	issuers = state.NewTable[credentialv1.Issuer]("credential/issuer")       // by organisation
	items   = state.NewTable[credentialv1.Credential]("credential/item")     // by id
	lists   = state.NewTable[credentialv1.StatusList]("credential/list")     // by "<organisation>/<list, ordered>"
	pages   = state.NewTable[credentialv1.StatusPage]("credential/page")     // by "<organisation>/<list, ordered>/<page, ordered>"
)

// Finding by something else; all of it follows from the tables.
var (
	newest   = state.NewIndex("credential/x/newest")  // type -> newest version
	live     = state.NewIndex("credential/x/live")    // issuer/type/licence -> id of the one that is valid or suspended
	resting  = state.NewIndex("credential/x/resting") // issuer/source/id -> "" of those that are valid or suspended
	dueIndex = state.NewIndex("credential/x/due")     // due time/id -> ""
)

const (
	valid      = credentialv1.CredentialState_CREDENTIAL_STATE_VALID
	suspended  = credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED
	revoked    = credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED
	superseded = credentialv1.CredentialState_CREDENTIAL_STATE_SUPERSEDED

	changed = credentialv1.StatusCause_STATUS_CAUSE_SOURCE_CHANGED

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
)

// TypeKey, IssuerKey, Key, ListKey and PageKey return the keys of the objects as events and
// proofs name them.
func TypeKey(id string, version uint64) string { return types.Name() + "/" + typeKey(id, version) }

// IssuerKey: see [TypeKey].
func IssuerKey(org string) string { return issuers.Name() + "/" + org }

// Key: see [TypeKey].
func Key(id string) string { return items.Name() + "/" + id }

// ListKey: see [TypeKey].
func ListKey(org string, list uint64) string { return lists.Name() + "/" + listKey(org, list) }

// PageKey: see [TypeKey].
func PageKey(org string, list, page uint64) string {
	return pages.Name() + "/" + pageKey(org, list, page)
}

func typeKey(id string, version uint64) string { return id + "/" + state.Ordered(int64(version)) }

func listKey(org string, list uint64) string { return org + "/" + state.Ordered(int64(list)) }

func pageKey(org string, list, page uint64) string {
	return listKey(org, list) + "/" + state.Ordered(int64(page))
}

func liveKey(c *credentialv1.Credential) string {
	return c.Issuer + "/" + c.Type + "/" + hex.EncodeToString(c.Licence)
}

func sourcePrefix(org string, source []byte) string {
	return org + "/" + hex.EncodeToString(source) + "/"
}

// ID returns the id of a credential: the first 16 bytes of its commitment, in hex.
func ID(commitment []byte) string { return hex.EncodeToString(commitment[:idLength/2]) }

// FindType returns a version of a type; version 0 is the newest. The caller owns it.
func FindType(v state.View, id string, version uint64) (*credentialv1.CredentialType, bool) {
	if version == 0 {
		version = newestVersion(v, id)
	}
	if version == 0 || version > 1<<62 || !isTypeID(id) {
		return nil, false
	}
	return types.Get(v, typeKey(id, version))
}

func newestVersion(v state.View, id string) uint64 {
	text, _ := newest.Get(v, id)
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// Find returns the anchor of a credential. The caller owns it.
func Find(v state.View, id string) (*credentialv1.Credential, bool) {
	if len(id) != idLength {
		return nil, false
	}
	return items.Get(v, id)
}

// FindIssuer returns how an organisation is known as issuer. The caller owns it.
func FindIssuer(v state.View, org string) (*credentialv1.Issuer, bool) { return issuers.Get(v, org) }

// Holds says whether the credential is VALID and not past its end at that time.
func Holds(c *credentialv1.Credential, nowMs int64) bool {
	return c.GetState() == valid && (c.ExpiresMs == 0 || nowMs < c.ExpiresMs)
}

func isTypeID(id string) bool {
	org, local, ok := strings.Cut(id, ":")
	return ok && org != "" && len(org) <= maxLocal && isLocal(local)
}

func isLocal(s string) bool {
	return s != "" && len(s) <= maxLocal && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// secureURL refuses a URL that is not https, has blanks or control characters, a query or
// a fragment. http is for the machine itself, as in the demonstration.
func secureURL(rule, field, url string) error {
	if err := act.Line(rule, field, url, maxURL, true); err != nil {
		return err
	}
	rest, ok := strings.CutPrefix(url, "https://")
	if local, isLocal := strings.CutPrefix(url, "http://127.0.0.1:"); isLocal {
		rest, ok = local, true
	}
	if !ok || rest == "" || strings.ContainsAny(rest, " ?#\\\"<>@") || strings.HasSuffix(rest, "/") {
		return act.Refuse(fault.Malformed, rule, "%s: %.200q is no https URL without query, fragment and final /", field, url)
	}
	return nil
}

// Check returns the first breach of the invariants that the state shows for an issuer, or
// nil. It is for tests and audits: no verb asks it.
func Check(v state.View, org string) error {
	count := map[uint64]uint64{}
	lives := map[string]string{}
	var err error
	items.Range(v, "", "", func(id string, c *credentialv1.Credential) bool {
		if c.Issuer != org {
			return true
		}
		count[c.List]++
		p, _ := pages.Get(v, pageKey(org, c.List, c.Index/PageEntries))
		if got := statusAt(p, c.Index%PageEntries); got != bitsOf(c.State) {
			err = fmt.Errorf("%s: state %s, bits %d", id, c.State, got)
		}
		if len(c.Licence) > 0 && (c.State == valid || c.State == suspended) {
			if other, twice := lives[liveKey(c)]; twice {
				err = fmt.Errorf("%s and %s have one licence", id, other)
			}
			lives[liveKey(c)] = id
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	lists.Range(v, org+"/", "", func(_ string, l *credentialv1.StatusList) bool {
		taken := uint64(0)
		for n := range uint64(Pages) {
			p, _ := pages.Get(v, pageKey(org, l.List, n))
			taken += countTaken(p)
		}
		if l.Taken != count[l.List] || l.Taken != taken || taken > MaxTaken {
			err = fmt.Errorf("list %d of %s: %d taken, %d marked, %d credentials", l.List, org, l.Taken, taken, count[l.List])
		}
		delete(count, l.List)
		return err == nil
	})
	if err == nil && len(count) > 0 {
		err = fmt.Errorf("%d lists of %s have no record", len(count), org)
	}
	return err
}
