package prooffile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// Domains of what is hashed and signed (client.Domain, client.SignDomain,
// gateway/receipt.Domain).
const (
	transactionDomain = "mulian-tx-v1\x00"
	signDomain        = "mulian-tx-sign-v1\x00"
	receiptDomain     = "mulian-receipt-v1\x00"
)

// Keys of the objects that the verifier looks up.
const (
	accountPrefix = "identity/account/"
	retiredPrefix = "identity/retired_key/"
	headPrefix    = "trace/head/"
)

// object returns the value of a proved object and notes that something rests on it.
func (v *verifier) object(key string) ([]byte, bool) {
	i, ok := v.state[key]
	if !ok {
		return nil, false
	}
	v.used[i] = true
	return v.objects[i].value, true
}

// registered finds a key of an account among the proved objects: among those that
// the account has dropped, if the file has it there, else in the account.
func (v *verifier) registered(account, id, at string) (*accountKey, *refusal) {
	if raw, ok := v.object(retiredPrefix + account + "/" + id); ok {
		k, err := scanKey(raw)
		if err != nil || k.id != id {
			return nil, refuse(stepKey, at, "%s is not the key %s", retiredPrefix+account+"/"+id, id)
		}
		return k, nil
	}
	raw, ok := v.object(accountPrefix + account)
	if !ok {
		return nil, refuse(stepKey, at, "the file has no proof of %s%s", accountPrefix, account).as(fault.NotWhitelisted)
	}
	name, keys, err := scanAccount(raw)
	if err != nil || name != account {
		return nil, refuse(stepKey, at, "%s%s is not that account", accountPrefix, account)
	}
	for _, k := range keys {
		if k.id == id {
			return k, nil
		}
	}
	return nil, refuse(stepKey, at, "%s has no key %q", account, id).as(fault.NotWhitelisted)
}

// A signed is what somebody is said to have signed.
type signed struct {
	account, key, as string
	message, sig     []byte
	tx               []byte // id of the transaction; nil: it is none
	timeMs, slackMs  uint64 // when, and by how much that clock may be wrong
	at               string // place in the file
}

// checkSigned checks that the key was the account's at that time, and the signature.
func (v *verifier) checkSigned(s signed) *refusal {
	k, r := v.registered(s.account, s.key, s.at)
	if r != nil {
		return r
	}
	early := s.timeMs+s.slackMs < k.addedMs
	late := k.revokedMs != 0 && s.timeMs > k.revokedMs+s.slackMs || k.endsMs != 0 && s.timeMs >= k.endsMs+s.slackMs
	if early || late {
		return refuse(stepKey, s.at, "key %s of %s was not valid at %s", k.id, s.account, clock(s.timeMs)).as(fault.KeyRevoked)
	}
	algorithm, r := k.checkSignature(s)
	if r != nil {
		return r
	}
	state := "active"
	if k.revokedMs != 0 {
		if k.revokedMs > maxMs {
			return refuse(stepKey, s.at, "key %s of %s was revoked at no time", k.id, s.account)
		}
		state = "revoked " + clock(k.revokedMs)
	}
	v.signers = append(v.signers, Signer{Account: s.account, As: s.as, Key: k.id, Algorithm: algorithm, State: state})
	v.says(stepSignature, "%s, as %s, with %s key %s", s.account, s.as, algorithm, k.id)
	return nil
}

// checkSignature checks that the key is one, and the signature, and returns the name of
// what has signed.
func (k *accountKey) checkSignature(s signed) (string, *refusal) {
	passkey := k.algorithm == passkeyAlgorithm && s.tx != nil // no device signs a receipt
	if k.algorithm > uint64(sm.Ed25519) && !passkey {
		return "", refuse(stepKey, s.at, "key %s of %s has the algorithm %d", k.id, s.account, k.algorithm)
	}
	holds, name := false, passkeyName
	if passkey {
		device, err := k.device()
		if err != nil {
			return "", refuse(stepKey, s.at, "key %s of %s is no public key", k.id, s.account)
		}
		holds = device.signed([32]byte(s.tx), s.sig)
	} else {
		public, err := sm.ParsePublic(sm.Algorithm(k.algorithm), k.public)
		if err != nil || public.ID() != k.id {
			return "", refuse(stepKey, s.at, "key %s of %s is no public key", k.id, s.account)
		}
		holds, name = public.Verify(s.message, s.sig), public.Algorithm().String()
	}
	if !holds {
		return "", refuse(stepSignature, s.at, "the signature is not that of key %s of %s over these bytes", k.id, s.account).as(fault.BadAuthorisation)
	}
	return name, nil
}

// idOf is the id of the transaction with this body.
func idOf(body []byte) [32]byte { return sha256.Sum256(append([]byte(transactionDomain), body...)) }

// checkTransactions checks what was signed: each is the transaction of an event in the
// file, by its id, and signed by the account that the event names. Its body is compared
// with the events if it is there.
func (v *verifier) checkTransactions() *refusal {
	before := -1
	for i, x := range v.sealed {
		at := fmt.Sprintf("transactions[%d]", i)
		b, r := v.bodyOf(x, at)
		if r != nil {
			return r
		}
		first := -1
		for j, e := range v.acts {
			if string(e.tx) != string(x.id) {
				continue
			}
			if first < 0 {
				first = j
			}
			switch by := v.acts[first].actor; {
			case e.actor != by:
				return refuse(stepTransaction, at, "event %d is by %s, event %d of the same transaction by %s", v.events[j].seq, e.actor, v.events[first].seq, by)
			case b != nil && (e.actor != b.account || e.message >= uint64(b.messages)):
				return refuse(stepTransaction, at, "event %d is of message %d by %s, the transaction has %d by %s", v.events[j].seq, e.message, e.actor, b.messages, b.account)
			}
		}
		if first <= before {
			return refuse(stepTransaction, at, "no event before the next transaction's has the id %x", x.id)
		}
		before = first
		if b != nil {
			v.says(stepTransaction, "%x, %d bytes", x.id, len(x.body))
		} else {
			v.says(stepTransaction, "%x, its body is not in the file", x.id)
		}
		if r := v.checkSigned(signed{
			account: v.acts[first].actor, key: x.key, as: v.acts[first].verb, message: append([]byte(signDomain), x.id...), sig: x.signature, tx: x.id,
			timeMs: v.acts[first].timeMs, at: at,
		}); r != nil {
			return r
		}
	}
	return nil
}

// bodyOf reads the body of a transaction; nil if it was left out.
func (v *verifier) bodyOf(x sealed, at string) (*body, *refusal) {
	if len(x.body) == 0 {
		return nil, nil
	}
	b, err := scanBody(x.body)
	if err != nil {
		return nil, refuse(stepTransaction, at+".body", "%v", err)
	}
	if b.chain != v.founding.chain {
		return nil, refuse(stepTransaction, at+".body", "made for the chain %q, not %q", b.chain, v.founding.chain).as(fault.WrongChain)
	}
	if id := idOf(x.body); string(id[:]) != string(x.id) {
		return nil, refuse(stepTransaction, at+".body", "expected the body of %x, this is that of %x", x.id, id)
	}
	return b, nil
}

// receiptSlackMs is how far a gateway's clock may be from the ledger's: more than a
// gateway may be off and still work (docs/runbooks), our own choice.
const receiptSlackMs = 10 * 60 * 1000

// checkAccess checks a record of a gateway's log: in the log whose head is
// anchored, and signed by whom the file says.
func (v *verifier) checkAccess() *refusal {
	a := v.access
	if a == nil {
		return nil
	}
	rec, err := scanRecord(a.record)
	if err != nil {
		return refuse(stepRecord, "access.record", "%v", err)
	}
	v.record = rec
	v.says(stepRecord, "%s of %s by %s", outcomes[rec.number(4)], rec.text(8), rec.asker())
	raw, ok := v.object(headPrefix + rec.gateway())
	if !ok {
		return refuse(stepLog, "access.record", "the file has no proof of %s%s", headPrefix, rec.gateway())
	}
	gateway, size, root, err := scanHead(raw)
	if err != nil || gateway != rec.gateway() {
		return refuse(stepLog, "access.record", "%s%s is no head of a log", headPrefix, rec.gateway())
	}
	got, err := proof.RootFromPath(proof.EventLeaf(a.record), int64(a.leaf), int64(size), hashes(a.path))
	if err != nil {
		return refuse(stepLog, "access.path", "%v", err)
	}
	if string(got[:]) != string(root) {
		return refuse(stepLog, "access.path", "expected the root %x of %d records that the ledger has, the path leads to %s", root, size, got)
	}
	v.leaves = size
	v.says(stepLog, "record %d of %d, root %x", a.leaf, size, root)
	return v.checkReceipt(a, rec, "access")
}

// checkReceipt checks the signatures of both sides, as far as they are there.
func (v *verifier) checkReceipt(a *access, rec *record, at string) *refusal {
	for _, s := range []signed{
		{account: rec.gateway(), key: a.providerKey, as: "provider", sig: a.providerSigned, at: at + ".provider_signature"},
		{account: rec.asker(), key: a.consumerKey, as: "consumer", sig: a.consumerSign, at: at + ".consumer_signature"},
	} {
		if s.key == "" && s.sig == nil {
			continue
		}
		var r *refusal
		if s.message, s.sig, r = unbatch(a.record, s.sig, s.at); r != nil {
			return r
		}
		s.timeMs, s.slackMs = rec.atMs(), receiptSlackMs
		if r := v.checkSigned(s); r != nil {
			return r
		}
	}
	return nil
}

// Kinds of what is proved.
const (
	kindObject      = "object"
	kindEvent       = "event"
	kindTransaction = "transaction"
	kindAccess      = "access"
	kindFinding     = "finding"
	kindAbsence     = "absence"
)

// checkSubject checks that the parts of the file are those of its kind, and about
// its subject.
func (v *verifier) checkSubject() *refusal {
	kind, subject := v.said("kind"), v.said("subject")
	if (kind == kindAccess) != (v.access != nil) {
		return refuse(stepStatement, "statement.kind", "%q, and the file has an access: %t", kind, v.access != nil)
	}
	if (kind == kindFinding) != (v.finding != nil) {
		return refuse(stepStatement, "statement.kind", "%q, and the file has a finding: %t", kind, v.finding != nil)
	}
	if (kind == kindAbsence) != (v.absence != nil) {
		return refuse(stepStatement, "statement.kind", "%q, and the file has an absence: %t", kind, v.absence != nil)
	}
	switch kind {
	case kindAbsence:
		if len(v.acts) > 0 || len(v.sealed) > 0 {
			return refuse(stepStatement, "events", "what is not there has no acts")
		}
		if subject != v.absence.key {
			return refuse(stepStatement, "statement.subject", "expected %q, the file says %q", v.absence.key, subject)
		}
	case kindFinding:
		if subject != v.charge.gateway {
			return refuse(stepStatement, "statement.subject", "expected %q, the file says %q", v.charge.gateway, subject)
		}
	case kindObject, kindAccess:
		if len(v.objects) == 0 || kind == kindAccess && v.objects[0].key != headPrefix+v.record.gateway() {
			return refuse(stepStatement, "statement.subject", "the first object is not its own")
		}
		want := v.objects[0].key
		if kind == kindAccess {
			want = fmt.Sprintf("%s:%d", v.record.gateway(), v.access.leaf)
		}
		if subject != want {
			return refuse(stepStatement, "statement.subject", "expected %q, the file says %q", want, subject)
		}
		for i, x := range v.acts {
			if indexOf(x.objects, v.objects[0].key) < 0 {
				return refuse(stepStatement, fmt.Sprintf("events[%d]", i), "it does not touch %s", v.objects[0].key)
			}
		}
	case kindEvent:
		if len(v.events) != 1 || fmt.Sprint(v.events[0].seq) != subject {
			return refuse(stepStatement, "statement.subject", "expected the number of the one event, the file says %q", subject)
		}
	case kindTransaction:
		for i, x := range v.acts {
			if hex.EncodeToString(x.tx) != subject {
				return refuse(stepStatement, fmt.Sprintf("events[%d]", i), "it is not of the transaction %q", subject)
			}
		}
		if len(v.acts) == 0 || len(v.sealed) != 1 || len(subject) != 64 {
			return refuse(stepStatement, "statement.subject", "expected one transaction and its events")
		}
	default:
		return refuse(stepStatement, "statement.kind", "expected object, absence, event, transaction, access or finding, the file says %q", kind)
	}
	return nil
}

// said returns a text of the statement, "" if it has none of that name.
func (v *verifier) said(name string) string {
	if i := v.statement.field(name); i >= 0 && i < len(v.statement.list) {
		return v.statement.list[i].text
	}
	return ""
}
