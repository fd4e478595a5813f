package catalogue

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

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

	matters    = state.NewTable[cataloguev1.Matter]("catalogue/matter")       // by id
	codeTables = state.NewTable[cataloguev1.CodeTable]("catalogue/codetable") // by id
	codes      = state.NewTable[cataloguev1.Code]("catalogue/code")           // by table/code; see codeID
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

func matterKey(id string) string      { return matters.Name() + "/" + id }
func codeTableKey(id string) string   { return codeTables.Name() + "/" + id }
func codeKey(table, id string) string { return codes.Name() + "/" + codeID(table, id) }

// key joins the parts of an index key.
func key(parts ...string) string { return strings.Join(parts, "\x00") }

// content returns a copy of e with what the provider states: fields 1 to 37,
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
// fields 1 to 37 without the states of items.
func ContentHash(e *cataloguev1.Entry) [32]byte {
	return hashOf(content(e))
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
