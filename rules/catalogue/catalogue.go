package catalogue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The facts. Their encoding is part of the chain.
var (
	duties   = state.NewTable[cataloguev1.Duty]("catalogue/duty")             // by id
	systems  = state.NewTable[cataloguev1.System]("catalogue/system")         // by id
	tables   = state.NewTable[cataloguev1.Table]("catalogue/table")           // by id
	entries  = state.NewTable[cataloguev1.Entry]("catalogue/entry")           // by id
	pendings = state.NewTable[cataloguev1.PendingChange]("catalogue/pending") // by entry id
	drifts   = state.NewTable[cataloguev1.Drift]("catalogue/drift")           // by id
)

// What follows from the facts. Parts of keys are separated by a zero byte, which
// no id has.
var (
	nameIndex  = state.NewIndex("catalogue/x/name")     // provider, digest of the name -> entry id; also names of pending changes
	tableIndex = state.NewIndex("catalogue/x/of-table") // table id, entry id -> ""; entries that are not withdrawn
	openIndex  = state.NewIndex("catalogue/x/open")     // table id, drift number -> ""; drifts that are not settled
	lastIndex  = state.NewIndex("catalogue/x/last")     // table id -> id of its newest drift
	dueIndex   = state.NewIndex("catalogue/x/due")      // due time, kind, id -> ""; see End
)

// Keys of objects as events name them.
func dutyKey(id string) string    { return duties.Name() + "/" + id }
func systemKey(id string) string  { return systems.Name() + "/" + id }
func tableKey(id string) string   { return tables.Name() + "/" + id }
func entryKey(id string) string   { return entries.Name() + "/" + id }
func pendingKey(id string) string { return pendings.Name() + "/" + id }
func driftKey(id string) string   { return drifts.Name() + "/" + id }

// key joins the parts of an index key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// content returns a copy of e with what the provider states: fields 1 to 29,
// without the states of items.
func content(e *cataloguev1.Entry) *cataloguev1.Entry {
	c := proto.CloneOf(e)
	c.State, c.Version, c.CreatedMs, c.UpdatedMs = 0, 0, 0, 0
	c.Lock, c.ContentHash, c.ReturnedReason, c.SuspendedCause, c.SuspendedBy = nil, nil, "", "", ""
	for _, it := range c.Items {
		it.State = 0
	}
	return c
}

// ContentHash is SHA-256 of the canonical bytes of what the provider states: the
// fields 1 to 29 without the states of items.
func ContentHash(e *cataloguev1.Entry) [32]byte {
	return hashOf(content(e))
}

// in gives a refusal the rule and the element (from 0; -1 for none) that it does
// not have yet.
func in(rule string, i int, err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	g := *f
	if g.Rule == "" {
		g.Rule = rule
	}
	if g.Item == 0 && i >= 0 {
		g.Item = int32(i) + 1
	}
	return &g
}

// first returns the first error of a list of checks that were all made.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// count refuses a list of a message that is empty or over its bound.
func count(rule string, n, limit int) error {
	switch {
	case n == 0:
		return act.Refuse(fault.Empty, rule, "the list is empty")
	case n > limit:
		return act.Refuse(fault.TooLong, rule, "%d elements, at most %d in one message", n, limit)
	}
	return nil
}

// atMost refuses a list within an element that is over its bound.
func atMost(rule, field string, n, limit int) error {
	if n > limit {
		return act.Refuse(fault.TooLong, rule, "%s: %d, at most %d", field, n, limit)
	}
	return nil
}

// enum refuses a number that its list does not have. 0 stands for "not stated".
func enum(rule, field string, v protoreflect.Enum) error {
	if v.Descriptor().Values().ByNumber(v.Number()) == nil {
		return act.Refuse(fault.OutOfRange, rule, "%s: %d is not in its list", field, v.Number())
	}
	return nil
}

// hash refuses bytes that are not a hash; none at all may be allowed.
func hash(rule, field string, b []byte, needed bool) error {
	switch {
	case len(b) == 0 && needed:
		return act.Refuse(fault.Missing, rule, "%s is missing", field)
	case len(b) != 0 && len(b) != hashBytes:
		return act.Refuse(fault.Malformed, rule, "%s: %d bytes, a hash has %d", field, len(b), hashBytes)
	}
	return nil
}

// checkID refuses an id that is not "<owner>:<local>", with a local part of 1 to
// limit bytes without blanks and controls.
func checkID(rule, id, owner string, limit int) error {
	local, ok := strings.CutPrefix(id, owner+":")
	if owner == "" || !ok || local == "" || !utf8.ValidString(local) || strings.ContainsFunc(local, notPrinted) {
		return act.Refuse(fault.Malformed, rule, "id %.80q is not %q and a local code without blanks", id, owner+":")
	}
	if len(local) > limit {
		return act.Refuse(fault.TooLong, rule, "id %.80q: %d bytes after the owner, at most %d", id, len(local), limit)
	}
	return nil
}

func notPrinted(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r)
}

// owner returns what stands before the first colon of an id.
func owner(id string) string {
	org, _, _ := strings.Cut(id, ":")
	return org
}

// nameKey is where a provider's name of an entry is kept. The digest keeps the key
// short: a name may have 200 characters. ok is false for a name of nothing.
func nameKey(provider, name string) (k string, ok bool) {
	form, ok := code.Key(name)
	sum := sha256.Sum256([]byte(form))
	return key(provider, hex.EncodeToString(sum[:16])), ok
}

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
)
