// Package secrecy takes the content out of an access record for a time, as an order of
// investigative secrecy on the ledger says, and puts it back.
//
// It orders nothing (rules/trace), keeps nothing (gateway/receipt) and judges nobody
// (client/audit): it is what all of these have to do in the same way.
//
//	record ── Seal ──▶ record without content, commitment, box to the order's reader
//	   ▲                        │ stands in the log, numbered and chained
//	   └──────── Open ── opening (salt, content), published after the order's date
//
// # Invariants
//
//  1. What stays open is what the ledger or the log needs: gateway, agreement and its
//     asker, number, outcome, times, places; of a delivery its number, rows and bytes,
//     which the ledger has in any case; and the pseudonym if the order says so.
//  2. Open gives a record only if the opening is that of its commitment, and names no
//     field that stayed open: nothing can be put in place of what was sealed.
//  3. Two records with the same content have nothing in common to see: each has its salt
//     and its box.
//
// Sources: spec sharing 4.6 (mask for investigations); docs/decisions/0021.
package secrecy

import (
	"bytes"
	"crypto/rand"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// commitDomain stands before salt and content in what a commitment is the digest of.
const commitDomain = "mulian/secrecy/v1"

const saltBytes = 32

// InForce is the order under which what is recorded at that moment is sealed; nil: none.
func InForce(s *tracev1.Secrecy, atMs int64) *tracev1.SecrecyOrder {
	for _, o := range s.GetOrders() {
		if Holds(s, o, atMs) {
			return o
		}
	}
	return nil
}

// Holds tells whether an order of an agreement's secrecy seals at that moment. Whoever
// lifts an order ends all that it extends: what one of them sealed later would be open at
// once, whatever a new order says.
func Holds(s *tracev1.Secrecy, o *tracev1.SecrecyOrder, atMs int64) bool {
	lifted := last(s, o).GetLiftedMs()
	return o.GetFromMs() <= atMs && atMs < o.GetUntilMs() && (lifted == 0 || atMs < lifted)
}

// last is the order that extends that one last, or itself.
func last(s *tracev1.Secrecy, o *tracev1.SecrecyOrder) *tracev1.SecrecyOrder {
	for _, next := range s.GetOrders() {
		if o != nil && next.GetExtends() == o.GetNumber() {
			o = next
		}
	}
	return o
}

// Order is the n-th of an agreement; nil: there is none.
func Order(s *tracev1.Secrecy, n uint64) *tracev1.SecrecyOrder {
	if n == 0 || n > uint64(len(s.GetOrders())) {
		return nil
	}
	return s.Orders[n-1]
}

// OpensMs is the first moment at which what was sealed under an order has to be open, as
// the ledger says now: of the last order that extends it. 0: there is no such order.
func OpensMs(s *tracev1.Secrecy, n uint64) int64 {
	o := last(s, Order(s, n))
	if o.GetLiftedMs() != 0 {
		return o.GetLiftedMs()
	}
	return o.GetUnsealMs()
}

// content moves what is sealed out of the record.
func content(r *tracev1.AccessRecord, subjectOpen bool) *tracev1.AccessRecord {
	c := &tracev1.AccessRecord{
		Code: r.Code, RequestId: r.RequestId, Entry: r.Entry, EntryVersion: r.EntryVersion, Items: r.Items, Purpose: r.Purpose,
		RequestHash: r.RequestHash, ResponseHash: r.ResponseHash, Predicate: r.Predicate,
	}
	r.Code, r.RequestId, r.Entry, r.EntryVersion, r.Items, r.Purpose = 0, "", "", 0, nil, ""
	r.RequestHash, r.ResponseHash, r.Predicate = nil, nil, ""
	if r.Delivery == 0 { // the ledger has those of a delivery
		c.Rows, c.Bytes, r.Rows, r.Bytes = r.Rows, r.Bytes, 0, 0
	}
	if !subjectOpen {
		c.Subject, r.Subject = r.Subject, nil
	}
	return c
}

// commitment binds an opening.
func commitment(o *tracev1.Opening) []byte {
	d := canon.Digest(commitDomain, o.GetSalt(), o.GetContent())
	return d[:]
}

// Seal takes the content out of a record, under an order of the agreement's secrecy, and
// returns what it took. The record then says which order, until when, and has the box
// that the order's reader can open.
func Seal(s *tracev1.Secrecy, order uint64, r *tracev1.AccessRecord) (*tracev1.Opening, error) {
	o := Order(s, order)
	if o == nil {
		return nil, fault.Newf(fault.NotFound, "agreement %s has no order %d of secrecy", r.GetAgreement(), order)
	}
	reader, err := sm.ParsePublic(sm.Algorithm(o.GetReaderKey().GetAlgorithm()), o.GetReaderKey().GetPublicKey())
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the reader's key of order %d", order)
	}
	opening := &tracev1.Opening{Salt: make([]byte, saltBytes)}
	rand.Read(opening.Salt) // never fails (crypto/rand)
	if opening.Content, err = canon.Marshal(content(r, o.GetSubjectOpen())); err != nil {
		return nil, err
	}
	raw, err := canon.Marshal(opening)
	if err != nil {
		return nil, err
	}
	sealed := &tracev1.Sealed{Order: order, UnsealMs: OpensMs(s, order), Commitment: commitment(opening)}
	if sealed.Box, err = seal.Seal(reader, sealed.Commitment, raw); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "seal to the reader of order %d", order)
	}
	r.Sealed = sealed
	return opening, nil
}

// Open puts the content back into a copy of a sealed record. VerificationFailed if the
// opening is another's.
func Open(sealed *tracev1.AccessRecord, opening *tracev1.Opening) (*tracev1.AccessRecord, error) {
	if sealed.GetSealed() == nil || len(opening.GetSalt()) != saltBytes || !bytes.Equal(commitment(opening), sealed.GetSealed().GetCommitment()) {
		return nil, fault.Newf(fault.VerificationFailed, "it does not open this record")
	}
	c := &tracev1.AccessRecord{}
	if err := canon.Check(opening.GetContent(), c); err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "the content of the record")
	}
	rest := proto.CloneOf(c)
	rest.Delivery = sealed.GetDelivery() // decides whose rows and bytes are
	content(rest, false)
	rest.Delivery = 0
	if proto.Size(rest) > 0 || c.GetSubject() != nil && sealed.GetSubject() != nil {
		return nil, fault.Newf(fault.VerificationFailed, "the content has fields that were not sealed")
	}
	out := proto.CloneOf(sealed)
	proto.Merge(out, c)
	return out, nil
}

// OpenBox is [Open] with the key of the order's reader.
func OpenBox(reader sm.PrivateKey, sealed *tracev1.AccessRecord) (*tracev1.AccessRecord, *tracev1.Opening, error) {
	raw, err := seal.Open(reader, sealed.GetSealed().GetCommitment(), sealed.GetSealed().GetBox())
	if err != nil {
		return nil, nil, fault.Wrap(fault.VerificationFailed, err, "the box is not for this key")
	}
	opening := &tracev1.Opening{}
	if err := canon.Check(raw, opening); err != nil {
		return nil, nil, fault.Wrap(fault.VerificationFailed, err, "the box")
	}
	r, err := Open(sealed, opening)
	return r, opening, err
}
