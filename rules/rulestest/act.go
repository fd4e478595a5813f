package rulestest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Do signs the messages as one transaction with the highest key of the account that
// this world knows, makes a block of it, and returns the code.
func (w *World) Do(account string, messages ...proto.Message) fault.Code {
	w.TB.Helper()
	return w.DoAs(account, w.highest(account), messages...)
}

// highest returns the level of the highest key that the account has by [World.Key].
func (w *World) highest(account string) identityv1.KeyLevel {
	for level := identityv1.KeyLevel_KEY_LEVEL_ROOT; level > identityv1.KeyLevel_KEY_LEVEL_MACHINE; level-- {
		if _, ok := w.keys[fmt.Sprintf("%s %d %s", account, level, "")]; ok {
			return level
		}
	}
	return identityv1.KeyLevel_KEY_LEVEL_MACHINE
}

// DoAs is [World.Do] with the key of that level.
func (w *World) DoAs(account string, level identityv1.KeyLevel, messages ...proto.Message) fault.Code {
	w.TB.Helper()
	return w.DoWith(account, w.Key(account, level), messages...)
}

// DoWith is [World.Do] with that key.
func (w *World) DoWith(account string, key sm.PrivateKey, messages ...proto.Message) fault.Code {
	w.TB.Helper()
	return w.Send(w.Seal(w.Body(account, messages...), key))
}

// Must is [World.Do] for an act that has to succeed. It returns the ids that it
// made.
func (w *World) Must(account string, messages ...proto.Message) []string {
	w.TB.Helper()
	if code := w.Do(account, messages...); code != fault.OK {
		w.TB.Fatalf("%s by %s: %s at message %d, item %d of %s: %s", names(messages), account, code, w.Outcome.Message, w.Outcome.Item, w.Outcome.Rule, w.Text)
	}
	return w.Outcome.Ids
}

// Want is [World.Do] for an act that has to be refused with that code.
func (w *World) Want(want fault.Code, account string, messages ...proto.Message) {
	w.TB.Helper()
	if code := w.Do(account, messages...); code != want {
		w.TB.Fatalf("%s by %s: %s (%s: %s), want %s", names(messages), account, code, w.Outcome.Rule, w.Text, want)
	}
}

func names(messages []proto.Message) (out []string) {
	for _, m := range messages {
		out = append(out, string(m.ProtoReflect().Descriptor().Name()))
	}
	return out
}

// Body returns the body of a transaction that counts for one minute from now.
func (w *World) Body(account string, messages ...proto.Message) *txv1.Body {
	w.salt++
	b := &txv1.Body{ChainId: ChainID, Account: account, ExpiresMs: w.Now + Minute, Salt: binary.BigEndian.AppendUint64(nil, w.salt)}
	for _, m := range messages {
		b.Messages = append(b.Messages, message(m))
	}
	return b
}

// message wraps a verb into the union of the envelope.
func message(verb proto.Message) *txv1.Message {
	out := &txv1.Message{}
	r := out.ProtoReflect()
	fields := r.Descriptor().Oneofs().ByName("kind").Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message().FullName() == verb.ProtoReflect().Descriptor().FullName() {
			r.Set(f, protoreflect.ValueOfMessage(proto.Clone(verb).ProtoReflect()))
			return out
		}
	}
	panic("rulestest: no verb: " + string(verb.ProtoReflect().Descriptor().FullName()))
}

// Seal signs a body and returns the envelope.
func (w *World) Seal(b *txv1.Body, key sm.PrivateKey) []byte {
	w.TB.Helper()
	raw := w.encode(b)
	return w.encode(&txv1.Envelope{
		Body:      raw,
		Signature: &txv1.Signature{Key: key.Public().ID(), Signature: w.sign(key, Signed(raw))},
	})
}

// Signed is what is signed of a body: its id, which is its hash.
func Signed(body []byte) []byte {
	id := sha256.Sum256(append([]byte("mulian-tx-v1\x00"), body...))
	return append([]byte("mulian-tx-sign-v1\x00"), id[:]...)
}

// Org registers an organisation of that name and returns its code.
func (w *World) Org(name string) string {
	w.TB.Helper()
	code := w.nextCode()
	w.Must(w.Authority, &identityv1.RegisterOrg{Code: code, Profile: Profile(name), Keys: w.orgKeys(code)})
	return code
}

// Gateway registers a gateway of the organisation and returns its id.
func (w *World) Gateway(org, local string) string {
	w.TB.Helper()
	id := org + "/g/" + local
	w.Must(org, w.GatewayMessage(org, local))
	return id
}

// GatewayMessage returns the message with which the organisation registers a
// gateway.
func (w *World) GatewayMessage(org, local string) *identityv1.RegisterGateway {
	id := org + "/g/" + local
	return &identityv1.RegisterGateway{
		LocalId: local, Name: "网关 " + local, Keys: []*identityv1.Key{PublicKey(w.Key(id, identityv1.KeyLevel_KEY_LEVEL_MACHINE).Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE)},
		Profile: &identityv1.GatewayProfile{
			Url: "https://" + local + ".example.cn:8443", LogOrigin: "log.example.cn/" + id,
			SealingKey: PublicKey(w.Sealing(id).Public(), 0), LogPublicKey: w.Named(id, 0, "log").Public().Bytes(),
		},
	}
}

// Sealing returns the SM2 key to which is sealed what the gateway receives.
func (w *World) Sealing(gateway string) sm.PrivateKey {
	w.TB.Helper()
	var seed [32]byte
	copy(seed[:], "sealing key of a gateway, made up")
	seed[31] = byte(len(gateway))
	k, err := sm.FromSeed(sm.SM2, seed)
	if err != nil {
		w.TB.Fatal(err)
	}
	return k
}

// Post registers a post of the organisation with an OFFICER key and returns its id.
func (w *World) Post(org, local string) string {
	w.TB.Helper()
	return w.unit(org, local, "/p/", identityv1.AccountKind_ACCOUNT_KIND_POST)
}

// Department registers a department with an OFFICER key and returns its id.
func (w *World) Department(org, local string) string {
	w.TB.Helper()
	return w.unit(org, local, "/d/", identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT)
}

// Officer registers a post with an OFFICER key at a desk, a department that has been
// registered, and returns its id.
func (w *World) Officer(org, desk, local string) string {
	w.TB.Helper()
	id := org + "/p/" + local
	officer := identityv1.KeyLevel_KEY_LEVEL_OFFICER
	w.Must(org, &identityv1.RegisterUnit{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: local, Name: local, Parent: desk,
		Keys: []*identityv1.Key{PublicKey(w.Key(id, officer).Public(), officer)},
	})
	return id
}

// Firm opens an account with a ROOT key for the n-th firm and returns its id.
func (w *World) Firm(n int) string {
	w.TB.Helper()
	id := fmt.Sprintf("f-%032x", n)
	root := identityv1.KeyLevel_KEY_LEVEL_ROOT
	w.Must(id, &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_FIRM, Id: id, Keys: []*identityv1.Key{PublicKey(w.Key(id, root).Public(), root)}})
	return id
}

// Give gives a role to an account, by vote.
func (w *World) Give(role governancev1.Role, account string) {
	w.TB.Helper()
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: role, Account: account}}})
}

func (w *World) unit(org, local, letter string, kind identityv1.AccountKind) string {
	w.TB.Helper()
	id := org + letter + local
	officer := identityv1.KeyLevel_KEY_LEVEL_OFFICER
	w.Must(org, &identityv1.RegisterUnit{Kind: kind, LocalId: local, Name: local, Keys: []*identityv1.Key{PublicKey(w.Key(id, officer).Public(), officer)}})
	return id
}

// Person opens an account with a ROOT key for the n-th person and returns its id.
func (w *World) Person(n int) string {
	w.TB.Helper()
	id := fmt.Sprintf("p-%032x", n)
	root := identityv1.KeyLevel_KEY_LEVEL_ROOT
	w.Must(id, &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id, Keys: []*identityv1.Key{PublicKey(w.Key(id, root).Public(), root)}})
	return id
}

// Decide brings a change about: the first founder proposes it, and the others vote
// yes until it is decided. It fails the test unless the change is accepted.
func (w *World) Decide(change *governancev1.Change) (proposal string) {
	w.TB.Helper()
	id := w.Must(w.Founders[0], &governancev1.Propose{Title: "一项决定", Change: change})[0]
	for _, f := range w.Founders[1:] {
		if w.stateOf(id) != governancev1.ProposalState_PROPOSAL_STATE_OPEN {
			break
		}
		w.Must(f, &governancev1.CastVote{Proposal: id, Yes: true})
	}
	if got := w.stateOf(id); got != governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED {
		w.TB.Fatalf("the proposal is %s", got)
	}
	return id
}
