package credential

import (
	"strings"

	"google.golang.org/protobuf/proto"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// copies are the annotated copies, by id. The encoding is part of the chain.
var copies = state.NewTable[credentialv1.AnnotatedCopy]("credential/copy")

// copiesDue are the copies by when they are dropped: time/id -> "".
var copiesDue = state.NewIndex("credential/x/copies")

const (
	copyMade  = credentialv1.CopyState_COPY_STATE_MADE
	copyEnded = credentialv1.CopyState_COPY_STATE_ENDED
)

// CopyKey returns the key of an annotated copy as events and proofs name it.
func CopyKey(id string) string { return copies.Name() + "/" + id }

// FindCopy returns the record of an annotated copy. The caller owns it.
func FindCopy(v state.View, id string) (*credentialv1.AnnotatedCopy, bool) {
	if len(id) != idLength {
		return nil, false
	}
	return copies.Get(v, id)
}

// RecordCopies records annotated copies. Signed by their maker: OFFICER of a person or firm,
// MACHINE of an organisation. All or nothing. The same copy again, by the same maker, is no
// fault and no change.
//
// In this order: Forbidden (level), Empty, TooLong (the list); then one by one Malformed
// (id, hashes, set by the ledger), Missing (hashes), AlreadyExists, OutOfRange (end).
func RecordCopies(a *act.Act, m *credentialv1.RecordCopies) error {
	const rule = "credential/record_copies"
	if err := needMaker(a); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetCopies()), MaxItems); err != nil {
		return err
	}
	for i, c := range m.Copies {
		if err := act.In(rule, i, record(a, rule, c)); err != nil {
			return err
		}
	}
	return nil
}

// needMaker asks for the level with which copies are made and ended.
func needMaker(a *act.Act) error {
	if a.Org() != "" {
		return a.Need(machine)
	}
	return a.Need(officer)
}

func record(a *act.Act, rule string, c *credentialv1.AnnotatedCopy) error {
	if !isID(c.GetId()) || len(c.GetCredential()) != idLength/2 {
		return act.Refuse(fault.Malformed, rule, "id %.40q is not 32 lower-case hex digits, or the credential's has %d bytes", c.GetId(), len(c.GetCredential()))
	}
	if err := act.First(
		act.Hash(rule, "commitment", c.Commitment, true),
		act.Hash(rule, "mac_hash", c.MacHash, true),
		act.Hash(rule, "recipient_hash", c.RecipientHash, true),
	); err != nil {
		return err
	}
	next := &credentialv1.AnnotatedCopy{
		Id: c.Id, Commitment: c.Commitment, MacHash: c.MacHash, RecipientHash: c.RecipientHash, Credential: c.Credential, ExpiresMs: c.ExpiresMs,
	}
	if !proto.Equal(c, next) {
		return act.Refuse(fault.Malformed, rule, "maker, state and times are set by the ledger")
	}
	if was, ok := copies.Get(a.Tx, c.Id); ok {
		asked := proto.CloneOf(was)
		asked.Maker, asked.State, asked.MadeMs, asked.EndedMs, asked.Height = "", 0, 0, 0, 0
		if was.Maker != a.Signer() || !proto.Equal(asked, next) {
			return act.Refuse(fault.AlreadyExists, rule, "%s was recorded at height %d with another content", c.Id, was.Height)
		}
		return nil
	}
	if c.ExpiresMs <= a.TimeMs || c.ExpiresMs > a.TimeMs+maxCopyDays*dayMs {
		return act.Refuse(fault.OutOfRange, rule, "expires_ms: %d; a copy holds at most %d days", c.ExpiresMs, maxCopyDays)
	}
	next.Maker, next.State, next.MadeMs, next.Height = a.Signer(), copyMade, a.TimeMs, a.Height
	copies.Put(a.Tx, next.Id, next)
	copiesDue.Put(a.Tx, state.Ordered(next.ExpiresMs+copyKeptMs)+"/"+next.Id, "")
	a.IDs = append(a.IDs, next.Id)
	a.Emit("credential/copy", "", CopyKey(next.Id))
	return nil
}

// EndCopies ends copies before their time. Signed by their maker as RecordCopies. All or
// nothing; one that was ended is no fault and no change.
//
// In this order: Forbidden (level), Empty, TooLong (the list); then one by one NotFound,
// Forbidden (another maker).
func EndCopies(a *act.Act, m *credentialv1.EndCopies) error {
	const rule = "credential/end_copies"
	if err := needMaker(a); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetIds()), MaxItems); err != nil {
		return err
	}
	for i, id := range m.Ids {
		c, ok := FindCopy(a.Tx, id)
		switch {
		case !ok:
			return act.RefuseItem(fault.NotFound, rule, i, "there is no annotated copy %.40q", id)
		case c.Maker != a.Signer():
			return act.RefuseItem(fault.Forbidden, rule, i, "%s is the copy of another account", id)
		case c.State == copyEnded:
			continue
		}
		c.State, c.EndedMs, c.Height = copyEnded, a.TimeMs, a.Height
		copies.Put(a.Tx, id, c)
		a.Emit("credential/end_copy", "", CopyKey(id))
	}
	return nil
}

// dropCopies drops what is over so long that nobody asks any more when it ended, the oldest
// first, at most [MaxDuePerBlock]: what nobody needs is not kept.
func dropCopies(a *act.Act) {
	for key := range a.Due(copiesDue, MaxDuePerBlock) {
		_, id, _ := strings.Cut(key, "/")
		copies.Delete(a.Tx, id)
		a.Emit("credential/drop_copy", "", CopyKey(id))
	}
}

// isID says whether a text is the 32 lower-case hex digits of an id.
func isID(id string) bool {
	if len(id) != idLength {
		return false
	}
	for i := range len(id) {
		if (id[i] < '0' || id[i] > '9') && (id[i] < 'a' || id[i] > 'f') {
			return false
		}
	}
	return true
}
