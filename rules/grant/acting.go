package grant

import (
	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/mandate"
)

// said is the word of an owner: who says it, of what, and with which key.
type said struct {
	rule, owner, mandate string
	entry, asker         string // entry that it is of, "" if that is confidential; data user
	level                identityv1.KeyLevel
	gives                bool // opens something; a no, a pause and a revocation do not
	message              proto.Message
}

// acting refuses unless the signer is the owner, or acts for him under the mandate that he
// names, with a key of at least the level. It counts a use of the mandate; a message that is
// refused afterwards leaves nothing of that.
//
// Who has a guardian says no himself, and does not say yes.
//
// Forbidden; MinorWithoutGuardian, PrincipalIncapable; what mandate.Acting refuses with.
func acting(a *act.Act, w said) error {
	if w.mandate == "" {
		switch {
		case w.owner != a.Signer():
			return act.Refuse(fault.Forbidden, w.rule, "%s is not %.60s and names no mandate", a.Signer(), w.owner)
		case w.gives:
			if err := mandate.Self(a.Tx, w.owner, a.TimeMs); err != nil {
				return err
			}
		}
		return a.Need(w.level)
	}
	x := mandate.AgentAct{
		Actor: a.Signer(), Principal: w.owner, Mandate: w.mandate, Act: mandatev1.MandateAct_MANDATE_ACT_GRANT,
		Entry: w.entry, Level: w.level, Asker: w.asker, Digest: mandate.Digest(w.message),
	}
	m, err := mandate.Acting(a.Tx, x, a.TimeMs)
	if err != nil {
		return err
	}
	if err := a.Need(w.level); err != nil {
		return err
	}
	mandate.Used(a, m, x)
	return nil
}
