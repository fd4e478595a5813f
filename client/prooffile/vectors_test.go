package prooffile

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

var update = flag.Bool("update", false, "write the test vectors of docs/spec/proof.md anew")

// vectorDir holds the vectors, for verifiers in other languages too.
var vectorDir = filepath.Join("..", "..", "docs", "spec", "testdata", "proof")

// A vector is one file and what every verifier says of it.
type vector struct {
	File        string     `json:"file"`
	Shows       string     `json:"shows"`
	GenesisHash string     `json:"genesis_hash"`
	OK          bool       `json:"ok"`
	Code        fault.Code `json:"code"`
	Step        string     `json:"step"`
	Field       string     `json:"field"`
}

// bad is an invalid file: how it comes from a valid one, and what refuses it.
type bad struct {
	name, shows, from string
	code              fault.Code
	step              string
	edit              func(t testing.TB, c *content) // of the parts; or
	bytes             func(file []byte) []byte       // of the bytes
	build             func(t testing.TB) ([]byte, [32]byte)
}

const (
	malformed = fault.Malformed
	unproved  = fault.VerificationFailed
)

func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			panic("the file has no " + old)
		}
		return bytes.Replace(b, []byte(old), []byte(with), 1)
	}
}

var badForms = []bad{
	{name: "blank", shows: "one blank more", from: "event", bytes: replace("  \"kind\"", "   \"kind\"")},
	{name: "windows", shows: "carriage returns", from: "event", bytes: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }},
	{name: "bom", shows: "a byte order mark", from: "event", bytes: func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }},
	{name: "cut", shows: "the last byte is missing", from: "event", bytes: func(b []byte) []byte { return b[:len(b)-1] }},
	{name: "longer", shows: "a line feed more at the end", from: "event", bytes: func(b []byte) []byte { return append(b, '\n') }},
	{name: "empty", shows: "no bytes", from: "event", bytes: func([]byte) []byte { return []byte{} }},
	{name: "number", shows: "a number instead of its digits", from: "event", bytes: replace(`"seq": "40"`, `"seq": 40`)},
	{name: "zero", shows: "a leading zero", from: "event", bytes: replace(`"seq": "40"`, `"seq": "040"`)},
	{name: "minus", shows: "a negative number", from: "event", bytes: replace(`"seq": "40"`, `"seq": "-40"`)},
	{name: "int53", shows: "2^53, which JavaScript would round", from: "event", bytes: replace(`"seq": "40"`, `"seq": "9007199254740992"`)},
	{name: "escape", shows: "a letter that is escaped", from: "event", bytes: replace(`"kind": "event"`, `"kind": "\u0065vent"`)},
	{name: "surrogate", shows: "half of a pair", from: "event", bytes: replace(`"kind": "event"`, `"kind": "\ud800"`)},
	{name: "utf8", shows: "a byte that is no UTF-8", from: "event", bytes: replace(`"kind": "event"`, "\"kind\": \"\xff\"")},
	{name: "key-twice", shows: "a field twice", from: "event", bytes: replace(` "state": {`, " \"genesis\": \"\",\n \"state\": {")},
	{name: "proto", shows: "a field __proto__", from: "event", bytes: replace(` "state": {`, " \"__proto__\": \"\",\n \"state\": {")},
	{name: "upper", shows: "upper-case hexadecimal", from: "event", bytes: func(b []byte) []byte {
		at := bytes.Index(b, []byte(`"tree_root": "`)) + 14
		return append(append(slices.Clone(b[:at]), bytes.ToUpper(b[at:at+64])...), b[at+64:]...)
	}},
	{name: "version", shows: "another version", from: "event", bytes: replace("mulian-proof-v1", "mulian-proof-v2")},
	{name: "stray-bits", shows: "base64 with bits that stand for nothing", from: "event-of-the-ledger", bytes: strayBits},
	{name: "packed-otherwise", shows: "a message that is packed in another form", from: "event-of-the-ledger", bytes: func(b []byte) []byte {
		c, err := parse(b)
		if err != nil {
			panic(err)
		}
		n := c.list[len(c.list)-1]
		x, _ := read(c)
		n.text = base(protowire.AppendBytes(nil, x.genesis)) // all of it plain
		return c.bytes()
	}},
}

// strayBits sets a bit that padding leaves over.
func strayBits(b []byte) []byte {
	at := bytes.Index(b, []byte(`=`))
	for ; at > 0; at = at + 1 + bytes.Index(b[at+1:], []byte(`=`)) {
		if c := b[at-1]; c == 'A' || c == 'Q' || c == 'g' || c == 'w' {
			out := slices.Clone(b)
			out[at-1]++
			return out
		}
	}
	panic("nothing is padded")
}

func flipByte(b []byte) { b[len(b)/2] ^= 1 }

var badParts = []bad{
	{name: "header-time", shows: "another block time", from: "event", step: "header", edit: func(_ testing.TB, c *content) { c.blocks[0].header.Time.Nanos++ }},
	{name: "header-app-hash", shows: "another app hash", from: "event", step: "header", edit: func(_ testing.TB, c *content) { flipByte(c.blocks[0].header.AppHash) }},
	{name: "header-height", shows: "the next height", from: "event", step: "header", edit: func(_ testing.TB, c *content) { c.blocks[0].header.Height++ }},
	{name: "validators-fewer", shows: "a validator is left out", from: "four", step: "validators", edit: func(_ testing.TB, c *content) { c.blocks[0].voters = c.blocks[0].voters[1:] }},
	{name: "validators-power", shows: "more power for one", from: "four", step: "validators", edit: func(_ testing.TB, c *content) { c.blocks[0].voters[0].vote++ }},
	{name: "commit-signature", shows: "a vote with another signature", from: "four", step: "commit", edit: func(_ testing.TB, c *content) { flipByte(c.blocks[0].voters[1].sig) }},
	{name: "commit-time", shows: "a vote with another time", from: "four", step: "commit", edit: func(_ testing.TB, c *content) { c.blocks[0].voters[1].at.Nanos++ }},
	{name: "commit-round", shows: "another round", from: "four", step: "commit", edit: func(_ testing.TB, c *content) { c.blocks[0].round++ }},
	{name: "commit-moved", shows: "one validator's vote at another's place", from: "four", step: "commit", edit: func(_ testing.TB, c *content) {
		v := c.blocks[0].voters
		v[0].sig, v[0].at, v[0].sm2 = v[1].sig, v[1].at, nil
	}},
	{name: "commit-few", shows: "votes of 22 of 38", from: "four", step: "commit", edit: func(_ testing.TB, c *content) { c.blocks[0].voters[0].sig, c.blocks[0].voters[0].sm2 = nil, nil }},
	{name: "trust-gap", shows: "a block on the way is left out", from: "four-changed", step: "trust", edit: func(_ testing.TB, c *content) { c.blocks = c.blocks[1:] }},
	{name: "trust-first", shows: "the last block alone", from: "four-changed", step: "trust", edit: func(_ testing.TB, c *content) { c.blocks = c.blocks[2:] }},
	{name: "blocks-again", shows: "the last block twice", from: "four-changed", step: "header", edit: func(_ testing.TB, c *content) { c.blocks = append(c.blocks, c.blocks[2]) }},
	{name: "sm2-signature", shows: "an SM2 vote for another block", from: "four", step: "sm2", edit: func(t testing.TB, c *content) {
		sig, err := validator(t, "a", 10, true).sm2.Sign(voteMessage("proof-four", 1, c.blocks[0].hash))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range c.blocks[0].voters {
			if bytes.Equal(v.key, validator(t, "a", 10, true).public()) {
				v.sm2 = sig
			}
		}
	}},
	{name: "sm2-few", shows: "SM2 votes of 22 of 38", from: "four", step: "sm2", edit: func(_ testing.TB, c *content) { c.blocks[0].voters[1].sm2 = nil }},
	{name: "sm2-not-pinned", shows: "an SM2 vote of a validator without a pinned key", from: "object-no-sm2", step: "sm2", edit: func(t testing.TB, c *content) {
		sig, err := validator(t, "v1", 7, false).sm2.Sign(voteMessage("proof-no-sm2", c.blocks[0].header.Height, c.blocks[0].hash))
		if err != nil {
			t.Fatal(err)
		}
		c.blocks[0].voters[0].sm2 = sig
	}},
	{name: "state-size", shows: "one event more", from: "event", step: "state", edit: func(_ testing.TB, c *content) { c.logSize++ }},
	{name: "state-root", shows: "another tree root", from: "event", step: "state", edit: func(_ testing.TB, c *content) { flipByte(c.treeRoot) }},
	{name: "object-value", shows: "another value", from: "object", step: "object", edit: func(_ testing.TB, c *content) { c.objects[0].value[len(c.objects[0].value)-1] ^= 1 }},
	{name: "object-key", shows: "another key", from: "object", step: "object", edit: func(_ testing.TB, c *content) { c.objects[0].key += "b" }},
	{name: "object-sibling", shows: "another sibling", from: "object", step: "object", edit: func(_ testing.TB, c *content) { flipByte(c.objects[0].siblings) }},
	{name: "object-sibling-empty", shows: "an empty sibling that is written out", from: "object", step: "object", edit: func(_ testing.TB, c *content) {
		o := &c.objects[0]
		o.siblings, o.depth = append(o.siblings, make([]byte, 32)...), o.depth+1
		o.bitmap = append(o.bitmap[:o.depth/8], 0xff<<(8-o.depth%8))
	}},
	{name: "object-twice", shows: "an object twice", from: "object", step: "object", edit: func(_ testing.TB, c *content) { c.objects = append(c.objects, c.objects[0]) }},
	{name: "object-unused", shows: "an object on which nothing rests", from: "object", step: "object", edit: func(_ testing.TB, c *content) { c.events, c.sealed = nil, nil }},
	{name: "event-seq", shows: "another place in the log", from: "event", step: "event", edit: func(_ testing.TB, c *content) { c.events[0].seq++ }},
	{name: "event-path", shows: "a path one hash too long", from: "event", step: "event", edit: func(_ testing.TB, c *content) { c.events[0].path = append(c.events[0].path, make([]byte, 32)...) }},
	{name: "event-note", shows: "an event with another note", from: "event-of-the-ledger", step: "event", edit: func(_ testing.TB, c *content) { flipByte(c.events[0].event) }},
	{name: "events-order", shows: "events that do not ascend", from: "object", step: "event", edit: func(_ testing.TB, c *content) { c.events[0], c.events[1] = c.events[1], c.events[0] }},
	{name: "transaction-cut", shows: "a body that is none", from: "transaction", step: "transaction", edit: func(_ testing.TB, c *content) { c.sealed[0].body = c.sealed[0].body[:9] }},
	{name: "transaction-body", shows: "another body", from: "transaction", step: "transaction", edit: func(_ testing.TB, c *content) {
		c.sealed[0].body[bytes.Index(c.sealed[0].body, []byte("salt"))] ^= 1
	}},
	{name: "transaction-id", shows: "another id, without the body", from: "object-of-many", step: "transaction", edit: func(_ testing.TB, c *content) { flipByte(c.sealed[0].id) }},
	{name: "transaction-actor", shows: "the body of another account's transaction", from: "object", step: "transaction", edit: func(_ testing.TB, c *content) {
		c.sealed[0].body = c.sealed[1].body
	}},
	{name: "transaction-order", shows: "transactions in another order than their events", from: "object", step: "transaction", edit: func(_ testing.TB, c *content) {
		c.sealed[0], c.sealed[1] = c.sealed[1], c.sealed[0]
	}},
	{name: "signature", shows: "another signature", from: "transaction", code: fault.BadAuthorisation, step: "signature", edit: func(_ testing.TB, c *content) {
		c.sealed[0].signature[len(c.sealed[0].signature)-1] ^= 1
	}},
	{name: "signature-of-many", shows: "a signature over the body instead of the id", from: "object-of-many", code: fault.BadAuthorisation, step: "signature", edit: func(t testing.TB, c *content) {
		sig, err := key(t, sm.SM2, provider).Sign(append([]byte(transactionDomain), c.sealed[0].id...))
		if err != nil {
			t.Fatal(err)
		}
		c.sealed[0].signature = sig
	}},
	{name: "signature-other", shows: "the signature of another transaction of the same account", from: "object-of-many", code: fault.BadAuthorisation, step: "signature", edit: func(t testing.TB, c *content) {
		sig, err := key(t, sm.SM2, provider).Sign(append([]byte(signDomain), c.treeRoot...))
		if err != nil {
			t.Fatal(err)
		}
		c.sealed[0].signature = sig
	}},
	{name: "key-unknown", shows: "the signer's account is left out", from: "transaction", code: fault.NotWhitelisted, step: "key", edit: func(_ testing.TB, c *content) { c.objects = nil }},
	{name: "record-rows", shows: "a record with other bytes", from: "access", step: "log", edit: func(_ testing.TB, c *content) { c.access.record[bytes.Index(c.access.record, []byte("name"))] ^= 1 }},
	{name: "record-unknown", shows: "a record with a field that is not in the format", from: "access", step: "record", edit: func(_ testing.TB, c *content) {
		c.access.record = protowire.AppendVarint(protowire.AppendTag(c.access.record, 99, protowire.VarintType), 1)
	}},
	{name: "record-leaf", shows: "another place in the gateway's log", from: "access", step: "log", edit: func(_ testing.TB, c *content) { c.access.leaf++ }},
	{name: "receipt-provider", shows: "another signature of the provider", from: "access", code: fault.BadAuthorisation, step: "signature", edit: func(_ testing.TB, c *content) {
		c.access.providerSigned[len(c.access.providerSigned)-1] ^= 1
	}},
	{name: "receipt-consumer", shows: "the consumer's signature is the provider's", from: "access", code: fault.NotWhitelisted, step: "key", edit: func(_ testing.TB, c *content) {
		c.access.consumerKey, c.access.consumerSign = c.access.providerKey, c.access.providerSigned
	}},
	{name: "receipt-transaction", shows: "a signature of a transaction as one of a receipt", from: "access", code: fault.BadAuthorisation, step: "signature", edit: func(t testing.TB, c *content) {
		sig, err := key(t, sm.SM2, doorID).Sign(append([]byte(transactionDomain), c.access.record...))
		if err != nil {
			t.Fatal(err)
		}
		c.access.providerSigned = sig
	}},
	{name: "finding-rule", shows: "a rule that there is not", from: "finding-gap", step: "finding", edit: func(_ testing.TB, c *content) { c.finding.rule = "guilty" }},
	{name: "finding-parts", shows: "a record too few for the rule", from: "finding-twice", step: "finding", edit: func(_ testing.TB, c *content) { c.finding.records = c.finding.records[:1] }},
	{name: "finding-nothing", shows: "two records that do not contradict each other", from: "finding-twice", step: "finding", edit: func(_ testing.TB, c *content) {
		c.finding.records[0], c.finding.records[1] = c.finding.records[1], c.finding.records[0]
	}},
	{name: "finding-place", shows: "a record at another place of the log", from: "finding-outside", step: "log", edit: func(_ testing.TB, c *content) { c.finding.records[0].leaf++ }},
	{name: "finding-receipt", shows: "a receipt that the gateway has not signed", from: "finding-contradicted", step: "record", edit: func(_ testing.TB, c *content) {
		c.finding.records[0].providerKey, c.finding.records[0].providerSigned = "", nil
	}},
	{name: "finding-signature", shows: "a receipt with another signature", from: "finding-contradicted", code: fault.BadAuthorisation, step: "signature", edit: func(_ testing.TB, c *content) {
		c.finding.records[0].providerSigned[len(c.finding.records[0].providerSigned)-1] ^= 1
	}},
	{name: "finding-checkpoint", shows: "a checkpoint of another size than was signed", from: "finding-forked", code: fault.BadAuthorisation, step: "signature", edit: func(_ testing.TB, c *content) {
		c.finding.checkpoints[0] = bytes.Replace(c.finding.checkpoints[0], []byte("\n17\n"), []byte("\n18\n"), 1)
	}},
	{name: "finding-note", shows: "a checkpoint with a line more", from: "finding-forked", step: "finding", edit: func(_ testing.TB, c *content) {
		c.finding.checkpoints[0] = append(c.finding.checkpoints[0], '\n')
	}},
	{name: "finding-states", shows: "one state of the log alone", from: "finding-forked", step: "finding", edit: func(_ testing.TB, c *content) { c.finding.checkpoints = c.finding.checkpoints[:1] }},
	{name: "finding-consistency", shows: "a beginning that the newer state does not have", from: "finding-rewritten", step: "finding", edit: func(_ testing.TB, c *content) { flipByte(c.finding.root) }},
	{name: "finding-statement", shows: "another breach in the statement", from: "finding-outside", step: "statement", edit: func(_ testing.TB, c *content) {
		c.statement.list[c.statement.field("breach")].list[0].text = "item name"
	}},
	{name: "finding-kind", shows: "a finding that says it is an access", from: "finding-outside", step: "statement", edit: func(_ testing.TB, c *content) { setText(c.statement, "access", "kind") }},
	{name: "finding-batch", shows: "a signature of a batch that is cut", from: "finding-contradicted", step: "signature", edit: func(_ testing.TB, c *content) {
		c.finding.records[0].providerSigned = append([]byte("MB\x01\x00\x00\x00\x01\x00\x00\x00\x04"), make([]byte, 64)...)
	}},
	{name: "statement-rows", shows: "other rows in the statement", from: "access", step: "statement", edit: func(_ testing.TB, c *content) { setText(c.statement, "4001", "record", "rows") }},
	{name: "statement-power", shows: "more power in the statement", from: "four", step: "statement", edit: func(_ testing.TB, c *content) { setText(c.statement, "38 of 38", "power") }},
	{name: "statement-kind", shows: "another kind", from: "access", step: "statement", edit: func(_ testing.TB, c *content) { setText(c.statement, "event", "kind") }},
	{name: "statement-subject", shows: "another subject", from: "object", step: "statement", edit: func(_ testing.TB, c *content) { setText(c.statement, driftKey, "subject") }},
	{name: "statement-more", shows: "a field more in the statement", from: "event", step: "statement", edit: func(_ testing.TB, c *content) { c.statement.with("note", "believe me") }},
	{name: "statement-signer", shows: "a signer less in the statement", from: "object", step: "statement", edit: func(_ testing.TB, c *content) {
		n := c.statement.list[c.statement.field("signers")]
		n.list = n.list[1:]
	}},
	{name: "statement-events", shows: "an event of something else", from: "object", step: "statement", edit: func(_ testing.TB, c *content) {
		setText(c.statement, c.objects[1].key, "subject")
		c.objects[0], c.objects[1] = c.objects[1], c.objects[0]
		c.objects, c.sealed = c.objects[:1], nil
	}},
}

func setText(n *node, text string, path ...string) {
	for _, p := range path {
		n = n.list[n.field(p)]
	}
	n.text = text
}

// badWorlds are files of chains that did what no honest one does: everything in
// them is signed and committed.
var badWorlds = []bad{
	{name: "genesis", shows: "the proof of another chain", code: fault.WrongChain, step: "genesis", build: func(t testing.TB) ([]byte, [32]byte) {
		s := tell(newWorld(t, "proof-two", validator(t, "v1", 1, true)))
		return must(t)(s.maker.Event(context.Background(), 3)), tell(newWorld(t, "proof-one", validator(t, "v1", 1, true))).maker.hash
	}},
	{name: "transaction-chain", shows: "a transaction that was signed for another chain", code: fault.WrongChain, step: "transaction", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		return w.unchecked(w.actOn("proof-two", provider, key(t, sm.SM2, provider), "share/answer", map[string]msg{agreementKey: &sharev1.Agreement{Id: "x"}}, agreementKey))
	}},
	{name: "key-revoked", shows: "signed with a key that had been revoked before", code: fault.KeyRevoked, step: "key", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		s := &story{world: w}
		s.setKey(provider, sm.SM2, func(k *identityv1.Key) {
			k.State, k.RevokedMs = identityv1.KeyState_KEY_STATE_REVOKED, w.base.UnixMilli()+1
		})
		return w.unchecked(w.act(provider, key(t, sm.SM2, provider), "share/answer", map[string]msg{agreementKey: &sharev1.Agreement{Id: "x"}}, agreementKey))
	}},
	{name: "key-later", shows: "signed with a key before it was registered", code: fault.KeyRevoked, step: "key", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		id := w.act(provider, key(t, sm.SM2, provider), "share/answer", map[string]msg{agreementKey: &sharev1.Agreement{Id: "x"}}, agreementKey)
		s := &story{world: w}
		s.setKey(provider, sm.SM2, func(k *identityv1.Key) { k.AddedMs = w.time(w.height + 1).UnixMilli() })
		return w.unchecked(id)
	}},
	{name: "key-id", shows: "a key under the id of another", code: unproved, step: "key", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		id := w.act(provider, key(t, sm.SM2, provider), "share/answer", map[string]msg{agreementKey: &sharev1.Agreement{Id: "x"}}, agreementKey)
		s := &story{world: w}
		s.setKey(provider, sm.SM2, func(k *identityv1.Key) { k.PublicKey = key(t, sm.SM2, "somebody").Public().Bytes() })
		return w.unchecked(id)
	}},
	{name: "actor", shows: "an event that names another actor than the transaction", code: unproved, step: "transaction", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		id := w.act(provider, key(t, sm.SM2, provider), "share/answer", map[string]msg{agreementKey: &sharev1.Agreement{Id: "x"}}, agreementKey)
		w.events[len(w.events)-1] = bytes.Replace(w.events[len(w.events)-1], []byte(provider), []byte(consumer), 1)
		w.block(nil)
		return w.unchecked(id)
	}},
	{name: "power-zero", shows: "a genesis whose validator has no power", code: unproved, step: "genesis", build: func(t testing.TB) ([]byte, [32]byte) {
		w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
		file, _ := w.unchecked(w.act(provider, key(t, sm.SM2, provider), "share/answer", nil, agreementKey))
		c := contentOf(t, file)
		g := newWorld(t, "proof-one", validator(t, "v1", 0, true))
		c.genesis = genesisOf(t, g.file)
		return c.node().bytes(), proof.Hash(sum(c.genesis))
	}},
}

func genesisOf(t testing.TB, file []byte) []byte {
	v, err := scan(file, false, field{1, 'b'})
	if err != nil {
		t.Fatal(err)
	}
	return v.raw(1)
}

// unchecked is the file of a transaction that a maker would not write: with a
// statement of kind and subject alone, for it is refused before that is read.
func (w *world) unchecked(id [32]byte) ([]byte, [32]byte) {
	w.t.Helper()
	w.block(nil)
	w.block(nil)
	m, ctx := w.maker(), context.Background()
	c := &content{genesis: m.genesis, statement: object("kind", "transaction", "subject", hex.EncodeToString(id[:]))}
	seq := int64(len(w.events) - 1)
	d := &draft{kind: "transaction", events: []act{{seq, id[:]}}}
	need, err := m.fetchEnvelopes(ctx, d, c)
	if err == nil {
		var height int64
		if height, err = m.fetchState(ctx, d, c, need); err == nil {
			err = m.fetchChain(ctx, c, height)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c.node().bytes(), m.hash
}

// make returns the vectors and their files, from the stories.
func vectors(t testing.TB) (list []vector, files map[string][]byte) {
	valid, hashes := validFiles(t)
	files = map[string][]byte{}
	add := func(v vector, file []byte, hash [32]byte) {
		v.File += ".mulian-proof.json"
		v.GenesisHash = hex.EncodeToString(hash[:])
		list, files[v.File] = append(list, v), file
	}
	for name, file := range valid {
		add(vector{File: name, Shows: "valid", OK: true}, file, hashes[name])
	}
	for _, b := range slices.Concat(badForms, badParts, badWorlds) {
		file, hash := slices.Clone(valid[b.from]), hashes[b.from]
		if b.code == 0 {
			b.code = unproved
		}
		switch {
		case b.build != nil:
			file, hash = b.build(t)
		case b.bytes != nil:
			file, b.code, b.step = b.bytes(file), malformed, "form"
		default:
			c := contentOf(t, file)
			b.edit(t, c)
			file = c.node().bytes()
		}
		r := Verify(file, hash)
		if r.OK || r.Code != b.code || r.Step != b.step {
			t.Errorf("%s: %v %s %s: %s; want %v %s", b.name, r.Code, r.Step, r.Field, r.Reason, b.code, b.step)
		}
		add(vector{File: "bad-" + b.name, Shows: b.shows, Code: b.code, Step: b.step, Field: r.Field}, file, hash)
	}
	slices.SortFunc(list, func(a, b vector) int { return strings.Compare(a.File, b.File) })
	return list, files
}

// TestVectors holds the committed vectors to the verifier; -update writes them anew
// (signatures differ each time, keys do not).
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	for _, v := range committed(t) {
		file, hash := v.read(t)
		r := Verify(file, hash)
		if r.OK != v.OK || r.Code != v.Code || r.Step != v.Step || r.Field != v.Field {
			t.Errorf("%s (%s): %v %v %s %s: %s; want %+v", v.File, v.Shows, r.OK, r.Code, r.Step, r.Field, r.Reason, v)
		}
	}
}

// TestWhatIsRefused makes the vectors anew and holds each to its step.
func TestWhatIsRefused(t *testing.T) {
	list, _ := vectors(t)
	if want := committed(t); len(list) != len(want) {
		t.Errorf("%d vectors, %d are committed: run with -update", len(list), len(want))
	}
}

func (v vector) read(t testing.TB) ([]byte, [32]byte) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(vectorDir, v.File))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := hex.DecodeString(v.GenesisHash)
	if err != nil {
		t.Fatal(err)
	}
	return file, [32]byte(hash)
}

func committed(t testing.TB) (list []vector) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectorDir, "index.json"))
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil || len(list) < 60 {
		t.Fatalf("%d vectors: %v", len(list), err)
	}
	return list
}

func writeVectors(t *testing.T) {
	list, files := vectors(t)
	if err := os.RemoveAll(vectorDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	raw, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	files["index.json"] = append(raw, '\n')
	for name, file := range files {
		if err := os.WriteFile(filepath.Join(vectorDir, name), file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
	if err := os.WriteFile(filepath.Join(vectorDir, "proof-one.genesis"), w.file, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAFlippedByteAnywhereIsRefused: one bit of every byte of one file and of every
// seventh of another; with the step and the field at which it was found.
func TestAFlippedByteAnywhereIsRefused(t *testing.T) {
	stride := map[string]int{"access.mulian-proof.json": 1, "four-changed.mulian-proof.json": 7}
	for _, v := range committed(t) {
		if stride[v.File] == 0 {
			continue
		}
		file, hash := v.read(t)
		for i := 0; i < len(file); i += stride[v.File] {
			bad := slices.Clone(file)
			bad[i] ^= 1 << (i % 8)
			if r := Verify(bad, hash); r.OK || r.Step == "" || r.Field == "" || r.Reason == "" || r.Code == 0 || r.Statement != nil {
				t.Errorf("%s, byte %d ^ %#x: %+v", v.File, i, 1<<(i%8), r)
			}
		}
	}
}
